// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_local.hh"

#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Ip6Local : public StageLab6 {
protected:
  void run(core::Burst& in, bool reassembled = false) {
    proto::Ip6LocalNext next;
    core::NotedBurst<proto::Ip6Cause> refused;
    proto::ip6_local(worker, config6, {kLan, reassembled}, in, next, refused);
    for (std::size_t i = 0; i < next.icmp.size(); ++i) messages.push_back(next.icmp.notes()[i]);
    for (std::size_t i = 0; i < next.fragments.size(); ++i)
      places.push_back(next.fragments.notes()[i]);
    collect("icmp", next.icmp);
    collect("fragments", next.fragments);
    collect(refused);
  }
  std::vector<proto::Ip6Upper> messages;
  std::vector<proto::Ip6FragmentPlace> places;
};

TEST_F(Ip6Local, Table) {
  const auto carrying = [](std::uint8_t next_header, std::vector<Extension6> extensions = {}) {
    return ip6({.next_header = next_header, .extensions = std::move(extensions)}, pattern(24));
  };
  const Extension6 empty{60, {}};
  using D = DropReason;
  check(Stage::Ip6Local,
        {
            {.name = "Icmp", .packet = ip6_icmp({}, {}, {}), .next = "icmp"},
            {.name = "IcmpBehindExtensions",
             .packet = ip6_icmp({.extensions = {{0, {}}, empty}}, {}, {}),
             .next = "icmp"},
            // RFC 4443 section 3.1, code 4.
            {.name = "UdpClosedPort",
             .packet = ip6_udp({}, {}, pattern(9)),
             .next = "refused UdpNoPort 1/4"},
            {.name = "UdpBehindExtensions",
             .packet = ip6_udp({.extensions = {empty}}, {}, pattern(9)),
             .next = "refused UdpNoPort 1/4"},
            // RFC 8200 section 8.1.
            {.name = "UdpWithoutChecksum",
             .packet = ip6_udp({}, {.checksum = 0}, pattern(9)),
             .dropped = D::UdpBadChecksum},
            {.name = "UdpWrongChecksum",
             .packet = ip6_udp({}, {.checksum = 0x1234}, pattern(9)),
             .dropped = D::UdpBadChecksum},
            {.name = "UdpTruncated",
             .packet = ip6({.next_header = 17}, pattern(7)),
             .dropped = D::UdpTruncated},
            {.name = "UdpBadLength",
             .packet = ip6_udp({}, {.length = 18}, pattern(9)),
             .dropped = D::UdpBadLength},
            // RFC 8200 section 4: an unknown Next Header is told with its place.
            {.name = "Tcp", .packet = carrying(6), .next = "refused Ip6UnknownNextHeader 4/1, 6"},
            {.name = "Esp", .packet = carrying(50), .next = "refused Ip6UnknownNextHeader 4/1, 6"},
            {.name = "Ah",
             .packet = carrying(51, {empty}),
             .next = "refused Ip6UnknownNextHeader 4/1, 40"},
            {.name = "Icmp4", .packet = carrying(1), .next = "refused Ip6UnknownNextHeader 4/1, 6"},
            {.name = "NoNextHeader", .packet = carrying(59), .dropped = D::Ip6NoNextHeader},
            {.name = "FirstFragment",
             .packet = carrying(58, {fragment6(0, true)}),
             .next = "fragments"},
            {.name = "LaterFragment",
             .packet = carrying(58, {empty, fragment6(8, false)}),
             .next = "fragments"},
            {.name = "AtomicFragment",  // RFC 6946
             .packet = ip6_icmp({.extensions = {fragment6(0, false)}}, {}, {}),
             .next = "icmp"},
            {.name = "RoutingType0",  // RFC 5095
             .packet = carrying(58, {{43, {0, 1, 0, 0, 0, 0}}}),
             .next = "refused Ip6RoutingHeader 4/0, 42"},
            {.name = "UnknownOption",
             .packet = carrying(58, {{60, {0x80, 0}}}),
             .next = "refused Ip6UnknownOption 4/2, 42"},
            {.name = "UnknownOptionQuiet",
             .packet = carrying(58, {{60, {0x40, 0}}}),
             .dropped = D::Ip6UnknownOption},
            {.name = "HopByHopSecond",
             .packet = carrying(58, {empty, {0, {}}}),
             .next = "refused Ip6HopByHopPlace 4/1, 40"},
            {.name = "ExtensionPastThePacket",
             .packet = carrying(58, {{60, {}, std::uint8_t{200}}}),
             .dropped = D::Ip6BadExtension},
            {.name = "TooManyExtensions",
             .packet = carrying(58, std::vector<Extension6>(9, empty)),
             .dropped = D::Ip6TooManyExtensions},
        },
        [&](core::Burst& in) { run(in); });
}

/// RFC 8200 section 8.1: 0 says that there is none, also where the sum is right with it.
TEST_F(Ip6Local, UdpChecksumOfZeroIsNone) {
  Udp f;
  Packet p;
  do {
    ++f.src_port;
    p = ip6_udp({}, f, pattern(9));
  } while (p[46] != 0xff || p[47] != 0xff);
  core::Burst in;
  in.push(pool.make(p));
  p[46] = p[47] = 0;
  in.push(pool.make(p));
  run(in);
  const Outcome o = settle(Stage::Ip6Local, 2);
  EXPECT_EQ(o.to.at("refused UdpNoPort 1/4").size(), 1u);
  EXPECT_EQ(o.dropped, (Drops{{"UdpBadChecksum", 1}}));
}

TEST_F(Ip6Local, SaysWhereThingsAre) {
  core::Burst in;
  in.push(
      pool.make(ip6_icmp({.extensions = {{0, {5, 2, 0, 0, 0, 0}}, {60, Packet(14, 0)}}}, {}, {})));
  in.push(pool.make(
      ip6({.next_header = 58, .extensions = {{60, {}}, fragment6(8, true)}}, pattern(16))));
  run(in);
  (void)settle(Stage::Ip6Local, 2);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].at, 64u);
  EXPECT_TRUE(messages[0].router_alert);
  EXPECT_FALSE(messages[0].fragmented);
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].at, 48);
  EXPECT_EQ(places[0].link, kLan);
}

TEST_F(Ip6Local, ReassembledPacketsSaySo) {  // RFC 6980
  core::Burst in;
  in.push(pool.make(ip6_icmp({}, {}, {})));
  run(in, /*reassembled=*/true);
  (void)settle(Stage::Ip6Local, 1);
  EXPECT_TRUE(messages.at(0).fragmented);
}

/// The checksum goes over all segments, the headers are in the first.
TEST_F(Ip6Local, TakesPacketsInSeveralSegments) {
  for (std::size_t first = 48; first < 56; ++first) {
    core::Burst in;
    in.push(pool.make_chained(ip6_udp({}, {}, pattern(301)), first));
    run(in);
    EXPECT_EQ(settle(Stage::Ip6Local, 1).only("refused UdpNoPort 1/4").size(), 349u);
  }
  core::Burst in;
  in.push(pool.make_chained(ip6_udp({}, {.checksum = 0x1234}, pattern(301)), 128));
  in.push(pool.make_chained(ip6_icmp({.extensions = {{60, Packet(30, 0)}}}, {}, {}), 64));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Local, 2).dropped,
            (Drops{{"UdpBadChecksum", 1}, {"Ip6BadExtension", 1}}));
}
}  // namespace
