// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ether.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::EtherView;

/// The head of an ARP request as scapy 2.5 writes it.
constexpr auto kFrame = test::hex(
    "ffffffffffff0200000000010806"
    "0001080006040001");
constexpr auto kParsed = EtherView::parse(kFrame);
static_assert(kParsed);
static_assert(kParsed->dst() == core::kBroadcastMac);
static_assert(kParsed->src() == core::MacAddress{2, 0, 0, 0, 0, 1});
static_assert(kParsed->type() == proto::kEtherTypeArp);
static_assert(kParsed->payload().size() == 8 && kParsed->payload()[3] == 0);
static_assert(core::is_group(kParsed->dst()) && !core::is_group(kParsed->src()));

TEST(EtherView, Parses) {
  EXPECT_EQ(kParsed->payload().data(), kFrame.data() + EtherView::kHeaderLen);
}

TEST(EtherView, ParsesAHeaderAlone) {
  EXPECT_EQ(test::refusal<EtherView>(std::span{kFrame}.first(14)), std::nullopt);
}

TEST(EtherView, Emits) {
  test::Packet out(14, 0xee);
  proto::emit(proto::EtherFields{.dst = core::kBroadcastMac, .src = test::mac(1), .type = 0x0806},
              out);
  EXPECT_EQ(out, (test::Packet{kFrame.begin(), kFrame.begin() + 14}));
}

TEST(EtherView, RoundTrips) {
  const proto::EtherFields f{
      .dst = {1, 2, 3, 4, 5, 6}, .src = {7, 8, 9, 10, 11, 12}, .type = 0xfffe};
  test::Packet out(14);
  proto::emit(f, out);
  const auto view = EtherView::parse(out);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->dst(), f.dst);
  EXPECT_EQ(view->src(), f.src);
  EXPECT_EQ(view->type(), f.type);
}

TEST(EtherView, RejectsEachTruncation) {
  test::expect_each_truncation_refused<EtherView>(
      std::span{kFrame}.first(14), [](std::size_t) { return DropReason::EtherTruncated; });
}
}  // namespace
