// SPDX-License-Identifier: BSD-3-Clause
#include "core/mbuf.hh"
#include "proto/ether_input.hh"
#include "proto/ether_output.hh"
#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class EtherInput : public StageLab {
protected:
  void run(core::Burst& in) {
    proto::EtherInputNext next;
    proto::ether_input(worker, interfaces[kLan], in, next);
    collect("arp", next.arp);
    collect("ip4", next.ip4);
    collect("ip4_group", next.ip4_group);
    collect("ip6", next.ip6);
    collect("ip6_group", next.ip6_group);
    collect("vlan", next.vlan);
  }
};

TEST_F(EtherInput, Table) {
  const Packet body = pattern(46);
  const core::MacAddress multicast{0x01, 0x00, 0x5e, 0, 0, 1};
  const auto from = [&](const core::MacAddress& dst, std::uint16_t type) {
    return ether({.dst = dst, .type = type}, body);
  };
  check(Stage::EtherInput,
        {
            {.name = "Ip4ToUs", .packet = from(kOurMac, 0x0800), .next = "ip4"},
            {.name = "Ip4Broadcast",
             .packet = from(core::kBroadcastMac, 0x0800),
             .next = "ip4_group"},
            {.name = "Ip4Multicast", .packet = from(multicast, 0x0800), .next = "ip4_group"},
            {.name = "ArpToUs", .packet = from(kOurMac, 0x0806), .next = "arp"},
            {.name = "ArpBroadcast", .packet = from(core::kBroadcastMac, 0x0806), .next = "arp"},
            {.name = "ToAnother",
             .packet = from(mac(66), 0x0800),
             .dropped = DropReason::EtherNotForUs},
            {.name = "ToTheOtherInterface",
             .packet = from(kWanMac, 0x0800),
             .dropped = DropReason::EtherNotForUs},
            {.name = "Ip6ToUs", .packet = from(kOurMac, 0x86dd), .next = "ip6"},
            {.name = "Ip6Multicast",  // RFC 2464 section 7
             .packet = from({0x33, 0x33, 0, 0, 0, 1}, 0x86dd),
             .next = "ip6_group"},
            {.name = "UnknownType",
             .packet = from(kOurMac, 0x88b5),
             .dropped = DropReason::EtherUnknownType},
            {.name = "Vlan", .packet = from(kOurMac, 0x8100), .next = "vlan"},
            {.name = "ServiceVlan", .packet = from(core::kBroadcastMac, 0x88a8), .next = "vlan"},
            {.name = "Ieee8023Length",
             .packet = from(kOurMac, 46),
             .dropped = DropReason::EtherUnknownType},
            {.name = "HeaderOnly", .packet = ether({}, {}), .next = "ip4"},
            {.name = "OneByteShort",
             .packet = Packet(13, 0xff),
             .dropped = DropReason::EtherTruncated},
            {.name = "OneByte", .packet = Packet(1, 0xff), .dropped = DropReason::EtherTruncated},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(EtherInput, StripsTheHeaderAndCountsTheInterface) {
  core::Burst in;
  in.push(pool.make(ether({}, pattern(50))));
  run(in);
  EXPECT_EQ(settle(Stage::EtherInput, 1).only("ip4"), pattern(50));
  EXPECT_EQ(worker.interface[kLan].rx.packets.read(), 1u);
  EXPECT_EQ(worker.interface[kLan].rx.bytes.read(), 64u);
  EXPECT_EQ(worker.interface[kWan].rx.packets.read(), 0u);
}

TEST_F(EtherInput, RefusesChainsWhoseHeadersAreCut) {
  core::Burst in;
  in.push(pool.make_chained(ether({}, pattern(100)), 60));
  in.push(pool.make_chained(ether({}, pattern(500)), core::kHeaderRoom - 1));
  run(in);
  const Outcome o = settle(Stage::EtherInput, 2);
  EXPECT_EQ(o.dropped, (Drops{{"RxChained", 2}}));
  EXPECT_EQ(worker.interface[kLan].rx.bytes.read(), 628u) << "all of their bytes were received";
}

TEST_F(EtherInput, TakesChainsWithTheHeadersInFront) {
  core::Burst in;
  in.push(pool.make_chained(ether({}, pattern(500)), core::kHeaderRoom));
  run(in);
  EXPECT_EQ(settle(Stage::EtherInput, 1).only("ip4"), pattern(500));
}

TEST_F(EtherInput, SplitsAMixedBurst) {
  core::Burst in;
  in.push(pool.make(ether({}, pattern(46))));
  in.push(pool.make(ether({.type = 0x0806}, pattern(46))));
  in.push(pool.make(Packet(5)));
  in.push(pool.make(ether({.dst = core::kBroadcastMac}, pattern(46))));
  run(in);
  const Outcome o = settle(Stage::EtherInput, 4);
  EXPECT_EQ(o.to.size(), 3u);
  EXPECT_EQ(o.dropped, (Drops{{"EtherTruncated", 1}}));
}

class EtherOutput : public StageLab {
protected:
  void run(core::Burst& in, std::uint32_t dst) {
    proto::RoutedBurst routed;
    for (rte_mbuf* m : in.take()) routed.push(m, &hop_to(dst));
    proto::ether_output(worker, shard, interfaces, next_hops, routed);
    EXPECT_TRUE(routed.empty());
  }
};

TEST_F(EtherOutput, WritesTheNextHopsHeaderAndCounts) {
  const std::uint32_t dst = ip("10.1.2.3");
  core::Burst in;
  in.push(pool.make(pattern(50)));
  run(in, dst);
  EXPECT_EQ(settle(Stage::EtherOutput, 1).only("sent"),
            ether({.dst = kNextMac, .src = kWanMac}, pattern(50)));
  EXPECT_EQ(worker.interface[kWan].tx.packets.read(), 1u);
  EXPECT_EQ(worker.interface[kWan].tx.bytes.read(), 64u);
  EXPECT_EQ(shard.next_hop[fib->lookup(dst)].packets.read(), 1u);
  EXPECT_EQ(shard.next_hop[fib->lookup(dst)].bytes.read(), 50u) << "bytes of IP packet";
  EXPECT_EQ(shard.next_hop[fib->lookup(ip("192.0.2.1"))].packets.read(), 0u);
}

TEST_F(EtherOutput, DropsWhatTheInterfaceDoesNotTake) {
  const auto send = [&](core::Burst& in) { run(in, ip("10.1.2.3")); };
  interfaces[kWan].up = false;
  check(Stage::EtherOutput,
        {{.name = "Down", .packet = pattern(50), .dropped = DropReason::InterfaceGone}}, send);
  interfaces[kWan] = {};
  check(Stage::EtherOutput,
        {{.name = "Gone", .packet = pattern(50), .dropped = DropReason::InterfaceGone}}, send);
  interfaces[kWan] = wan.make_interface(kWan, "wan0", kWanMac, 1400);
  wan.set_tx_limit(0);
  check(Stage::EtherOutput,
        {{.name = "Full", .packet = pattern(50), .dropped = DropReason::TxQueueFull}}, send);
  EXPECT_EQ(worker.interface[kWan].tx.packets.read(), 0u);
}
}  // namespace
