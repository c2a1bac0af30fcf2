// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/icmp6.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/packet6.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::Icmp6View;
using proto::Ip6View;

/// scapy 2.5: IPv6(src="2001:db8:1::2", dst="2001:db8:1::1") /
/// ICMPv6EchoRequest(id=0x1234, seq=9, data=b"abcdefgh").
constexpr auto kEcho = test::hex(
    "6000000000103a40"
    "20010db8000100000000000000000002"
    "20010db8000100000000000000000001"
    "8000806b12340009"
    "6162636465666768");
constexpr auto kPacket = Ip6View::parse(kEcho);
constexpr auto kParsed = Icmp6View::parse(kPacket->payload());
constexpr std::uint64_t kPseudo =
    proto::pseudo_header_sum(kPacket->src(), kPacket->dst(), 16, proto::kProtocolIcmp6);
static_assert(kParsed && kParsed->verify_checksum(kPseudo) && !kParsed->is_error());
static_assert(kParsed->type() == Icmp6View::kEchoRequest && kParsed->code() == 0);
static_assert(kParsed->id() == 0x1234 && kParsed->sequence() == 9);
static_assert(kParsed->word() == 0x12340009 && kParsed->body().size() == 8);

TEST(Icmp6View, Parses) {
  EXPECT_EQ(kParsed->body()[0], 'a');
  EXPECT_TRUE(Icmp6View::parse(kPacket->payload())->verify_checksum(kPseudo));
  EXPECT_FALSE(kParsed->verify_checksum(kPseudo + 1));
}

TEST(Icmp6View, Emits) {
  test::Packet out{kEcho.begin() + 40, kEcho.end()};
  for (std::size_t i = 0; i < 8; ++i) out[i] = 0xee;
  proto::emit(proto::Icmp6Fields{.type = 128, .word = 0x12340009}, out, kPseudo);
  EXPECT_EQ(out, (test::Packet{kEcho.begin() + 40, kEcho.end()}));
}

TEST(Icmp6View, RoundTripsBodiesOfEachLength) {
  for (std::size_t body = 0; body < 600; ++body) {
    test::Packet out = test::pattern(8 + body);
    const std::uint64_t pseudo =
        proto::pseudo_header_sum(test::kOurIp6, test::kPeerIp6, out.size(), 58);
    proto::emit(proto::Icmp6Fields{.type = 2, .code = 1, .word = 1400}, out, pseudo);
    const auto view = Icmp6View::parse(out);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->verify_checksum(pseudo)) << body;
    EXPECT_EQ(view->type(), 2);
    EXPECT_EQ(view->code(), 1);
    EXPECT_EQ(view->word(), 1400u);
    EXPECT_EQ(view->body().size(), body);
  }
}

TEST(Icmp6View, RejectsEachTruncation) {
  test::expect_each_truncation_refused<Icmp6View>(
      std::span{kEcho}.subspan(40, 8), [](std::size_t) { return DropReason::Icmp6Truncated; });
}

/// RFC 4443 section 2.1: the highest bit of the type tells.
TEST(Icmp6View, KnowsTheErrorsAndDiscovery) {
  for (unsigned type = 0; type < 256; ++type) {
    const test::Packet p{static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
    const auto view = Icmp6View::parse(p);
    EXPECT_EQ(view->is_error(), type < 128) << type;
    EXPECT_EQ(view->is_discovery(), (type >= 130 && type <= 137) || type == 143) << type;
  }
}
}  // namespace
