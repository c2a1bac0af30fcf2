// SPDX-License-Identifier: BSD-3-Clause
// IPv6 through the whole router, and what it says when packets go no further.
#include <algorithm>

#include "tests/stage/router.hh"
#include "tests/support/packet6.hh"

namespace {
using namespace test;
using core::IpAddress;
using Kind = polluxd::RouteSpec::Kind;

/// The router of router.hh with IPv6 beside IPv4:
///
///     2001:db8:1::/64 --- lan0 ::1 [router] wan0 ::1 --- 2001:db8:9::/64
///      host ::2                                           gateway ::fe
///
/// Host and gateway are known; 2001:db8:a1::/48 lies behind the gateway, a2 is prohibited, a3 a
/// black hole.
class Forward6 : public testing::Test {
protected:
  Forward6() {
    r.configure();
    r.know_neighbors();
    must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 1));
    must(r.manager.add_address("lan0", {lan_ip, 64}));
    must(r.manager.add_address("wan0", {wan_ip, 64}));
    must(r.manager.add_neighbor({"lan0", host, Router::kHostMac}));
    must(r.manager.add_neighbor({"wan0", gateway, Router::kGatewayMac}));
    must(r.manager.add_route({{addr6("2001:db8:a1::"), 48}, Kind::Unicast, gateway, ""}));
    must(r.manager.add_route({{addr6("2001:db8:a2::"), 48}, Kind::Prohibit, {}, ""}));
    must(r.manager.add_route({{addr6("2001:db8:a3::"), 48}, Kind::Blackhole, {}, ""}));
    r.run_for(5);  // whatever new addresses have to say is over
    (void)r.lan.take_sent();
    (void)r.wan.take_sent();
  }
  ~Forward6() override {
    if (!through_vlan) r.expect_conservation();
  }

  static Packet udp(const Ip6& f, std::size_t bytes = 20) { return ip6_udp(f, {}, pattern(bytes)); }
  static Packet host_to_router(const Packet& p) {
    return ether6({.dst = Router::kLanMac, .src = Router::kHostMac}, p);
  }
  static Packet router_to_host(const Packet& p) {
    return ether6({.dst = Router::kHostMac, .src = Router::kLanMac}, p);
  }
  static Packet gateway_to_router(const Packet& p) {
    return ether6({.dst = Router::kWanMac, .src = Router::kGatewayMac}, p);
  }
  static Packet router_to_gateway(const Packet& p) {
    return ether6({.dst = Router::kGatewayMac, .src = Router::kWanMac}, p);
  }
  /// The packet of the host ends with this drop and this answer, and nothing else happens.
  void expect_refused(const Packet& packet, const char* reason, const Icmp6& told,
                      const IpAddress& from) {
    r.receive(r.lan, host_to_router(packet));
    EXPECT_EQ(r.drops(), (Drops{{reason, 1}}));
    const Packet error =
        ip6_icmp({.src = from, .dst = host}, told,
                 PacketBytes{packet}.first(std::min<std::size_t>(packet.size(), 1232)));
    EXPECT_EQ(r.lan.take_sent(), (Packets{router_to_host(error)}));
    EXPECT_EQ(r.wan.take_sent(), Packets{});
  }

  const IpAddress lan_ip = addr6("2001:db8:1::1"), wan_ip = addr6("2001:db8:9::1");
  const IpAddress host = addr6("2001:db8:1::2"), gateway = addr6("2001:db8:9::fe");
  const IpAddress far = addr6("2001:db8:a1::77");
  Router r;
  bool through_vlan = false;  ///< packets count there and at the port beneath
};

TEST_F(Forward6, TakesOneHopAndWritesTheNextLinksHeader) {  // RFC 8200 section 3
  Ip6 f{.traffic_class = 0xb9, .flow_label = 0x12345, .hop_limit = 17, .src = host, .dst = far};
  f.extensions = {{60, {}}};
  r.receive(r.lan, host_to_router(udp(f)));
  f.hop_limit = 16;
  EXPECT_EQ(r.wan.take_sent(), (Packets{router_to_gateway(udp(f))}));
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Forward6, ToANeighborOnTheLink) {
  Ip6 f{.hop_limit = 2, .src = far, .dst = host};
  r.receive(r.wan, gateway_to_router(udp(f)));
  f.hop_limit = 1;
  EXPECT_EQ(r.lan.take_sent(), (Packets{router_to_host(udp(f))}));
}

