// SPDX-License-Identifier: BSD-3-Clause
// Routes with several next hops, and routes whose gateway is found through another route.
#include "tests/stage/router.hh"

namespace {
using namespace test;
using polluxd::RouteNextHop;
using polluxd::RouteSpec;

constexpr std::uint16_t kFlows = 256;
constexpr std::uint32_t kSecondIp = 0xc00002fd;  // 192.0.2.253, another gateway on wan0
constexpr core::MacAddress kSecondMac = mac(0xfd), kAltMac = mac(0x30), kThirdMac = mac(0xfc);

/// A third link, alt0 198.51.100.1/24 with the gateway .254, beside the two of the drawing.
class Multipath : public testing::Test {
protected:
  Multipath() {
    r.configure();
    r.know_neighbors();
    must(r.manager.add_neighbor({"wan0", kSecondIp, kSecondMac}));
    polluxd::InterfaceSpec spec;
    spec.name = "alt0";
    spec.addresses = {{ip("198.51.100.1"), 24}};
    must(r.attach(alt, spec, kAltMac));
    must(r.manager.add_neighbor({"alt0", ip("198.51.100.254"), kThirdMac}));
    r.run_for(3);
    (void)alt.take_sent();
  }
  ~Multipath() override { r.expect_conservation(); }

  static RouteNextHop via(const char* gateway, std::uint32_t weight = 1) {
    return {ip(gateway), "", weight};
  }
  static RouteSpec route(std::vector<RouteNextHop> hops) {
    RouteSpec spec;
    spec.prefix = {ip("172.16.0.0"), 12};
    spec.next_hops = std::move(hops);
    return spec;
  }
  /// A packet of each flow; whose MAC it went to, by source port.
  std::map<std::uint16_t, core::MacAddress> send() {
    std::vector<Packet> frames;
    for (std::uint16_t port = 1; port <= kFlows; ++port)
      frames.push_back(from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("172.16.5.9")},
                                         {.src_port = port}, pattern(8))));
    r.receive(r.lan, std::move(frames));
    std::map<std::uint16_t, core::MacAddress> ways;
    for (MemoryPort* port : {&r.wan, &alt})
      for (const Packet& f : port->take_sent()) {
        core::MacAddress dst{};
        std::copy_n(f.begin(), dst.size(), dst.begin());
        ways[static_cast<std::uint16_t>(f[34] << 8 | f[35])] = dst;
      }
    return ways;
  }
  static std::size_t share(const std::map<std::uint16_t, core::MacAddress>& ways,
                           const core::MacAddress& mac) {
    return static_cast<std::size_t>(
        std::ranges::count_if(ways, [&](const auto& way) { return way.second == mac; }));
  }

  Router r;
  MemoryPort alt{r.pool};
};

TEST_F(Multipath, FlowsAreSharedByWeightAndKeepTheirWay) {
  must(r.manager.add_route(route({via("192.0.2.254", 1), via("198.51.100.254", 3)})));
  const auto ways = send();
  ASSERT_EQ(ways.size(), kFlows);
  EXPECT_EQ(share(ways, Router::kGatewayMac) + share(ways, kThirdMac), kFlows);
  EXPECT_NEAR(static_cast<double>(share(ways, kThirdMac)), kFlows * 0.75, kFlows * 0.12);
  EXPECT_EQ(send(), ways) << "a flow changed its way";
}

TEST_F(Multipath, TheFlowsOfALinkThatGoesDownMoveAndComeBack) {
  must(r.manager.add_route(route({via("192.0.2.254"), via("192.0.2.253"), via("198.51.100.254")})));
  const auto before = send();
  must(r.manager.set_up("alt0", false));
  r.iterate();
  const auto during = send();
  ASSERT_EQ(during.size(), kFlows) << "flows were lost";
  for (const auto& [flow, way] : during) {
    EXPECT_NE(way, kThirdMac);
    if (before.at(flow) != kThirdMac) { EXPECT_EQ(way, before.at(flow)); }
  }
  must(r.manager.set_up("alt0", true));
  r.run_for(3);
  (void)alt.take_sent();
  EXPECT_GT(share(send(), kThirdMac), kFlows / 5);
}

TEST_F(Multipath, ANeighbourThatFailsCarriesNothing) {
  must(r.manager.delete_neighbor("wan0", kSecondIp));
  must(r.manager.add_route(route({via("192.0.2.254"), via("192.0.2.253")})));
  (void)send();  // asks for the second
  r.run_for(5);  // it never answers
  (void)r.wan.take_sent();
  const auto ways = send();
  EXPECT_EQ(share(ways, Router::kGatewayMac), kFlows);
}

