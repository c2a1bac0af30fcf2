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
    collect("udp", next.udp);
    collect("raw", next.raw);
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
            {.name = "Udp", .packet = ip6_udp({}, {}, pattern(9)), .next = "udp"},
            {.name = "UdpBehindExtensions",
             .packet = ip6_udp({.extensions = {empty}}, {}, pattern(9)),
             .next = "udp"},
            {.name = "Tcp", .packet = carrying(6), .next = "raw"},
            {.name = "Esp", .packet = carrying(50), .next = "raw"},
            {.name = "Ah", .packet = carrying(51, {empty}), .next = "raw"},
            {.name = "Icmp4", .packet = carrying(1), .next = "raw"},
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

TEST_F(Ip6Local, TakesPacketsInSeveralSegments) {
  core::Burst in;
  in.push(pool.make_chained(ip6_udp({}, {}, pattern(301)), 48));
  in.push(pool.make_chained(ip6_icmp({.extensions = {{60, Packet(30, 0)}}}, {}, {}), 64));
  run(in);
  const Outcome o = settle(Stage::Ip6Local, 2);
  EXPECT_EQ(o.only("udp").size(), 349u);
  EXPECT_EQ(o.dropped, (Drops{{"Ip6BadExtension", 1}}));
}
}  // namespace
