// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/udp.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::UdpView;

/// scapy 2.5: UDP(sport=53, dport=40000) / b"hello" from 192.0.2.1 to 198.51.100.7.
constexpr auto kHello = test::hex(
    "00359c40000d3350"
    "68656c6c6f");
constexpr auto kParsed = UdpView::parse(kHello);
static_assert(kParsed && kParsed->src_port() == 53 && kParsed->dst_port() == 40000);
static_assert(kParsed->checksum() == 0x3350 && kParsed->payload().size() == 5);

/// The empty datagram is a datagram.
constexpr auto kEmpty = test::hex("0035003500080000");
constexpr auto kParsedEmpty = UdpView::parse(kEmpty);
static_assert(kParsedEmpty && kParsedEmpty->payload().empty());

TEST(UdpView, Parses) {
  EXPECT_EQ(kParsed->payload()[0], 'h');
}

/// The builder of the tests makes what scapy makes, checksum over the pseudo header included.
TEST(UdpView, RoundTrips) {
  const test::Packet packet =
      test::ip4_udp({.src = test::ip("192.0.2.1"), .dst = test::ip("198.51.100.7")},
                    {.src_port = 53, .dst_port = 40000}, test::from_hex("68656c6c6f"));
  EXPECT_EQ((test::Packet{packet.begin() + 20, packet.end()}),
            (test::Packet{kHello.begin(), kHello.end()}));
}

TEST(UdpView, CutsPadding) {
  const test::Packet padded = test::pad({kHello.begin(), kHello.end()}, 26);
  const auto view = UdpView::parse(padded);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->payload().size(), 5u);
}

TEST(UdpView, SeesTheBeginningOfALongerDatagram) {
  for (std::size_t seen = 8; seen <= kHello.size(); ++seen) {
    const auto view = UdpView::parse(test::PacketBytes{kHello}.first(seen), kHello.size() + 3);
    ASSERT_TRUE(view) << seen;
    EXPECT_EQ(view->length(), 13);
    EXPECT_EQ(view->payload().size(), seen - 8);
  }
  EXPECT_EQ(UdpView::parse(test::PacketBytes{kHello}.first(8), 12).error(),
            DropReason::UdpBadLength);
}

TEST(UdpView, RejectsEachTruncation) {
  test::expect_each_truncation_refused<UdpView>(kHello, [](std::size_t length) {
    return length < 8 ? DropReason::UdpTruncated : DropReason::UdpBadLength;
  });
}

TEST(UdpView, RejectsEachBadLength) {
  for (std::uint32_t length = 0; length <= 0xffff; ++length) {
    test::Packet p{kHello.begin(), kHello.end()};
    p[4] = static_cast<std::uint8_t>(length >> 8);
    p[5] = static_cast<std::uint8_t>(length);
    const auto why = test::refusal<UdpView>(p);
    if (length >= 8 && length <= 13)
      ASSERT_EQ(why, std::nullopt) << length;
    else
      ASSERT_EQ(why, DropReason::UdpBadLength) << length;
  }
}
}  // namespace
