// SPDX-License-Identifier: BSD-3-Clause
// VRFs and the check of sources (RFC 3704) through the whole pipeline.
#include <algorithm>
#include <array>

#include "tests/stage/router.hh"
#include "tests/support/packet6.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;
using Urpf = core::Interface::Urpf;
constexpr std::uint32_t kFar = 0xac100509;  // 172.16.5.9, behind the gateway

Packet udp(std::uint32_t src, std::uint32_t dst) {
  return ip4_udp({.src = src, .dst = dst}, {}, pattern(20));
}
polluxd::RouteSpec route(const char* prefix, std::optional<core::IpAddress> via,
                         const char* interface = "", const char* vrf = "") {
  polluxd::RouteSpec spec;
  spec.prefix = proto::parse_ip_prefix(prefix).value();
  spec.gateway = via;
  spec.interface = interface;
  spec.vrf = vrf;
  return spec;
}

class Vrf : public testing::Test {
protected:
  Vrf() {
    r.configure();
    must(r.manager.add_vrf({"red", 0}));
  }
  ~Vrf() override { r.expect_conservation(); }
  /// What of a VRF's table is in use.
  [[nodiscard]] std::uint32_t routes_of(std::size_t n) const { return r.manager.vrfs()[n].routes; }
  Router r;
};

TEST_F(Vrf, IsolatesWhatIsInIt) {
  must(r.manager.set_vrf("lan0", "red"));
  r.know_neighbors();
  r.receive(r.lan, from_host(udp(Router::kHostIp, Router::kGatewayIp)));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NoRoute", 1}}));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "its source is told, by the routes of its VRF";
  EXPECT_EQ(r.wan.sent(), 0u);
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "the echo reply as well";
}

TEST_F(Vrf, LeaksByARouteWithAGateway) {
  must(r.manager.set_vrf("lan0", "red"));
  r.know_neighbors();
  must(r.manager.add_route(route("172.16.0.0/12", Router::kGatewayIp, "wan0", "red")));
  must(r.manager.add_route(route("10.1.0.0/24", Router::kHostIp, "lan0")));
  r.receive(r.lan, from_host(udp(Router::kHostIp, kFar)));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
  r.receive(r.wan, from_gateway(udp(kFar, Router::kHostIp)));
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Vrf, LeaksASubnetWithItsNeighbours) {
  must(r.manager.set_vrf("lan0", "red"));
  must(r.manager.add_route(route("10.1.0.0/24", {}, "lan0")));
  must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, Router::kGatewayMac}));
  const auto in = [&] { r.receive(r.wan, from_gateway(udp(Router::kGatewayIp, Router::kHostIp))); };
  in();
  EXPECT_EQ(r.held(), 1u) << "the neighbour is asked for";
  must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
  (void)r.lan.take_sent();
  r.iterate();
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
  in();
  EXPECT_EQ(r.held(), 0u) << "known by now";
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
  EXPECT_EQ(r.drops(), Drops{});
}

/// The answer comes in by the VRF of the link that the route leads to.
TEST_F(Vrf, APingAcrossALeakedRouteHasItsAnswer) {
  must(r.manager.set_vrf("lan0", "red"));
  must(r.manager.add_route(route("192.0.2.0/24", {}, "wan0", "red")));
  must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, Router::kGatewayMac}));
  std::optional<polluxd::PingReply> got;
  polluxd::PingSpec spec{.destination = Router::kGatewayIp};
  spec.vrf = 1;
  must(r.manager.ping(spec, [&](const auto& answer) {
    if (answer) got = *answer;
  }));
  r.iterate();
  Packets asked = r.wan.take_sent();
  ASSERT_EQ(asked.size(), 1u);
  Packet& p = asked[0];  // becomes the reply
  for (const auto [from, to, n] : {std::array{0, 6, 6}, std::array{26, 30, 4}})
    std::swap_ranges(p.begin() + from, p.begin() + from + n, p.begin() + to);
  ASSERT_EQ(p.at(34), 8);
  p[34] = 0;
  const unsigned sum = (unsigned{p[36]} << 8 | p[37]) + 0x0800;
  p[36] = static_cast<std::uint8_t>((sum + (sum >> 16)) >> 8);
  p[37] = static_cast<std::uint8_t>(sum + (sum >> 16));
  r.receive(r.wan, p);
  r.iterate();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->kind, polluxd::PingReply::Kind::Reply);
  EXPECT_EQ(got->from, Router::kGatewayIp);
  EXPECT_TRUE(got->intact);
  r.run_for(12);
}

