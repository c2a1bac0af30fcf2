// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_lookup.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Ip4Lookup : public StageLab {
protected:
  void run(core::Burst& in, proto::Ip4Arrival arrival) {
    core::NotedBurst<std::uint32_t> checked;
    for (rte_mbuf* m : in.take()) checked.push(m, destination(m));
    proto::Ip4LookupNext next;
    proto::ip4_lookup(worker, shard, config, arrival, checked, next);
    EXPECT_TRUE(checked.empty());
    for (std::size_t i = 0; i < next.forward.size(); ++i)
      EXPECT_EQ(next.forward.notes()[i], &hop_to(destination(next.forward.packets()[i])));
    for (std::size_t i = 0; i < next.tunnel.size(); ++i)
      EXPECT_EQ(next.tunnel.notes()[i]->tunnel, 2);
    collect("forward", next.forward);
    collect("tunnel", next.tunnel);
    collect("local", next.local);
    collect("broadcast", next.broadcast);
    collect(next.refused);
  }
  static std::uint32_t destination(const rte_mbuf* m) {
    const Packet p = bytes_of(m);
    return std::uint32_t{p[16]} << 24 | std::uint32_t{p[17]} << 16 | std::uint32_t{p[18]} << 8 |
           p[19];
  }
  static Packet to(const char* dst) { return ip4({.dst = ip(dst)}, pattern(20)); }
  void check_arrival(proto::Ip4Arrival arrival, const std::vector<StageCase>& cases) {
    check(Stage::Ip4Lookup, cases, [&](core::Burst& in) { run(in, arrival); });
  }
};

TEST_F(Ip4Lookup, Table) {
  check_arrival(
      {.interface = kLan},
      {
          {.name = "Reachable", .packet = to("10.1.2.3"), .next = "forward"},
          {.name = "Tunnel", .packet = to("10.2.2.3"), .next = "tunnel"},
          {.name = "Blackhole", .packet = to("10.3.0.1"), .dropped = DropReason::Ip4Blackhole},
          {.name = "Prohibited", .packet = to("10.4.0.1"), .next = "refused Ip4Prohibited 3/13"},
          {.name = "Glean", .packet = to("10.5.0.1"), .next = "held"},
          {.name = "Incomplete", .packet = to("10.6.0.1"), .next = "held"},
          {.name = "Failed", .packet = to("10.7.0.1"), .next = "refused NeighborFailed 3/1"},
          {.name = "Changing", .packet = to("10.8.0.1"), .next = "held"},
          {.name = "NoRoute", .packet = to("172.16.0.1"), .next = "refused Ip4NoRoute 3/0"},
          {.name = "Local", .packet = to("198.51.100.1"), .next = "local"},
          {.name = "SubnetBroadcast", .packet = to("198.51.100.255"), .next = "broadcast"},
          {.name = "BroadcastOfAnotherLink",
           .packet = to("10.9.0.1"),
           .dropped = DropReason::Ip4DirectedBroadcast},
          {.name = "LimitedBroadcast", .packet = to("255.255.255.255"), .next = "broadcast"},
          {.name = "Multicast", .packet = to("224.0.0.5"), .dropped = DropReason::Ip4Multicast},
          {.name = "Martian", .packet = to("127.0.0.1"), .dropped = DropReason::Ip4Martian},
      });
}

TEST_F(Ip4Lookup, LinkGroupTable) {  // RFC 1122 section 3.3.6
  const auto refused = DropReason::Ip4LinkBroadcast;
  check_arrival(
      {.interface = kLan, .link_group = true},
      {
          {.name = "Reachable", .packet = to("10.1.2.3"), .dropped = refused},
          {.name = "Tunnel", .packet = to("10.2.2.3"), .dropped = refused},
          {.name = "Prohibited", .packet = to("10.4.0.1"), .dropped = refused},
          {.name = "Glean", .packet = to("10.5.0.1"), .dropped = refused},
          {.name = "Failed", .packet = to("10.7.0.1"), .dropped = refused},
          {.name = "Changing", .packet = to("10.8.0.1"), .dropped = refused},
          {.name = "NoRoute", .packet = to("172.16.0.1"), .dropped = refused},
          {.name = "Local", .packet = to("198.51.100.1"), .dropped = refused},
          {.name = "Broadcast", .packet = to("198.51.100.255"), .next = "broadcast"},
          {.name = "Limited", .packet = to("255.255.255.255"), .next = "broadcast"},
          {.name = "Multicast", .packet = to("224.0.0.5"), .dropped = DropReason::Ip4Multicast},
      });
}

