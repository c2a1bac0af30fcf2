// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_output.hh"

#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using core::Stage;
using namespace test;

class Ip6Output : public StageLab6 {
protected:
  void run(core::Burst& in, core::InterfaceId link = kLan) {
    proto::ScopedBurst own;
    for (rte_mbuf* m : in.take()) {
      const Packet p = bytes_of(m);
      IpAddress dst;
      std::copy_n(p.begin() + 24, 16, dst.bytes().begin());
      own.push(m, proto::scoped(dst, link));
    }
    proto::Ip6OutputNext next;
    proto::ip6_output(worker, shard, config6, 0, own, next);
    for (std::size_t i = 0; i < next.local.size(); ++i) links.push_back(next.local.notes()[i]);
    collect("ether", next.ether);
    collect("too_big", next.too_big);
    collect("local", next.local);
  }
  Packet sent(const Packet& p, core::InterfaceId link = kLan) {
    core::Burst in;
    in.push(pool.make(p));
    run(in, link);
    return settle(Stage::Ip6Output, 1).only("ether");
  }
  static Packet echo(const IpAddress& src, const char* dst) {
    return ip6_icmp({.src = src, .dst = addr6(dst)}, {}, pattern(9));
  }
  static constexpr IpAddress kNone{};
  std::vector<core::InterfaceId> links;
};

TEST_F(Ip6Output, Table) {
  const auto to = [](const char* dst) { return echo(kOurIp6, dst); };
  using D = DropReason;
  check(Stage::Ip6Output,
        {
            {.name = "Reachable", .packet = to("2001:db8:a1::1"), .next = "ether"},
            {.name = "LinkLocal", .packet = echo(addr6("fe80::1"), "fe80::2"), .next = "ether"},
            {.name = "Glean", .packet = to("2001:db8:a5::1"), .next = "held"},
            {.name = "GleanLinkLocal", .packet = echo(kNone, "fe80::77"), .next = "held"},
            {.name = "Incomplete", .packet = to("2001:db8:a6::1"), .next = "held"},
            {.name = "Changing", .packet = to("2001:db8:a8::1"), .next = "held"},
            {.name = "NoRoute", .packet = to("2001:db8:ff::1"), .dropped = D::Ip6NoRoute},
            {.name = "Tunnel", .packet = to("2001:db8:a2::1"), .dropped = D::Ip6NoRoute},
            {.name = "Blackhole", .packet = to("2001:db8:a3::1"), .dropped = D::Ip6Blackhole},
            {.name = "Prohibited", .packet = to("2001:db8:a4::1"), .dropped = D::Ip6Prohibited},
            {.name = "Failed", .packet = to("2001:db8:a7::1"), .dropped = D::NeighborFailed},
            {.name = "Ours", .packet = to("2001:db8:1::1"), .next = "local"},
            {.name = "Group", .packet = to("ff0e::1"), .dropped = D::Ip6Multicast},
            {.name = "Martian", .packet = to("::1"), .dropped = D::Ip6Martian},
            {.name = "LinkLocalSourceWouldLeave",  // RFC 4007 section 9
             .packet = echo(addr6("fe80::1"), "2001:db8:a1::1"),
             .dropped = D::Ip6BeyondScope},
            {.name = "AsLargeAsTheMtu",
             .packet = ip6({.dst = addr6("2001:db8:a1::1")}, pattern(1360)),
             .next = "ether"},
            {.name = "TooBig",
             .packet = ip6({.dst = addr6("2001:db8:a1::1")}, pattern(1361)),
             .next = "too_big"},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Ip6Output, HopLimitIsThatOfTheLink) {  // RFC 4861 section 6.3.2
  config6.sysctl.hop_limit = 77;
  config6.hop_limits = {33, 0};
  const auto hop_limit = [&](std::uint8_t asked, const char* dst) {
    return sent(ip6_icmp({.hop_limit = asked, .src = kOurIp6, .dst = addr6(dst)}, {}, {})).at(7);
  };
  EXPECT_EQ(hop_limit(0, "2001:db8:1::2"), 33);
  EXPECT_EQ(hop_limit(0, "2001:db8:a1::1"), 77) << "nobody has said one there";
  EXPECT_EQ(hop_limit(5, "2001:db8:1::2"), 5) << "chosen by who sends";
}

TEST_F(Ip6Output, OurselvesAreAskedFromTheSameAddress) {
  core::Burst in;
  in.push(pool.make(echo(kNone, "2001:db8:1::1")));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Output, 1).only("local"),
            echo(addr6("2001:db8:1::1"), "2001:db8:1::1"));
  EXPECT_EQ(links, std::vector{core::kNoInterface});
}