TEST_F(Forward6, BothFamiliesOfABurstKeepTheirOrder) {
  std::vector<Packet> in, out4, out6;
  for (std::uint16_t n = 0; n < 200; ++n) {
    Ip6 six{.flow_label = n, .src = host, .dst = far};
    Ip4 four{.id = n, .src = Router::kHostIp, .dst = Router::kGatewayIp};
    in.push_back(host_to_router(udp(six)));
    in.push_back(from_host(ip4_udp(four, {}, pattern(9))));
    --six.hop_limit;
    --four.ttl;
    out6.push_back(router_to_gateway(udp(six)));
    out4.push_back(to_gateway(ip4_udp(four, {}, pattern(9))));
  }
  r.receive(r.lan, in);
  Packets sent4, sent6;
  for (Packet& p : r.wan.take_sent()) (p.at(12) == 0x08 ? sent4 : sent6).push_back(std::move(p));
  EXPECT_EQ(sent4, out4);
  EXPECT_EQ(sent6, out6);
}

TEST_F(Forward6, HopLimitExpired) {  // RFC 4443 section 3.3
  expect_refused(udp({.hop_limit = 1, .src = host, .dst = far}), "Ip6HopLimitExpired",
                 {.type = 3, .word = 0}, lan_ip);
}

TEST_F(Forward6, TooBig) {  // RFC 4443 section 3.2, RFC 8201
  expect_refused(udp({.src = host, .dst = far}, 1453), "Ip6TooBig", {.type = 2, .word = 1500},
                 lan_ip);
}

TEST_F(Forward6, NoRoute) {  // RFC 4443 section 3.1
  expect_refused(udp({.src = host, .dst = addr6("2001:db8:ff::1")}), "Ip6NoRoute",
                 {.type = 1, .word = 0}, lan_ip);
}

TEST_F(Forward6, Prohibited) {
  expect_refused(udp({.src = host, .dst = addr6("2001:db8:a2::1")}), "Ip6Prohibited",
                 {.type = 1, .code = 1, .word = 0}, lan_ip);
}

/// RFC 4443 section 2.2 (a): the answer comes from the address that was asked, be it the other
/// interface's.
TEST_F(Forward6, ClosedPort) {
  expect_refused(udp({.src = host, .dst = wan_ip}), "UdpNoPort", {.type = 1, .code = 4, .word = 0},
                 wan_ip);
}

TEST_F(Forward6, UnknownHopByHopOptionOfATransitPacket) {  // RFC 8200 section 4.2
  Ip6 f{.src = host, .dst = far, .extensions = {{0, {0x80, 2, 1, 1}}}};
  expect_refused(udp(f), "Ip6UnknownOption", {.type = 4, .code = 2, .word = 42}, lan_ip);
}

TEST_F(Forward6, Blackhole) {
  r.receive(r.lan, host_to_router(udp({.src = host, .dst = addr6("2001:db8:a3::1")})));
  EXPECT_EQ(r.drops(), (Drops{{"Ip6Blackhole", 1}}));
  EXPECT_EQ(r.lan.take_sent(), Packets{});
}

TEST_F(Forward6, SwitchedOff) {
  must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 0));
  r.run_for(2);  // the group of routers is left
  (void)r.wan.take_sent();
  r.receive(r.lan, host_to_router(udp({.src = host, .dst = far})));
  EXPECT_EQ(r.drops(), (Drops{{"Ip6NotForwarding", 1}}));
  EXPECT_EQ(r.wan.take_sent(), Packets{});
}

TEST_F(Forward6, EchoIsAnswered) {  // RFC 4443 section 4.2
  for (const IpAddress& us : {lan_ip, wan_ip}) {
    r.receive(r.lan, host_to_router(ip6_icmp({.src = host, .dst = us}, {}, pattern(33))));
    EXPECT_EQ(
        r.lan.take_sent(),
        (Packets{router_to_host(ip6_icmp({.src = us, .dst = host}, {.type = 129}, pattern(33)))}));
  }
}

TEST_F(Forward6, ErrorsAreLimited) {  // RFC 4443 section 2.4 (f)
  must(r.manager.set_sysctl("net.inet6.icmp6.errppslimit", 3));
  r.run_for(2);
  const Packet p = host_to_router(udp({.hop_limit = 1, .src = host, .dst = far}));
  for (int i = 0; i < 20; ++i) r.lan.push(p);
  r.iterate();
  EXPECT_EQ(r.lan.take_sent().size(), 3u);
  EXPECT_EQ(r.drops(), (Drops{{"Ip6HopLimitExpired", 20}}));
}

