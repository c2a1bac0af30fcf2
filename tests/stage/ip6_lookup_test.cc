// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_lookup.hh"

#include "proto/ip6_forward.hh"
#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using core::Stage;
using namespace test;

class Ip6Lookup : public StageLab6 {
protected:
  void run(core::Burst& in, proto::Ip6Arrival arrival) {
    proto::ScopedBurst checked;
    for (rte_mbuf* m : in.take()) checked.push(m, destination(m, arrival.interface));
    proto::Ip6LookupNext next;
    proto::ip6_lookup(worker, shard, config6, arrival, checked, next);
    EXPECT_TRUE(checked.empty());
    for (std::size_t i = 0; i < next.forward.size(); ++i)
      EXPECT_EQ(next.forward.notes()[i],
                &hop_to6(destination(next.forward.packets()[i], arrival.interface)));
    collect("forward", next.forward);
    collect("local", next.local);
    collect(next.refused);
  }
  static IpAddress destination(const rte_mbuf* m, core::InterfaceId link) {
    const Packet p = bytes_of(m);
    IpAddress a;
    std::copy_n(p.begin() + 24, 16, a.bytes().begin());
    return proto::scoped(a, link);
  }
  static Packet to(const char* dst) { return ip6({.dst = addr6(dst)}, pattern(20)); }
  static Packet from(const char* src, const char* dst) {
    return ip6({.src = addr6(src), .dst = addr6(dst)}, pattern(20));
  }
  void check_arrival(proto::Ip6Arrival arrival, const std::vector<StageCase>& cases) {
    check(Stage::Ip6Lookup, cases, [&](core::Burst& in) { run(in, arrival); });
  }
  using D = DropReason;
};

TEST_F(Ip6Lookup, Table) {
  check_arrival(
      {.interface = kLan},
      {
          {.name = "Reachable", .packet = to("2001:db8:a1::3"), .next = "forward"},
          {.name = "Blackhole", .packet = to("2001:db8:a3::1"), .dropped = D::Ip6Blackhole},
          // RFC 4443 section 3.1.
          {.name = "Prohibited",
           .packet = to("2001:db8:a4::1"),
           .next = "refused Ip6Prohibited 1/1"},
          {.name = "Failed", .packet = to("2001:db8:a7::1"), .next = "refused NeighborFailed 1/3"},
          {.name = "NoRoute", .packet = to("2001:db8:ff::1"), .next = "refused Ip6NoRoute 1/0"},
          {.name = "TunnelsCarryIp4Only",
           .packet = to("2001:db8:a2::1"),
           .next = "refused Ip6NoRoute 1/0"},
          {.name = "Glean", .packet = to("2001:db8:a5::1"), .next = "held"},
          {.name = "Incomplete", .packet = to("2001:db8:a6::1"), .next = "held"},
          {.name = "Changing", .packet = to("2001:db8:a8::1"), .next = "held"},
          {.name = "Local", .packet = to("2001:db8:1::1"), .next = "local"},
          {.name = "LocalLinkLocal", .packet = from("fe80::2", "fe80::1"), .next = "local"},
          {.name = "GroupOfOurs", .packet = to("ff02::1"), .next = "local"},
          {.name = "OtherGroup", .packet = to("ff02::99"), .dropped = D::Ip6Multicast},
          {.name = "WiderGroup", .packet = to("ff0e::99"), .dropped = D::Ip6Multicast},
          {.name = "Martian", .packet = to("::1"), .dropped = D::Ip6Martian},
      });
}

TEST_F(Ip6Lookup, ScopeTable) {  // RFC 4291 sections 2.5.2 and 2.5.6, RFC 4007 section 9
  check_arrival({.interface = kLan}, {
                                         {.name = "LinkLocalSource",
                                          .packet = from("fe80::2", "2001:db8:a1::3"),
                                          .next = "refused Ip6BeyondScope 1/2"},
                                         {.name = "LinkLocalSourceWouldWait",
                                          .packet = from("fe80::2", "2001:db8:a5::3"),
                                          .next = "refused Ip6BeyondScope 1/2"},
                                         {.name = "LinkLocalDestinationKnown",
                                          .packet = to("fe80::2"),
                                          .dropped = D::Ip6BeyondScope},
                                         {.name = "LinkLocalDestinationUnknown",
                                          .packet = from("fe80::3", "fe80::4"),
                                          .dropped = D::Ip6BeyondScope},
                                         {.name = "LinkLocalOutsideTheSubnet",
                                          .packet = to("fe81::4"),
                                          .dropped = D::Ip6BeyondScope},
                                         {.name = "UnspecifiedSource",
                                          .packet = from("::", "2001:db8:a1::3"),
                                          .dropped = D::Ip6BadSource},
                                         {.name = "UnspecifiedSourceForUs",
                                          .packet = from("::", "2001:db8:1::1"),
                                          .next = "local"},
                                         {.name = "TranslatedSource",
                                          .packet = from("64:ff9b::192.0.2.1", "2001:db8:a1::3"),
                                          .next = "forward"},
                                         {.name = "SourceBesideLinkLocal",
                                          .packet = from("fec0::1", "2001:db8:a1::3"),
                                          .next = "forward"},
                                     });
}

