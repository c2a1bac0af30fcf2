// SPDX-License-Identifier: BSD-3-Clause
// Addresses that share subnets or broadcast addresses: what one leaves behind when it goes.
#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;
using proto::NextHopKind;

class Addresses : public testing::Test {
protected:
  Addresses() { r.configure(); }
  [[nodiscard]] NextHopKind kind(const char* dst) const {
    return r.manager.get_route(ip(dst)).kind;
  }
  void add(const char* interface, const char* a, std::uint8_t length) {
    must(r.manager.add_address(interface, {ip(a), length}));
  }
  void remove(const char* interface, const char* a, std::uint8_t length) {
    must(r.manager.delete_address(interface, {ip(a), length}));
  }
  Router r;
};

TEST_F(Addresses, MakeALocalAConnectedAndABroadcastRoute) {
  add("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("10.7.0.1"), NextHopKind::Local);
  EXPECT_EQ(kind("10.7.0.2"), NextHopKind::Glean);
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::Broadcast);
  EXPECT_EQ(r.manager.get_route(ip("10.7.0.2")).source, ip("10.7.0.1"));
  remove("lan0", "10.7.0.1", 24);
  for (const char* dst : {"10.7.0.1", "10.7.0.2", "10.7.0.255"})
    EXPECT_EQ(kind(dst), NextHopKind::NoRoute) << dst;
}

TEST_F(Addresses, PointToPointSubnetsHaveNoBroadcast) {  // RFC 3021
  add("lan0", "10.7.0.0", 31);
  EXPECT_EQ(kind("10.7.0.0"), NextHopKind::Local);
  EXPECT_EQ(kind("10.7.0.1"), NextHopKind::Glean);
  add("lan0", "10.8.0.1", 32);
  EXPECT_EQ(kind("10.8.0.1"), NextHopKind::Local);
  EXPECT_EQ(kind("10.8.0.2"), NextHopKind::NoRoute);
}

TEST_F(Addresses, SecondOfASubnetInheritsIt) {
  add("lan0", "10.7.0.1", 24);
  add("lan0", "10.7.0.9", 24);
  remove("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("10.7.0.9"), NextHopKind::Local);
  EXPECT_EQ(kind("10.7.0.1"), NextHopKind::Glean) << "a host now, for all we know";
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::Broadcast);
  EXPECT_EQ(r.manager.get_route(ip("10.7.0.2")).source, ip("10.7.0.9"));
  remove("lan0", "10.7.0.9", 24);
  EXPECT_EQ(kind("10.7.0.2"), NextHopKind::NoRoute);
}

TEST_F(Addresses, SubnetOnTwoLinksStaysWithTheOther) {
  add("lan0", "10.7.0.1", 24);
  add("wan0", "10.7.0.9", 24);
  EXPECT_EQ(r.manager.get_route(ip("10.7.0.2")).interface, "lan0") << "the first one has it";
  remove("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("10.7.0.2"), NextHopKind::Glean);
  EXPECT_EQ(r.manager.get_route(ip("10.7.0.2")).interface, "wan0");
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::Broadcast);
  EXPECT_EQ(r.manager.get_route(ip("10.7.0.255")).interface, "wan0");
  add("lan0", "10.7.0.1", 24);
  remove("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("10.7.0.2"), NextHopKind::Glean);
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::Broadcast) << "it was never lan0's";
}

TEST_F(Addresses, BroadcastOfTwoSubnetsStaysWithTheOther) {
  add("lan0", "10.7.0.1", 24);
  add("lan0", "10.7.0.129", 25);
  remove("lan0", "10.7.0.129", 25);
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::Broadcast);
  remove("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("10.7.0.255"), NextHopKind::NoRoute);
}

TEST_F(Addresses, DestroyedInterfaceLeavesTheOthersTheirSubnet) {
  MemoryPort port{r.pool};
  polluxd::InterfaceSpec spec;
  spec.name = "new0";
  spec.addresses = {{ip("10.1.0.9"), 24}};
  must(r.attach(port, spec, mac(0x30)));
  must(r.manager.destroy_interface("new0"));
  EXPECT_EQ(kind("10.1.0.2"), NextHopKind::Glean);
  EXPECT_EQ(kind("10.1.0.255"), NextHopKind::Broadcast);
}

TEST_F(Addresses, TakeTheirRoutesAndNeighborsAlong) {
  add("lan0", "10.7.0.1", 24);
  must(r.manager.add_route({{ip("172.16.0.0"), 12}, Kind::Unicast, ip("10.7.0.254"), ""}));
  must(r.manager.add_route({{ip("172.32.0.0"), 16}, Kind::Unicast, ip("10.1.0.254"), ""}));
  must(r.manager.add_neighbor({"lan0", ip("10.7.0.9"), mac(9)}));
  remove("lan0", "10.7.0.1", 24);
  EXPECT_EQ(kind("172.16.0.1"), NextHopKind::NoRoute);
  EXPECT_NE(kind("172.32.0.1"), NextHopKind::NoRoute) << "its gateway is on another subnet";
  EXPECT_EQ(r.neighbor(ip("10.7.0.9")), std::nullopt);
  EXPECT_EQ(r.neighbor(ip("10.7.0.254")), std::nullopt);
}

TEST_F(Addresses, StaticHostRouteBeatsTheNeighborsOwn) {
  must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
  must(r.manager.add_route({{Router::kHostIp, 32}, Kind::Blackhole, {}, ""}));
  EXPECT_EQ(r.manager.get_route(Router::kHostIp).kind, NextHopKind::Blackhole);
  must(r.manager.delete_route({Router::kHostIp, 32}));
  EXPECT_EQ(r.manager.get_route(Router::kHostIp).kind, NextHopKind::Reachable);
}

TEST_F(Addresses, MtuOfTheLinkReachesItsNeighbors) {
  r.know_neighbors();
  must(r.manager.set_mtu("wan0", 576));
  r.receive(r.lan, from_host(ip4_udp(
                       {.dont_fragment = true, .src = Router::kHostIp, .dst = Router::kGatewayIp},
                       {}, pattern(549))));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4TooBig", 1}}));
}
}  // namespace