TEST_F(Multipath, AnInterfaceThatIsDestroyedLeavesTheRouteToTheOthers) {
  must(r.manager.add_route(route({via("192.0.2.254"), via("198.51.100.254")})));
  must(r.manager.destroy_interface("alt0"));
  EXPECT_EQ(share(send(), Router::kGatewayMac), kFlows);
  const auto routes = r.manager.routes();
  const auto at = std::ranges::find(routes, proto::IpPrefix{ip("172.16.0.0"), 12},
                                    [](const auto& l) { return l.prefix; });
  ASSERT_NE(at, routes.end());
  ASSERT_EQ(at->next_hops.size(), 2u);
  EXPECT_TRUE(at->next_hops[0].alive);
  EXPECT_DOUBLE_EQ(at->next_hops[0].share, 1);
  EXPECT_FALSE(at->next_hops[1].alive);
}

TEST_F(Multipath, WithoutALivingMemberThereIsNoRoute) {
  must(r.manager.add_route(route({via("192.0.2.254"), via("192.0.2.253")})));
  must(r.manager.set_up("wan0", false));
  r.iterate();
  r.receive(r.lan, from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("172.16.5.9")}, {}, {})));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NoRoute", 1}}));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "the source is told";
  must(r.manager.delete_route({ip("172.16.0.0"), 12}));
}

TEST_F(Multipath, ARecursiveRouteFollowsTheRouteToItsGateway) {
  RouteSpec far;
  far.prefix = {ip("172.16.0.0"), 12};
  far.gateway = ip("10.99.0.1");
  EXPECT_EQ(refusal(r.manager.add_route(far)), core::Errc::Invalid) << "it is on no subnet of ours";
  far.recursive = true;
  must(r.manager.add_route(far));
  EXPECT_EQ(send().size(), 0u);
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NoRoute", kFlows}}));
  (void)r.lan.take_sent();

  RouteSpec way;
  way.prefix = {ip("10.99.0.0"), 24};
  way.gateway = Router::kGatewayIp;
  must(r.manager.add_route(way));
  r.iterate();
  EXPECT_EQ(share(send(), Router::kGatewayMac), kFlows);

  RouteSpec better = way;  // more specific, over the other link
  better.prefix = {ip("10.99.0.0"), 30};
  better.gateway = ip("198.51.100.254");
  must(r.manager.add_route(better));
  r.iterate();
  EXPECT_EQ(share(send(), kThirdMac), kFlows);

  must(r.manager.delete_route(better.prefix));
  must(r.manager.delete_route(way.prefix));
  r.iterate();
  EXPECT_EQ(send().size(), 0u);
}

TEST_F(Multipath, ARecursiveRouteThroughASharedOneIsShared) {
  RouteSpec shared = route({via("192.0.2.254"), via("198.51.100.254")});
  shared.prefix = {ip("10.99.0.0"), 24};
  must(r.manager.add_route(shared));
  RouteSpec far;
  far.prefix = {ip("172.16.0.0"), 12};
  far.gateway = ip("10.99.0.1");
  far.recursive = true;
  must(r.manager.add_route(far));
  const auto ways = send();
  EXPECT_GT(share(ways, Router::kGatewayMac), kFlows / 3);
  EXPECT_GT(share(ways, kThirdMac), kFlows / 3);
}

TEST_F(Multipath, RoutesThroughEachOtherLeadNowhereAndDoNoHarm) {
  RouteSpec a, b;
  a.prefix = {ip("10.98.0.0"), 24};
  a.gateway = ip("10.99.0.1");
  b.prefix = {ip("10.99.0.0"), 24};
  b.gateway = ip("10.98.0.1");
  a.recursive = b.recursive = true;
  must(r.manager.add_route(a));
  must(r.manager.add_route(b));
  r.run_for(1);
  r.receive(r.lan, from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("10.98.0.7")}, {}, {})));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NoRoute", 1}}));
  (void)r.lan.take_sent();
}

TEST_F(Multipath, RoutesWithTheSameNextHopsShareAGroup) {
  const auto used = [&] {
    for (const auto& u : r.manager.usage())
      if (u.table == "next_hop_groups") return u.used;
    return std::uint64_t{99};
  };
  RouteSpec one = route({via("192.0.2.254"), via("198.51.100.254")}), two = one;
  two.prefix = {ip("10.50.0.0"), 16};
  must(r.manager.add_route(one));
  must(r.manager.add_route(two));
  EXPECT_EQ(used(), 1u);
  must(r.manager.delete_route(one.prefix));
  EXPECT_EQ(used(), 1u);
  must(r.manager.delete_route(two.prefix));
  EXPECT_EQ(used(), 0u);
}

TEST_F(Multipath, RefusesWhatCannotBe) {
  EXPECT_EQ(refusal(r.manager.add_route(route({{}}))), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.add_route(route({via("192.0.2.254", 0)}))), core::Errc::Invalid);
  RouteSpec both = route({via("192.0.2.254")});
  both.gateway = Router::kGatewayIp;
  EXPECT_EQ(refusal(r.manager.add_route(both)), core::Errc::Invalid);
  RouteSpec mixed = route({{*proto::parse_ip6("2001:db8::1"), "", 1}});
  EXPECT_EQ(refusal(r.manager.add_route(mixed)), core::Errc::Invalid);
}
}  // namespace
