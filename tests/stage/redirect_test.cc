// SPDX-License-Identifier: BSD-3-Clause
// Who is told of a better first hop, and who is not (RFC 1812 section 5.2.7.2, RFC 4861 section
// 8.2), through the whole pipeline.
#include <algorithm>

#include "tests/stage/router.hh"
#include "tests/support/packet6.hh"

namespace {
using namespace test;
using core::IpAddress;
using Kind = polluxd::RouteSpec::Kind;
constexpr core::MacAddress kBetterMac = mac(0x09);

/// 10.50.0.0/16 is behind 10.1.0.9, on the host's own link.
class Redirect4 : public testing::Test {
protected:
  Redirect4() {
    r.configure();
    r.know_neighbors();
    must(r.manager.add_neighbor({"lan0", better, kBetterMac}));
    must(r.manager.add_route({{ip("10.50.0.0"), 16}, Kind::Unicast, better, ""}));
    must(r.manager.set_sysctl("net.inet.ip.redirect", 1));
  }
  ~Redirect4() override {
    if (!through_vlan) r.expect_conservation();
  }

  static Packet udp(std::uint32_t src, std::uint32_t dst, std::uint8_t ttl = 64) {
    return ip4_udp({.ttl = ttl, .src = src, .dst = dst}, {}, pattern(20));
  }
  static Packet redirect(const Packet& about, std::uint32_t gateway,
                         std::uint32_t from = Router::kLanIp) {
    return to_host(ip4_icmp({.tos = 0xc0, .src = from, .dst = Router::kHostIp},
                            {.type = 5,
                             .code = 1,
                             .word1 = static_cast<std::uint16_t>(gateway >> 16),
                             .word2 = static_cast<std::uint16_t>(gateway)},
                            about));
  }
  static Packet to_better(const Packet& p) {
    return ether({.dst = kBetterMac, .src = Router::kLanMac}, p);
  }
  /// How many messages of ICMP lan0 sends for a packet that comes in there.
  std::size_t told(const Packet& frame) {
    r.receive(r.lan, frame);
    const Packets sent = r.lan.take_sent();
    return static_cast<std::size_t>(std::ranges::count_if(
        sent, [](const Packet& p) { return p.at(14 + 9) == 1 && p.at(14 + 20) == 5; }));
  }

  const std::uint32_t better = ip("10.1.0.9"), far = ip("10.50.0.7");
  Router r;
  bool through_vlan = false;  ///< packets count there and at the port beneath
};

TEST_F(Redirect4, TellsTheHostOfTheGatewayAndForwards) {
  r.receive(r.lan, from_host(udp(Router::kHostIp, far)));
  Packets sent = r.lan.take_sent();
  std::ranges::sort(sent, {}, [](const Packet& p) { return p.size(); });
  EXPECT_EQ(sent, (Packets{to_better(udp(Router::kHostIp, far, 63)),
                           redirect(udp(Router::kHostIp, far), better)}));
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Redirect4, TellsOfANeighbor) {
  r.receive(r.lan, from_host(udp(Router::kHostIp, better)));
  const Packets sent = r.lan.take_sent();
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_NE(std::ranges::find(sent, redirect(udp(Router::kHostIp, better), better)), sent.end());
}

TEST_F(Redirect4, IsOffUnlessAskedFor) {
  must(r.manager.set_sysctl("net.inet.ip.redirect", 0));
  r.receive(r.lan, from_host(udp(Router::kHostIp, far)));
  EXPECT_EQ(r.lan.take_sent(), (Packets{to_better(udp(Router::kHostIp, far, 63))}));
  for (const core::SysctlNode& n : polluxd::Manager::default_sysctl().list("net.inet"))
    EXPECT_EQ(n.name.ends_with(".redirect") ? n.value : 0, 0);
}

TEST_F(Redirect4, ComesFromTheAddressOfTheHostsSubnet) {
  must(r.manager.add_address("lan0", {ip("10.3.0.1"), 24}));
  must(r.manager.add_neighbor({"lan0", ip("10.3.0.2"), Router::kHostMac}));
  must(r.manager.add_neighbor({"lan0", ip("10.3.0.9"), kBetterMac}));
  must(r.manager.add_route({{ip("10.51.0.0"), 16}, Kind::Unicast, ip("10.3.0.9"), ""}));
  r.run_for(5);
  (void)r.lan.take_sent();
  r.receive(r.lan, from_host(udp(ip("10.3.0.2"), ip("10.51.0.1"))));
  const Packets sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 2u);
  const Packet& said = sent[0].at(14 + 9) == 1 ? sent[0] : sent[1];
  EXPECT_EQ((Packet{said.begin() + 26, said.begin() + 34}), (Packet{10, 3, 0, 1, 10, 3, 0, 2}));
}

