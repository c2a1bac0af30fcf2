// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "core/drop_reason.hh"
#include "core/stage.hh"

namespace {
using core::DropReason;

static_assert(core::info(DropReason::RxChained).name == "RxChained");
static_assert(core::info(DropReason::UdpBadLength).layer == "udp");
static_assert(static_cast<std::size_t>(DropReason::RxChained) == 0);

TEST(DropReasons, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const core::DropInfo& d : core::kDropInfo)
    EXPECT_TRUE(names.insert(d.name).second) << d.name;
  EXPECT_EQ(names.size(), core::kDropReasons);
}

/// Two causes never share a reason, so no two reasons say the same.
TEST(DropReasons, SayDifferentThingsWithinALayer) {
  std::set<std::pair<std::string_view, std::string_view>> texts;
  for (const core::DropInfo& d : core::kDropInfo) {
    EXPECT_FALSE(d.text.empty()) << d.name;
    EXPECT_TRUE(texts.insert({d.layer, d.text}).second) << d.name;
  }
}

/// Each name begins with its layer, and the reasons of a layer stand together.
TEST(DropReasons, AreGroupedByLayer) {
  std::set<std::string_view> finished;
  std::string_view layer;
  for (const core::DropInfo& d : core::kDropInfo) {
    if (d.layer != layer) {
      EXPECT_TRUE(finished.insert(d.layer).second) << d.name << " is apart from its layer";
      layer = d.layer;
    }
    if (d.layer == "port") continue;  // the places where a packet enters and leaves
    std::string prefix{d.layer};
    prefix[0] = static_cast<char>(std::toupper(prefix[0]));
    EXPECT_EQ(d.name.substr(0, prefix.size()), prefix);
  }
}

/// The texts end up as columns and JSON: no quotes, no control characters, no sentence end.
TEST(DropReasons, HavePlainTexts) {
  for (const core::DropInfo& d : core::kDropInfo) {
    for (const char c : d.text) EXPECT_TRUE(c >= ' ' && c < 127 && c != '"' && c != '\\') << d.name;
    EXPECT_NE(d.text.back(), '.') << d.name;
  }
}

TEST(Stages, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const core::StageInfo& s : core::kStageInfo) {
    EXPECT_TRUE(names.insert(s.name).second) << s.name;
    EXPECT_FALSE(s.what.empty()) << s.name;
  }
  EXPECT_EQ(names.size(), core::kStages);
}
}  // namespace