TEST_F(Ip6Output, LoopbackIsLo0s) {  // RFC 4291 section 2.5.3
  using D = DropReason;
  config6.loopback.ip6 = true;
  const Packet own = echo(kNone, "::1"), abroad = echo(addr6("::1"), "2001:db8:a1::1");
  const auto run_it = [&](core::Burst& in) { run(in); };
  check(Stage::Ip6Output,
        {{.name = "Loopback", .packet = own, .next = "local"},
         {.name = "SourceWouldLeave", .packet = abroad, .dropped = D::Ip6BadSource}},
        run_it);
  config6.loopback.on = false;
  check(Stage::Ip6Output,
        {{.name = "Lo0Down", .packet = own, .dropped = D::Ip6OwnDestination},
         {.name = "OursToo",
          .packet = echo(kNone, "2001:db8:1::1"),
          .dropped = D::Ip6OwnDestination}},
        run_it);
}

TEST_F(Ip6Output, SourceIsTheRoutes) {
  EXPECT_EQ(sent(echo(kNone, "2001:db8:a1::1")), echo(addr6("2001:db8:9::1"), "2001:db8:a1::1"));
  EXPECT_EQ(sent(echo(kNone, "fe80::2")), echo(addr6("fe80::1"), "fe80::2"));
  EXPECT_EQ(sent(echo(kPeerIp6, "2001:db8:a1::1")), echo(kPeerIp6, "2001:db8:a1::1"))
      << "a source that is there stays";
}

/// RFC 6724 section 5, rule 2: the source's scope is the destination's, on the wire unscoped.
TEST_F(Ip6Output, LinkLocalSourceIsNotTakenBeyondTheLink) {
  EXPECT_EQ(sent(echo(kNone, "2001:db8:a9::1")), echo(addr6("2001:db8:9::1"), "2001:db8:a9::1"));
  EXPECT_EQ(sent(echo(kNone, "fe80::2"), kWan), echo(addr6("fe80::1"), "fe80::2"));
  config6.addresses[kWan].pop_back();
  EXPECT_EQ(sent(echo(kNone, "2001:db8:a9::1")), echo(kOurIp6, "2001:db8:a9::1"))
      << "another interface's, where this one has none";
  config6.addresses[kLan].back().tentative = true;  // RFC 4862 section 5.4
  core::Burst in;
  in.push(pool.make(echo(kNone, "2001:db8:a9::1")));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Output, 1).dropped, (Drops{{"Ip6NoRoute", 1}}));
}

TEST_F(Ip6Output, ChecksumOfAChainFollowsTheSource) {
  const Packet message = ip6_icmp({.src = kNone, .dst = addr6("2001:db8:a1::1")}, {}, pattern(700));
  core::Burst in;
  in.push(pool.make_chained(message, 128));
  run(in);
  EXPECT_EQ(
      settle(Stage::Ip6Output, 1).only("ether"),
      ip6_icmp({.src = addr6("2001:db8:9::1"), .dst = addr6("2001:db8:a1::1")}, {}, pattern(700)));
}

TEST_F(Ip6Output, HeldPacketsAreOursAndScoped) {
  core::Burst in;
  in.push(pool.make(echo(kNone, "fe80::77")));
  run(in);
  shard.hold.review([&](const proto::HeldPacket& p) {
    EXPECT_TRUE(p.own);
    EXPECT_EQ(p.dst, addr6("fe80:1::77"));
    EXPECT_EQ(p.gateway, addr6("fe80:1::77"));
    EXPECT_EQ(p.interface, kLan);
    return false;
  });
  (void)settle(Stage::Ip6Output, 1);
}
}  // namespace
