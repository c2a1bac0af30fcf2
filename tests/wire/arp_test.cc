// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/arp.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::ArpView;

/// 192.0.2.1 asks for 192.0.2.2, and the reply, as scapy 2.5 writes them.
constexpr auto kRequest = test::hex(
    "0001080006040001"
    "020000000001c0000201"
    "000000000000c0000202");
constexpr auto kReply = test::hex(
    "0001080006040002"
    "020000000002c0000202"
    "020000000001c0000201");

constexpr auto kParsed = ArpView::parse(kRequest);
static_assert(kParsed && kParsed->operation() == ArpView::kRequest);
static_assert(kParsed->sender_mac() == core::MacAddress{2, 0, 0, 0, 0, 1});
static_assert(kParsed->sender_ip() == 0xc0000201);
static_assert(kParsed->target_mac() == core::MacAddress{});
static_assert(kParsed->target_ip() == 0xc0000202);

test::Packet with(std::size_t at, std::uint8_t value) {
  test::Packet p{kRequest.begin(), kRequest.end()};
  p.at(at) = value;
  return p;
}

TEST(ArpView, Parses) {
  const auto reply = ArpView::parse(kReply);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->operation(), ArpView::kReply);
  EXPECT_EQ(reply->sender_mac(), test::mac(2));
  EXPECT_EQ(reply->target_mac(), test::mac(1));
}

TEST(ArpView, IgnoresLinkPadding) {
  EXPECT_EQ(test::refusal<ArpView>(test::pad(test::arp({}), 46)), std::nullopt);
}

TEST(ArpView, Emits) {
  test::Packet out(ArpView::kLen, 0xee);
  proto::emit(proto::ArpFields{.operation = ArpView::kReply,
                               .sender_mac = test::mac(2),
                               .sender_ip = 0xc0000202,
                               .target_mac = test::mac(1),
                               .target_ip = 0xc0000201},
              out);
  EXPECT_EQ(out, (test::Packet{kReply.begin(), kReply.end()}));
}

TEST(ArpView, RoundTrips) {
  const test::Packet bytes = test::arp({.operation = 2,
                                        .sender_mac = {1, 2, 3, 4, 5, 6},
                                        .sender_ip = 0x01020304,
                                        .target_mac = {7, 8, 9, 10, 11, 12},
                                        .target_ip = 0xfffefdfc});
  const auto view = ArpView::parse(bytes);
  ASSERT_TRUE(view);
  test::Packet out(ArpView::kLen);
  proto::emit(proto::ArpFields{.operation = view->operation(),
                               .sender_mac = view->sender_mac(),
                               .sender_ip = view->sender_ip(),
                               .target_mac = view->target_mac(),
                               .target_ip = view->target_ip()},
              out);
  EXPECT_EQ(out, bytes);
}

TEST(ArpView, RejectsEachTruncation) {
  test::expect_each_truncation_refused<ArpView>(
      kRequest, [](std::size_t) { return DropReason::ArpTruncated; });
}

TEST(ArpView, RejectsEachBadLength) {
  for (unsigned length = 0; length < 256; ++length) {
    const auto value = static_cast<std::uint8_t>(length);
    if (length != 6) {
      EXPECT_EQ(test::refusal<ArpView>(with(4, value)), DropReason::ArpBadHardware);
    }
    if (length != 4) {
      EXPECT_EQ(test::refusal<ArpView>(with(5, value)), DropReason::ArpBadProtocol);
    }
  }
}

TEST(ArpView, RejectsOtherTypesAndOperations) {
  EXPECT_EQ(test::refusal<ArpView>(test::arp({.hardware_type = 6})), DropReason::ArpBadHardware);
  EXPECT_EQ(test::refusal<ArpView>(test::arp({.hardware_type = 0x0100})),
            DropReason::ArpBadHardware);
  EXPECT_EQ(test::refusal<ArpView>(test::arp({.protocol_type = 0x86dd})),
            DropReason::ArpBadProtocol);
  for (const unsigned op : {0u, 3u, 8u, 0x0100u, 0x0201u, 0xffffu})
    EXPECT_EQ(test::refusal<ArpView>(test::arp({.operation = static_cast<std::uint16_t>(op)})),
              DropReason::ArpBadOperation);
}
}  // namespace