TEST_F(Redirect4, SaysNothing) {
  must(r.manager.add_address("lan0", {ip("10.3.0.1"), 24}));
  must(r.manager.add_neighbor({"lan0", ip("10.3.0.9"), kBetterMac}));
  must(r.manager.add_route({{ip("10.51.0.0"), 16}, Kind::Unicast, ip("10.3.0.9"), ""}));
  must(r.manager.add_route({{ip("10.52.0.0"), 16}, Kind::Unicast, Router::kGatewayIp, ""}));
  r.run_for(5);
  (void)r.lan.take_sent();
  const std::uint32_t host = Router::kHostIp;
  EXPECT_EQ(told(from_host(udp(host, ip("10.52.0.1")))), 0u) << "another interface";
  EXPECT_EQ(told(from_host(udp(ip("10.77.0.1"), far))), 0u) << "the source is not on the link";
  EXPECT_EQ(told(from_host(udp(host, ip("10.51.0.1")))), 0u) << "the gateway is on another subnet";
  EXPECT_EQ(told(from_host(udp(better, far))), 0u) << "it came from there";
  EXPECT_EQ(told(from_host(udp(host, far, 1))), 0u) << "it does not go on";
  Ip4 later{.src = host, .dst = far};
  later.fragment_offset = 800;
  EXPECT_EQ(told(from_host(ip4(later, pattern(16)))), 0u) << "RFC 1122 section 3.2.2: fragments";
  EXPECT_EQ(told(from_host(ip4_icmp({.src = host, .dst = far}, {.type = 3}, pattern(28)))), 0u)
      << "nor about errors";
  EXPECT_EQ(told(from_host(ip4_icmp({.src = host, .dst = far}, {.type = 8}, pattern(28)))), 1u);
  EXPECT_EQ(told(from_host(ip4({.dont_fragment = true, .src = host, .dst = far}, pattern(1480)))),
            1u)
      << "as large as the MTU";
}

TEST_F(Redirect4, OneThatDoesNotFitIsToldThatAlone) {
  must(r.manager.set_mtu("lan0", 1400));
  EXPECT_EQ(told(from_host(
                ip4({.dont_fragment = true, .src = Router::kHostIp, .dst = far}, pattern(1400)))),
            0u);
  EXPECT_EQ(r.drops(), (Drops{{"Ip4TooBig", 1}}));
}

TEST_F(Redirect4, CountsAsAnError) {  // RFC 1812 section 4.3.2.8
  must(r.manager.set_sysctl("net.inet.icmp.errppslimit", 3));
  r.run_for(2);
  std::size_t n = 0;
  for (int i = 0; i < 10; ++i) n += told(from_host(udp(Router::kHostIp, far)));
  EXPECT_EQ(n, 3u);
}

TEST_F(Redirect4, AVlanIsAnotherLink) {
  through_vlan = true;
  polluxd::InterfaceSpec spec;
  spec.driver = "vlan";
  spec.options = {{"parent", "lan0"}, {"id", "7"}};
  spec.name = "v7";
  spec.addresses = {{ip("10.7.0.1"), 24}};
  must(r.manager.create_interface(spec));
  must(r.manager.add_neighbor({"v7", ip("10.7.0.9"), kBetterMac}));
  r.run_for(5);
  (void)r.lan.take_sent();
  EXPECT_EQ(told(from_host(udp(Router::kHostIp, ip("10.7.0.9")))), 0u);
}