TEST_F(Vrf, ANeighbourIsAskedForByTheRoutesOfThePackets) {
  must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, Router::kGatewayMac}));
  must(r.manager.set_vrf("lan0", "red"));
  r.receive(r.wan, from_gateway(udp(Router::kGatewayIp, Router::kHostIp)));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NoRoute", 1}})) << "nobody is asked for";
  must(r.manager.set_vrf("wan0", "red"));
  r.receive(r.wan, from_gateway(udp(Router::kGatewayIp, Router::kHostIp)));
  EXPECT_EQ(r.held(), 1u);
  r.iterate();
  must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
  (void)r.lan.take_sent();
  (void)r.wan.take_sent();
  r.iterate();
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
}

TEST_F(Vrf, MovesAnInterfaceWholeOrNotAtAll) {
  const std::uint32_t before = routes_of(0), empty = routes_of(1);
  must(r.manager.add_route(route("172.16.0.0/12", Router::kGatewayIp)));
  r.know_neighbors();
  must(r.manager.set_vrf("wan0", "red"));
  EXPECT_GT(routes_of(1), empty);
  EXPECT_EQ(r.manager.get_route(kFar).kind, proto::NextHopKind::NoRoute) << "it leaned on wan0";
  must(r.manager.set_vrf("wan0", "default"));
  EXPECT_EQ(routes_of(1), empty) << "nothing is left behind";
  EXPECT_EQ(r.manager.get_route(Router::kGatewayIp).interface, "wan0");
  EXPECT_GE(routes_of(0), before);
}

TEST_F(Vrf, HasAddressesOfItsOwn) {
  must(r.manager.set_vrf("lan0", "red"));
  must(r.manager.add_address("wan0", {Router::kLanIp, 24}));
  const auto moved = r.manager.set_vrf("wan0", "red");
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, core::Errc::Exists);
  EXPECT_NE(moved.error().context.find("of lan0 in red"), std::string::npos) << "nothing was moved";
  EXPECT_EQ(r.manager.interfaces()[1].vrf, "default");
  EXPECT_EQ(refusal(r.manager.add_address("lan0", {Router::kLanIp, 16})), core::Errc::Exists);
}

TEST_F(Vrf, GoesOnlyWhenNothingIsInIt) {
  must(r.manager.set_vrf("lan0", "red"));
  const auto refused = r.manager.delete_vrf("red");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().context.find("lan0"), std::string::npos);
  must(r.manager.set_vrf("lan0", ""));
  must(r.manager.add_route(
      {proto::parse_ip_prefix("10.9.0.0/16").value(), Kind::Blackhole, {}, "", {}, false, "red"}));
  EXPECT_EQ(refusal(r.manager.delete_vrf("red")), core::Errc::Invalid);
  must(r.manager.delete_route(proto::parse_ip_prefix("10.9.0.0/16").value(), "red"));
  must(r.manager.delete_vrf("red"));
  EXPECT_EQ(refusal(r.manager.set_vrf("lan0", "red")), core::Errc::NotFound);
}

TEST_F(Vrf, FragmentsOfTwoVrfsAreNotPutTogether) {
  must(r.manager.set_vrf("lan0", "red"));
  must(r.manager.add_address("wan0", {Router::kLanIp, 24}));
  const Packet whole = ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, pattern(24));
  const auto part = [&](std::size_t from, std::size_t n, bool more) {
    Ip4 f{.src = Router::kHostIp, .dst = Router::kLanIp};
    f.id = 7;
    f.protocol = 1;
    f.fragment_offset = static_cast<std::uint16_t>(from);
    f.more_fragments = more;
    return ip4(f, PacketBytes{whole}.subspan(20 + from, n));
  };
  r.receive(r.lan, from_host(part(0, 16, true)));
  r.receive(r.wan, from_gateway(part(16, 16, false)));
  EXPECT_EQ(r.held(), 2u);
  EXPECT_EQ(r.drops(), Drops{});
}

