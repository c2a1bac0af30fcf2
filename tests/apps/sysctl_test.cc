// SPDX-License-Identifier: BSD-3-Clause
#include "core/sysctl.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using testing::HasSubstr;

struct SysctlTree : testing::Test {
  SysctlTree() {
    tree.add({"net.inet.ip.ttl", "TTL of our own packets", 1, 255, 64});
    tree.add({"net.inet.ip.forwarding", "forward packets (0 or 1)", 0, 1, 0});
    tree.add({"net.inet6.ip6.hlim", "hop limit of our own packets", 1, 255, 64});
  }
  core::Sysctl tree;

  [[nodiscard]] std::vector<std::string> names(std::string_view prefix) const {
    std::vector<std::string> found;
    for (const auto& node : tree.list(prefix)) found.push_back(node.name);
    return found;
  }
};

TEST_F(SysctlTree, KeepsWhatIsSet) {
  ASSERT_TRUE(tree.set("net.inet.ip.ttl", 12));
  EXPECT_EQ(*tree.get("net.inet.ip.ttl"), 12);
  EXPECT_EQ(tree.value("net.inet.ip.ttl"), 12);
}

TEST_F(SysctlTree, TakesBothEndsOfTheRange) {
  EXPECT_TRUE(tree.set("net.inet.ip.ttl", 1));
  EXPECT_TRUE(tree.set("net.inet.ip.ttl", 255));
}

TEST_F(SysctlTree, RefusesBeyondTheRangeAndKeepsTheValue) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{256}, INT64_MIN, INT64_MAX}) {
    const auto result = tree.set("net.inet.ip.ttl", value);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, core::Errc::Invalid);
    EXPECT_THAT(result.error().context, HasSubstr("1 to 255"));
    EXPECT_EQ(tree.value("net.inet.ip.ttl"), 64);
  }
}

TEST_F(SysctlTree, NamesTheNearestOfAnUnknownName) {
  const auto result = tree.get("net.inet.ip.tll");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, core::Errc::NotFound);
  EXPECT_THAT(result.error().context, HasSubstr("nearest: net.inet.ip.ttl"));
  EXPECT_EQ(tree.set("net.inet.ip.tll", 1).error().code, core::Errc::NotFound);
}

TEST_F(SysctlTree, BearsANameWithoutEnd) {
  const auto result = tree.get(std::string(1 << 20, 'x'));
  ASSERT_FALSE(result);
  EXPECT_LT(result.error().context.size(), 300u);
}

TEST_F(SysctlTree, ListsASubtreeByWholeParts) {
  EXPECT_EQ(names(""), (std::vector<std::string>{"net.inet.ip.forwarding", "net.inet.ip.ttl",
                                                 "net.inet6.ip6.hlim"}));
  EXPECT_EQ(names("net.inet"),
            (std::vector<std::string>{"net.inet.ip.forwarding", "net.inet.ip.ttl"}));
  EXPECT_EQ(names("net.inet.ip.ttl"), (std::vector<std::string>{"net.inet.ip.ttl"}));
  EXPECT_TRUE(names("net.ine").empty());
}
}  // namespace