TEST_F(Ip4Lookup, NotForwardingTable) {
  config.sysctl.forwarding = false;
  const auto refused = DropReason::Ip4NotForwarding;
  check_arrival(
      {.interface = kLan},
      {
          {.name = "Reachable", .packet = to("10.1.2.3"), .dropped = refused},
          {.name = "Tunnel", .packet = to("10.2.2.3"), .dropped = refused},
          {.name = "Prohibited", .packet = to("10.4.0.1"), .dropped = refused},
          {.name = "Glean", .packet = to("10.5.0.1"), .dropped = refused},
          {.name = "NoRoute", .packet = to("172.16.0.1"), .dropped = refused},
          {.name = "Local", .packet = to("198.51.100.1"), .next = "local"},
          {.name = "Broadcast", .packet = to("198.51.100.255"), .next = "broadcast"},
          {.name = "Blackhole", .packet = to("10.3.0.1"), .dropped = DropReason::Ip4Blackhole},
      });
}

TEST_F(Ip4Lookup, OutOfATunnelTable) {  // no link, so no broadcast is its own
  check_arrival({}, {
                        {.name = "Reachable", .packet = to("10.1.2.3"), .next = "forward"},
                        {.name = "Local", .packet = to("198.51.100.1"), .next = "local"},
                        {.name = "SubnetBroadcast",
                         .packet = to("198.51.100.255"),
                         .dropped = DropReason::Ip4DirectedBroadcast},
                        {.name = "LimitedBroadcast",
                         .packet = to("255.255.255.255"),
                         .dropped = DropReason::Ip4DirectedBroadcast},
                    });
}

TEST_F(Ip4Lookup, HeldPacketsNameTheirNeighbor) {
  core::NotedBurst<std::uint32_t> in;
  for (const char* dst : {"10.5.0.9", "10.6.0.9", "10.8.0.9"}) in.push(pool.make(to(dst)), ip(dst));
  proto::Ip4LookupNext next;
  proto::ip4_lookup(worker, shard, config, {.interface = kLan}, in, next);
  std::vector<proto::HeldPacket> held;
  shard.hold.review([&](const proto::HeldPacket& p) {
    held.push_back(p);
    return false;
  });
  ASSERT_EQ(held.size(), 3u);
  EXPECT_EQ(held[0].gateway, ip("10.5.0.9")) << "on the link: the destination itself";
  EXPECT_EQ(held[0].interface, kWan);
  EXPECT_EQ(held[1].gateway, ip("203.0.113.6"));
  EXPECT_EQ(held[1].dst, ip("10.6.0.9"));
  EXPECT_EQ(held[2].interface, core::kNoInterface);
  for (const proto::HeldPacket& p : held) {
    EXPECT_FALSE(p.own);
    EXPECT_EQ(p.since_us, kNow_us);
  }
  const Outcome o = settle(Stage::Ip4Lookup, 3);
  ASSERT_EQ(o.events.size(), 2u) << "nobody is asked for while a next hop is being changed";
  EXPECT_EQ(o.events[0].address, ip("10.5.0.9"));
  EXPECT_EQ(o.events[1].address, ip("203.0.113.6"));
}

TEST_F(Ip4Lookup, SeventeenthForOneNeighborIsDropped) {
  core::Burst in;
  for (std::size_t i = 0; i < proto::NeighborHold::kPerNeighbor + 1; ++i)
    in.push(pool.make(to("10.6.0.9")));
  run(in, {.interface = kLan});
  const Outcome o = settle(Stage::Ip4Lookup, proto::NeighborHold::kPerNeighbor + 1);
  EXPECT_EQ(o.to.at("held").size(), proto::NeighborHold::kPerNeighbor);
  EXPECT_EQ(o.dropped, (Drops{{"NeighborHoldFull", 1}}));
}

TEST_F(Ip4Lookup, SplitsAFullBurst) {
  core::Burst in;
  const char* destinations[] = {"10.1.0.1", "198.51.100.1", "10.3.0.1", "172.16.0.1"};
  for (std::size_t i = 0; i < core::Burst::kCapacity; ++i)
    in.push(pool.make(to(destinations[i % 4])));
  run(in, {.interface = kLan});
  const Outcome o = settle(Stage::Ip4Lookup, core::Burst::kCapacity);
  EXPECT_EQ(o.to.at("forward").size(), 16u);
  EXPECT_EQ(o.to.at("local").size(), 16u);
  EXPECT_EQ(o.to.at("refused Ip4NoRoute 3/0").size(), 16u);
  EXPECT_EQ(o.dropped, (Drops{{"Ip4Blackhole", 16}}));
}
}  // namespace
