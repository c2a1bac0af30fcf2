// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip6.hh"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/hex.hh"
#include "tests/support/packet6.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using proto::Ip6View;
using test::addr6;

/// scapy 2.5: IPv6(src="2001:db8:1::2", dst="2001:db8:1::1", tc=0x2e, fl=0x12345, hlim=63) /
/// UDP(sport=53, dport=40000) / b"hello".
constexpr auto kUdp = test::hex(
    "62e12345000d113f"
    "20010db8000100000000000000000002"
    "20010db8000100000000000000000001"
    "00359c40000dc415"
    "68656c6c6f");
constexpr auto kParsed = Ip6View::parse(kUdp);
static_assert(kParsed && kParsed->traffic_class() == 0x2e && kParsed->flow_label() == 0x12345);
static_assert(kParsed->payload_length() == 13 && kParsed->total_length() == 53);
static_assert(kParsed->next_header() == proto::kProtocolUdp && kParsed->hop_limit() == 63);
static_assert(kParsed->src() == test::kPeerIp6 && kParsed->dst() == test::kOurIp6);
static_assert(kParsed->payload().size() == 13 && kParsed->packet().size() == 53);

test::Packet good() {
  return {kUdp.begin(), kUdp.end()};
}

TEST(Ip6View, Parses) {
  EXPECT_EQ(kParsed->payload().data(), kUdp.data() + 40);
  EXPECT_EQ(Ip6View::parse(good())->src(), addr6("2001:db8:1::2")) << "at run time as well";
}

TEST(Ip6View, CutsLinkPadding) {
  const auto padded = test::pad(good(), 60);
  const auto view = Ip6View::parse(padded);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->packet().size(), 53u);
}

TEST(Ip6View, SeesTheBeginningOfALongerPacket) {
  const test::Packet whole = good();
  for (std::size_t seen = 40; seen <= whole.size(); ++seen) {
    const test::Packet front{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(seen)};
    const auto view = Ip6View::parse(front, whole.size() + 7);  // link padding behind
    ASSERT_TRUE(view) << seen;
    EXPECT_EQ(view->total_length(), 53u);
    EXPECT_EQ(view->payload().size(), seen - 40);
  }
  EXPECT_EQ(Ip6View::parse(std::span{whole}.first(45), 52).error(), DropReason::Ip6BadLength);
  EXPECT_EQ(Ip6View::parse(std::span{whole}.first(39), 53).error(), DropReason::Ip6Truncated);
}

TEST(Ip6View, Emits) {
  test::Packet out = good();
  for (std::size_t i = 0; i < 40; ++i) out[i] = 0xee;
  proto::emit(proto::Ip6Fields{.traffic_class = 0x2e,
                               .flow_label = 0x12345,
                               .next_header = 17,
                               .hop_limit = 63,
                               .src = test::kPeerIp6,
                               .dst = test::kOurIp6},
              out);
  EXPECT_EQ(out, good());
}

TEST(Ip6View, RoundTrips) {
  std::mt19937 random{1};
  const auto r = [&] { return static_cast<std::uint32_t>(random()); };
  const auto address = [&] {
    IpAddress a;
    for (auto& b : a.bytes()) b = static_cast<std::uint8_t>(r());
    return a;
  };
  for (int i = 0; i < 1000; ++i) {
    const proto::Ip6Fields f{.traffic_class = static_cast<std::uint8_t>(r()),
                             .flow_label = r() & 0xfffff,
                             .next_header = static_cast<std::uint8_t>(r()),
                             .hop_limit = static_cast<std::uint8_t>(r()),
                             .src = address(),
                             .dst = address()};
    test::Packet out(40 + r() % 1461);
    proto::emit(f, out);
    const auto view = Ip6View::parse(out);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->total_length(), out.size());
    EXPECT_EQ(view->traffic_class(), f.traffic_class);
    EXPECT_EQ(view->flow_label(), f.flow_label);
    EXPECT_EQ(view->next_header(), f.next_header);
    EXPECT_EQ(view->hop_limit(), f.hop_limit);
    EXPECT_EQ(view->src(), f.src);
    EXPECT_EQ(view->dst(), f.dst);
  }
}

TEST(Ip6View, EmitsTheLargestPacket) {
  test::Packet out(65575);
  proto::emit(proto::Ip6Fields{}, out);
  const auto view = Ip6View::parse(out);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->payload_length(), 65535);
}

TEST(Ip6View, RejectsEachTruncation) {
  test::expect_each_truncation_refused<Ip6View>(kUdp, [](std::size_t length) {
    return length < 40 ? DropReason::Ip6Truncated : DropReason::Ip6BadLength;
  });
}

TEST(Ip6View, RejectsEachBadLength) {
  for (std::uint32_t length = 0; length <= 0xffff; ++length) {
    test::Packet p = good();
    p[4] = static_cast<std::uint8_t>(length >> 8);
    p[5] = static_cast<std::uint8_t>(length);
    const auto why = test::refusal<Ip6View>(p);
    if (length <= 13)
      ASSERT_EQ(why, std::nullopt) << length;
    else
      ASSERT_EQ(why, DropReason::Ip6BadLength) << length;
  }
}

TEST(Ip6View, RejectsEachOtherVersion) {
  for (std::uint8_t version = 0; version < 16; ++version) {
    const auto why = test::refusal<Ip6View>(test::ip6({.version = version}, {}));
    if (version == 6)
      EXPECT_EQ(why, std::nullopt);
    else
      EXPECT_EQ(why, DropReason::Ip6BadVersion) << unsigned{version};
  }
}

TEST(Ip6View, DecrementsTheHopLimitAndNothingElse) {
  test::Packet p = good();
  proto::decrement_hop_limit(p);
  EXPECT_EQ(p[7], 62);
  p[7] = 63;
  EXPECT_EQ(p, good());
}

/// RFC 1624: what was right for :: is right for the source that is set.
TEST(Ip6View, SetSourceKeepsTheChecksum) {
  std::mt19937 random{7};
  for (int i = 0; i < 2000; ++i) {
    test::Ip6 header{.src = IpAddress{}};
    const test::Packet body = test::pattern(random() % 64);
    IpAddress src;
    for (auto& b : src.bytes()) b = static_cast<std::uint8_t>(random());
    const test::Icmp6 icmp{.word = static_cast<std::uint32_t>(random())};
    const test::Udp udp{.src_port = static_cast<std::uint16_t>(random())};
    test::Packet message = test::ip6_icmp(header, icmp, body);
    test::Packet datagram = test::ip6_udp(header, udp, body);
    proto::set_source(message, src);
    proto::set_source(datagram, src);
    header.src = src;
    EXPECT_EQ(message, test::ip6_icmp(header, icmp, body));
    EXPECT_EQ(datagram, test::ip6_udp(header, udp, body));
  }
}

TEST(Ip6View, SetSourceOfOtherPacketsSetsTheSourceOnly) {
  test::Packet p = test::ip6({.src = IpAddress{}, .extensions = {{.type = 60}}}, test::pattern(8));
  proto::set_source(p, test::kPeerIp6);
  EXPECT_EQ(p, test::ip6({.extensions = {{.type = 60}}}, test::pattern(8)));
  test::Packet cut = test::ip6({.next_header = 58, .src = IpAddress{}}, {});
  proto::set_source(cut, test::kPeerIp6);
  EXPECT_EQ(cut, test::ip6({.next_header = 58}, {})) << "there is no checksum";
}
}  // namespace