/// Both a packet in transit and an answer of ours wait for the same neighbour.
TEST_F(Forward6, WaitsForTheNeighbor) {
  const IpAddress late = addr6("2001:db8:1::9");
  Ip6 transit{.src = far, .dst = late};
  const Packet ping = ip6_icmp({.src = late, .dst = lan_ip}, {}, pattern(5));
  r.receive(r.wan, gateway_to_router(udp(transit)));
  r.receive(r.lan, host_to_router(ping));
  EXPECT_EQ(r.held(), 2u);
  must(r.manager.add_neighbor({"lan0", late, mac(0x77)}));
  r.iterate();
  EXPECT_EQ(r.held(), 0u);
  --transit.hop_limit;
  const Packets sent = r.lan.take_sent();
  for (const Packet& p :
       {udp(transit), ip6_icmp({.src = lan_ip, .dst = late}, {.type = 129}, pattern(5))})
    EXPECT_NE(
        std::find(sent.begin(), sent.end(), ether6({.dst = mac(0x77), .src = Router::kLanMac}, p)),
        sent.end());
}

/// A scan of a /64 fills the table with questions, never more than it holds, and costs no neighbour
/// that answers its place; traffic to that one goes on without loss (RFC 6583).
TEST_F(Forward6, ScanEvictsNobodyWhoLives) {
  const IpAddress live = addr6("2001:db8:1::77");
  const core::MacAddress live_mac = mac(0x77);
  const auto at = [](std::uint32_t n) {
    IpAddress a = addr6("2001:db8:1:0:aaaa::");
    for (std::size_t i = 0; i < 4; ++i) a.bytes()[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
    return a;
  };
  const auto to = [&](const IpAddress& dst) {
    return gateway_to_router(udp({.src = far, .dst = dst}));
  };
  r.receive(r.wan, to(live));
  Packet advertised(live.bytes().begin(), live.bytes().end());
  advertised.insert(advertised.end(), {2, 1});
  advertised.insert(advertised.end(), live_mac.begin(), live_mac.end());
  r.receive(r.lan, ether6({.dst = Router::kLanMac, .src = live_mac},
                          ip6_icmp({.hop_limit = 255, .src = live, .dst = lan_ip},
                                   {.type = 136, .word = 0x60000000}, advertised)));
  r.iterate();
  (void)r.lan.take_sent();
  const auto state = [&](const IpAddress& a) {
    const auto all = r.manager.neighbors();
    const auto found = std::ranges::find(all, a, &proto::NeighborInfo::address);
    return found == all.end() ? std::nullopt : std::optional{found->state};
  };
  ASSERT_EQ(state(live), proto::NeighborState::Reachable);

  std::uint64_t arrived = 0;
  const auto collect = [&] {
    for (const Packet& f : r.lan.take_sent())
      arrived += std::equal(live_mac.begin(), live_mac.end(), f.begin()) && f[20] == 17 ? 1u : 0u;
  };
  constexpr std::uint32_t kScanned = 20'000;
  for (std::uint32_t n = 0; n < kScanned; n += 20) {
    Packets burst;
    for (std::uint32_t k = 0; k < 20; ++k) burst.push_back(to(at(97 * (n + k))));
    burst.push_back(to(live));
    r.receive(r.wan, std::move(burst));
    collect();
    ASSERT_LE(r.manager.neighbors().size(), r.limits.neighbors);
  }
  r.iterate();
  collect();
  EXPECT_EQ(arrived, kScanned / 20u);
  EXPECT_EQ(state(live), proto::NeighborState::Reachable);
  EXPECT_EQ(state(host), proto::NeighborState::Permanent);
  EXPECT_GT(r.drops()["NeighborHoldFull"], 0u);
  r.run_for(30);  // what waited has gone
  (void)r.lan.take_sent();
  EXPECT_EQ(r.held(), 0u);
}

TEST_F(Forward6, GoesThroughVlans) {
  through_vlan = true;
  polluxd::InterfaceSpec spec;
  spec.driver = "vlan";
  spec.options = {{"parent", "lan0"}, {"id", "7"}};
  spec.name = "v7";
  spec.addresses = {{addr6("2001:db8:7::1"), 64}};
  must(r.manager.create_interface(spec));
  must(r.manager.add_neighbor({"v7", addr6("2001:db8:7::2"), mac(0x72)}));
  r.run_for(5);
  (void)r.lan.take_sent();
  Ip6 f{.src = far, .dst = addr6("2001:db8:7::2")};
  r.receive(r.wan, gateway_to_router(udp(f)));
  --f.hop_limit;
  Packet tagged = ether6({.dst = mac(0x72), .src = Router::kLanMac}, udp(f));
  const Packet tag{0x81, 0x00, 0x00, 0x07};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  EXPECT_EQ(r.lan.take_sent(), Packets{tagged});
}
}  // namespace
