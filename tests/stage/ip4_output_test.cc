// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_output.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Ip4Output : public StageLab {
protected:
  void run(core::Burst& in) {
    proto::Ip4OutputNext next;
    proto::ip4_output(worker, shard, config, 0, in, next);
    collect("ether", next.ether);
    collect("tunnel", next.tunnel);
    collect("ether_too_big", next.ether_too_big);
    collect("tunnel_too_big", next.tunnel_too_big);
    collect("local", next.local);
  }
  static Packet to(const char* dst, std::size_t total = 40, bool dont_fragment = true) {
    return ip4({.dont_fragment = dont_fragment, .src = kOurIp, .dst = ip(dst)},
               pattern(total - 20));
  }
};

TEST_F(Ip4Output, Table) {
  check(Stage::Ip4Output,
        {
            {.name = "Reachable", .packet = to("10.1.2.3"), .next = "ether"},
            {.name = "Tunnel", .packet = to("10.2.2.3"), .next = "tunnel"},
            {.name = "Blackhole", .packet = to("10.3.0.1"), .dropped = DropReason::Ip4Blackhole},
            {.name = "Prohibited", .packet = to("10.4.0.1"), .dropped = DropReason::Ip4Prohibited},
            {.name = "Glean", .packet = to("10.5.0.1"), .next = "held"},
            {.name = "Incomplete", .packet = to("10.6.0.1"), .next = "held"},
            {.name = "Failed", .packet = to("10.7.0.1"), .dropped = DropReason::NeighborFailed},
            {.name = "Changing", .packet = to("10.8.0.1"), .next = "held"},
            {.name = "Broadcast",
             .packet = to("198.51.100.255"),
             .dropped = DropReason::Ip4DirectedBroadcast},
            {.name = "LimitedBroadcast",
             .packet = to("255.255.255.255"),
             .dropped = DropReason::Ip4DirectedBroadcast},
            {.name = "Local", .packet = to("198.51.100.1"), .next = "local"},
            {.name = "Multicast", .packet = to("224.0.0.5"), .dropped = DropReason::Ip4Multicast},
            {.name = "Martian", .packet = to("127.0.0.1"), .dropped = DropReason::Ip4Martian},
            {.name = "NoRoute", .packet = to("172.16.0.1"), .dropped = DropReason::Ip4NoRoute},
            {.name = "FitsExactly", .packet = to("10.1.2.3", 1400), .next = "ether"},
            {.name = "TooBig", .packet = to("10.1.2.3", 1401), .dropped = DropReason::Ip4TooBig},
            {.name = "TooBigForTheTunnel",
             .packet = to("10.2.2.3", 1301),
             .dropped = DropReason::Ip4TooBig},
            {.name = "ToBeCut", .packet = to("10.1.2.3", 1401, false), .next = "ether_too_big"},
            {.name = "ToBeCutForTheTunnel",
             .packet = to("10.2.2.3", 1301, false),
             .next = "tunnel_too_big"},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Ip4Output, OurselvesAreAskedFromTheSameAddress) {
  core::Burst in;
  in.push(pool.make(ip4({.src = 0, .dst = kOurIp}, pattern(20))));
  run(in);
  EXPECT_EQ(settle(Stage::Ip4Output, 1).only("local"),
            ip4({.src = kOurIp, .dst = kOurIp}, pattern(20)));
}

TEST_F(Ip4Output, LoopbackIsLo0s) {  // RFC 1122 section 3.2.1.3 (g)
  config.loopback.ip4 = {ip("127.0.0.1"), 8};
  const auto run_it = [&](core::Burst& in) { run(in); };
  check(Stage::Ip4Output,
        {{.name = "Loopback", .packet = to("127.0.0.1"), .next = "local"},
         {.name = "AnyOfTheNet", .packet = to("127.255.0.9"), .next = "local"},
         {.name = "OtherMartian",
          .packet = ip4({.src = ip("127.0.0.1"), .dst = ip("10.1.2.3")}, {}),
          .dropped = DropReason::Ip4BadSource}},
        run_it);
  config.loopback.on = false;
  check(
      Stage::Ip4Output,
      {{.name = "Lo0Down", .packet = to("127.0.0.1"), .dropped = DropReason::Ip4OwnDestination},
       {.name = "OursToo", .packet = to("198.51.100.1"), .dropped = DropReason::Ip4OwnDestination}},
      run_it);
}

TEST_F(Ip4Output, WhatIsCutHasAnIdentificationOfItsOwn) {  // RFC 6864 section 4.1
  shard.ip_id = 0xfffe;
  for (const std::uint16_t id : std::array<std::uint16_t, 3>{0xfffe, 0xffff, 0}) {
    core::Burst in;
    in.push(pool.make(to("10.1.2.3", 1401, false)));
    in.push(pool.make(to("10.1.2.3", 1400, false)));
    run(in);
    const Outcome o = settle(Stage::Ip4Output, 2);
    EXPECT_EQ(
        o.to.at("ether_too_big"),
        std::vector<Packet>{ip4({.id = id, .src = kOurIp, .dst = ip("10.1.2.3")}, pattern(1381))});
    EXPECT_EQ(o.to.at("ether"), std::vector<Packet>{to("10.1.2.3", 1400, false)});
  }
}

TEST_F(Ip4Output, SourceZeroBecomesTheRoutes) {  // RFC 1122 section 3.3.4.3
  core::Burst in;
  in.push(pool.make(ip4({.ttl = 1, .src = 0, .dst = ip("10.1.2.3")}, pattern(20))));
  run(in);
  EXPECT_EQ(settle(Stage::Ip4Output, 1).only("ether"),
            ip4({.ttl = 1, .src = ip("203.0.113.1"), .dst = ip("10.1.2.3")}, pattern(20)))
      << "and the TTL stays";
}

TEST_F(Ip4Output, AnotherSourceStays) {
  const Packet packet = ip4({.src = kOurIp, .dst = ip("10.1.2.3")}, pattern(20));
  core::Burst in;
  in.push(pool.make(packet));
  run(in);
  EXPECT_EQ(settle(Stage::Ip4Output, 1).only("ether"), packet);
}

TEST_F(Ip4Output, HoldsAsItsOwn) {
  core::Burst in;
  in.push(pool.make(to("10.5.0.1")));
  run(in);
  shard.hold.review([](const proto::HeldPacket& p) {
    EXPECT_TRUE(p.own);
    EXPECT_EQ(p.gateway, ip("10.5.0.1"));
    return false;
  });
  (void)settle(Stage::Ip4Output, 1);
}

TEST_F(Ip4Output, WorksWhereForwardingIsOff) {
  config.sysctl.forwarding = false;
  core::Burst in;
  in.push(pool.make(to("10.1.2.3")));
  run(in);
  EXPECT_EQ(settle(Stage::Ip4Output, 1).to.size(), 1u);
}
}  // namespace