/// The same addresses mean others on the other link.
TEST_F(Ip6Lookup, OtherLinkTable) {
  check_arrival({.interface = kWan}, {
                                         {.name = "NoAddressOfThisLink",
                                          .packet = from("fe80::2", "fe80::1"),
                                          .dropped = D::Ip6BeyondScope},
                                         {.name = "NoGroupOfThisLink",
                                          .packet = from("fe80::2", "ff02::1"),
                                          .dropped = D::Ip6Multicast},
                                     });
}

TEST_F(Ip6Lookup, LinkGroupTable) {
  check_arrival(
      {.interface = kLan, .link_group = true},
      {
          {.name = "Reachable", .packet = to("2001:db8:a1::3"), .dropped = D::Ip6LinkGroup},
          {.name = "Glean", .packet = to("2001:db8:a5::3"), .dropped = D::Ip6LinkGroup},
          {.name = "NoRoute", .packet = to("2001:db8:ff::3"), .dropped = D::Ip6LinkGroup},
          {.name = "Local", .packet = to("2001:db8:1::1"), .dropped = D::Ip6LinkGroup},
          {.name = "Group", .packet = to("ff02::1"), .next = "local"},
          {.name = "OtherGroup", .packet = to("ff02::99"), .dropped = D::Ip6Multicast},
      });
}

TEST_F(Ip6Lookup, NotForwardingTable) {
  config6.sysctl.forwarding = false;
  check_arrival(
      {.interface = kLan},
      {
          {.name = "Reachable", .packet = to("2001:db8:a1::3"), .dropped = D::Ip6NotForwarding},
          {.name = "Glean", .packet = to("2001:db8:a5::3"), .dropped = D::Ip6NotForwarding},
          {.name = "NoRoute", .packet = to("2001:db8:ff::3"), .dropped = D::Ip6NotForwarding},
          {.name = "Local", .packet = to("2001:db8:1::1"), .next = "local"},
          {.name = "Group", .packet = to("ff02::1"), .next = "local"},
      });
}

TEST_F(Ip6Lookup, HeldPacketsNameTheirNeighbor) {
  core::Burst in;
  for (const char* dst : {"2001:db8:a5::9", "2001:db8:a6::9", "2001:db8:a8::9"})
    in.push(pool.make(to(dst)));
  run(in, {.interface = kLan});
  std::vector<proto::HeldPacket> held;
  shard.hold.review([&](const proto::HeldPacket& p) {
    held.push_back(p);
    return false;
  });
  ASSERT_EQ(held.size(), 3u);
  EXPECT_EQ(held[0].gateway, addr6("2001:db8:a5::9")) << "on the link: the destination itself";
  EXPECT_EQ(held[0].interface, kWan);
  EXPECT_EQ(held[1].gateway, addr6("2001:db8:9::6"));
  EXPECT_EQ(held[1].dst, addr6("2001:db8:a6::9"));
  EXPECT_EQ(held[2].interface, core::kNoInterface);
  const Outcome o = settle(Stage::Ip6Lookup, 3);
  ASSERT_EQ(o.events.size(), 2u);
  EXPECT_EQ(o.events[0].kind, core::EventKind::NeighborWanted);
  EXPECT_EQ(o.events[0].address, addr6("2001:db8:a5::9"));
}

class Ip6Forward : public StageLab6 {
protected:
  void run(core::Burst& in) {
    proto::RoutedBurst routed, out;
    core::NotedBurst<proto::Ip6Cause> refused;
    for (rte_mbuf* m : in.take()) routed.push(m, &hop_to6(addr6("2001:db8:a1::1")));
    proto::ip6_forward(worker, routed, out, refused);
    collect("out", out);
    collect(refused);
  }
};

TEST_F(Ip6Forward, Table) {
  const auto of = [](std::size_t length, std::uint8_t hop_limit) {
    return ip6({.hop_limit = hop_limit}, pattern(length - 40));
  };
  check(Stage::Ip6Forward,
        {
            // RFC 8200 section 3, RFC 4443 section 3.3.
            {.name = "HopLimit0", .packet = of(60, 0), .next = "refused Ip6HopLimitExpired 3/0"},
            {.name = "HopLimit1", .packet = of(60, 1), .next = "refused Ip6HopLimitExpired 3/0"},
            {.name = "HopLimit2", .packet = of(60, 2), .next = "out"},
            // RFC 8200 section 4.5, RFC 4443 section 3.2.
            {.name = "AsLargeAsTheMtu", .packet = of(1400, 64), .next = "out"},
            {.name = "TooBig", .packet = of(1401, 64), .next = "refused Ip6TooBig 2/0, 1400"},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Ip6Forward, TakesOneHopAndNothingElse) {
  core::Burst in;
  in.push(pool.make(ip6({.traffic_class = 3, .flow_label = 9, .hop_limit = 17}, pattern(9))));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Forward, 1).only("out"),
            ip6({.traffic_class = 3, .flow_label = 9, .hop_limit = 16}, pattern(9)));
}
}  // namespace