/// 2001:db8:50::/48 is behind fe80::9, 2001:db8:51::/48 behind 2001:db8:1::9, the same node on the
/// host's own link.
class Redirect6 : public testing::Test {
protected:
  Redirect6() {
    r.configure();
    must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 1));
    must(r.manager.set_sysctl("net.inet6.ip6.redirect", 1));
    must(r.manager.add_address("lan0", {addr6("2001:db8:1::1"), 64}));
    must(r.manager.add_address("wan0", {addr6("2001:db8:9::1"), 64}));
    must(r.manager.add_neighbor({"lan0", host, Router::kHostMac}));
    must(r.manager.add_neighbor({"lan0", better, kBetterMac}));
    must(r.manager.add_neighbor({"lan0", better_global, kBetterMac}));
    must(r.manager.add_neighbor({"wan0", addr6("2001:db8:9::fe"), Router::kGatewayMac}));
    must(r.manager.add_route({{addr6("2001:db8:50::"), 48}, Kind::Unicast, better, "lan0"}));
    must(r.manager.add_route({{addr6("2001:db8:51::"), 48}, Kind::Unicast, better_global, ""}));
    r.run_for(5);
    (void)r.lan.take_sent();
    (void)r.wan.take_sent();
  }
  ~Redirect6() override { r.expect_conservation(); }

  static Packet udp(const IpAddress& src, const IpAddress& dst, std::uint8_t hop_limit = 64,
                    std::size_t bytes = 20) {
    return ip6_udp({.hop_limit = hop_limit, .src = src, .dst = dst}, {}, pattern(bytes));
  }
  static Packet in(const Packet& p) {
    return ether6({.dst = Router::kLanMac, .src = Router::kHostMac}, p);
  }
  /// What the host is told about a packet of its own.
  Packet redirect(const Packet& about, const IpAddress& target, const IpAddress& destination) {
    Packet body(target.bytes().begin(), target.bytes().end());
    body.insert(body.end(), destination.bytes().begin(), destination.bytes().end());
    body.insert(body.end(), {2, 1});
    body.insert(body.end(), kBetterMac.begin(), kBetterMac.end());
    const std::size_t quoted = std::min<std::size_t>(about.size(), 1184) / 8 * 8;
    body.insert(body.end(), {4, static_cast<std::uint8_t>(1 + quoted / 8), 0, 0, 0, 0, 0, 0});
    body.insert(body.end(), about.begin(), about.begin() + static_cast<std::ptrdiff_t>(quoted));
    const Packet p = ip6_icmp({.hop_limit = 255, .src = addr6("fe80::ff:fe00:10"), .dst = host},
                              {.type = 137, .word = 0}, body);
    return ether6({.dst = Router::kHostMac, .src = Router::kLanMac}, p);
  }
  /// Whether lan0 sends a redirect for a packet that comes in there.
  bool told(const Packet& packet) {
    r.receive(r.lan, in(packet));
    const Packets sent = r.lan.take_sent();
    return std::ranges::any_of(sent, [](const Packet& p) {
      return p.size() > 54 && p.at(12) == 0x86 && p.at(20) == 58 && p.at(54) == 137;
    });
  }

  const IpAddress host = addr6("2001:db8:1::2"), better = addr6("fe80::9"),
                  better_global = addr6("2001:db8:1::9"), far = addr6("2001:db8:50::7");
  Router r;
};

TEST_F(Redirect6, TellsTheNeighborOfTheRouterAndForwards) {
  r.receive(r.lan, in(udp(host, far)));
  const Packets sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 2u);
  for (const Packet& wanted :
       {redirect(udp(host, far), better, far),
        ether6({.dst = kBetterMac, .src = Router::kLanMac}, udp(host, far, 63))})
    EXPECT_NE(std::ranges::find(sent, wanted), sent.end());
  EXPECT_EQ(r.drops(), Drops{});
}

/// The destination is the better first hop: the target is its own address.
TEST_F(Redirect6, TellsOfANeighbor) {
  r.receive(r.lan, in(udp(host, better_global)));
  const Packets sent = r.lan.take_sent();
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_NE(
      std::ranges::find(sent, redirect(udp(host, better_global), better_global, better_global)),
      sent.end());
}

TEST_F(Redirect6, FitsIntoTheMinimumMtu) {  // section 4.5
  const Packet large = udp(host, far, 64, 1452);
  r.receive(r.lan, in(large));
  const Packets sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 2u);
  const Packet said = redirect(large, better, far);
  EXPECT_LE(said.size(), 14u + 1280u);
  EXPECT_NE(std::ranges::find(sent, said), sent.end());
}

TEST_F(Redirect6, SaysNothing) {
  EXPECT_FALSE(told(udp(host, addr6("2001:db8:9::fe")))) << "another interface";
  EXPECT_FALSE(told(udp(addr6("2001:db8:77::1"), far))) << "the source is no neighbour";
  EXPECT_FALSE(told(udp(addr6("2001:db8:1::55"), far))) << "nor one that is known";
  EXPECT_FALSE(told(udp(addr6("2001:db8:50::5"), better_global))) << "a router brought it";
  EXPECT_FALSE(told(udp(host, addr6("2001:db8:51::1")))) << "no link-local address to tell of";
  EXPECT_FALSE(told(udp(host, far, 1))) << "it does not go on";
  must(r.manager.set_sysctl("net.inet6.ip6.redirect", 0));
  EXPECT_FALSE(told(udp(host, far)));
  must(r.manager.set_sysctl("net.inet6.ip6.redirect", 1));
  EXPECT_TRUE(told(udp(host, far)));
}

TEST_F(Redirect6, CountsAsAnError) {
  must(r.manager.set_sysctl("net.inet6.icmp6.errppslimit", 3));
  r.run_for(2);
  int n = 0;
  for (int i = 0; i < 10; ++i) n += told(udp(host, far)) ? 1 : 0;
  EXPECT_EQ(n, 3);
}
}  // namespace