class UrpfCheck : public Vrf {
protected:
  UrpfCheck() {
    r.know_neighbors();
    must(r.manager.add_route(route("172.16.0.0/12", Router::kGatewayIp)));
    must(r.manager.add_route(route("10.66.0.0/16", Router::kHostIp)));
    must(r.manager.add_route(
        {proto::parse_ip_prefix("10.67.0.0/16").value(), Kind::Blackhole, {}, ""}));
  }
  /// Whether a packet from there comes through from lan0.
  bool passes(const char* source) {
    const std::uint64_t before = r.drops()["Ip4Spoofed"];
    r.receive(r.lan, from_host(udp(ip(source), kFar)));
    const bool dropped = r.drops()["Ip4Spoofed"] != before;
    EXPECT_EQ(r.wan.take_sent().size(), dropped ? 0u : 1u);
    EXPECT_EQ(r.lan.take_sent().size(), 0u) << "nobody is told";
    return !dropped;
  }
};

TEST_F(UrpfCheck, StrictWantsTheRouteToLeadBack) {
  must(r.manager.set_urpf("lan0", Urpf::Strict));
  EXPECT_TRUE(passes("10.1.0.2"));
  EXPECT_TRUE(passes("10.1.0.77")) << "of the subnet, not known yet";
  EXPECT_TRUE(passes("10.66.1.1"));
  EXPECT_FALSE(passes("172.16.1.1")) << "leads out by wan0";
  EXPECT_FALSE(passes("198.51.100.1")) << "no route";
  EXPECT_FALSE(passes("10.67.1.1")) << "a blackhole";
  EXPECT_FALSE(passes("192.0.2.1")) << "our own";
}

TEST_F(UrpfCheck, StrictTakesAnyMemberOfAGroup) {
  must(r.manager.set_urpf("lan0", Urpf::Strict));
  polluxd::RouteSpec both = route("10.70.0.0/16", {});
  both.next_hops = {{Router::kGatewayIp, "", 1}, {Router::kHostIp, "", 1}};
  must(r.manager.add_route(both));
  r.iterate();
  EXPECT_TRUE(passes("10.70.0.1"));
}

TEST_F(UrpfCheck, LooseWantsSomeRoute) {
  must(r.manager.set_urpf("lan0", Urpf::Loose));
  EXPECT_TRUE(passes("172.16.1.1"));
  EXPECT_FALSE(passes("198.51.100.1"));
  EXPECT_FALSE(passes("10.67.1.1"));
}

TEST_F(UrpfCheck, OffAsksNothing) {
  EXPECT_TRUE(passes("198.51.100.1"));
}

/// Who tests its address speaks from ::, which no route leads to, and is heard all the same.
TEST_F(UrpfCheck, LeavesTheUnspecifiedAddressAlone) {
  must(r.manager.set_sysctl("net.inet6.ip6.dad_count", 0));
  const core::IpAddress ours = addr6("2001:db8:1::1");
  must(r.manager.add_address("lan0", {ours, 64}));
  must(r.manager.set_urpf("lan0", Urpf::Strict));
  r.run_for(5);
  (void)r.lan.take_sent();
  r.receive(
      r.lan,
      ether6({.dst = {0x33, 0x33, 0xff, 0, 0, 1}, .src = mac(0x55)},
             ip6_icmp({.hop_limit = 255, .src = core::IpAddress{}, .dst = addr6("ff02::1:ff00:1")},
                      {.type = 135, .word = 0}, ours.bytes())));
  EXPECT_EQ(r.drops(), Drops{});
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "the address is ours";
}
}  // namespace
