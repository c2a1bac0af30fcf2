// SPDX-License-Identifier: BSD-3-Clause
// Every request that cannot be done says why and changes nothing.
#include <functional>

#include "tests/manager/describe.hh"
#include "tests/stage/router.hh"

namespace {
using namespace test;
using core::Errc;
using crypto::Direction;
using Kind = polluxd::RouteSpec::Kind;

crypto::SaSpec sa(const char* tunnel, Direction direction, std::uint32_t spi,
                  std::size_t key_octets = 36) {
  crypto::SaSpec s;
  s.tunnel = tunnel;
  s.direction = direction;
  s.spi = spi;
  s.key = std::move(*crypto::Secret::from_hex(std::string(2 * key_octets, 'a')));
  return s;
}

class Refusals : public testing::Test {
protected:
  Refusals() {
    r.configure();
    must(r.manager.add_address("wan0", {ip("192.0.2.3"), 24}));
    must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
    must(r.manager.add_route({{ip("172.16.0.0"), 12}, Kind::Unicast, Router::kGatewayIp, ""}));
    must(r.manager.create_tunnel({.name = "ipsec0",
                                  .local = Router::kWanIp,
                                  .remote = Router::kGatewayIp,
                                  .mtu = 0,
                                  .selectors = {}}));
    must(r.manager.add_address("ipsec0", {ip("10.9.0.1"), 24}));
    must(r.manager.add_sa(sa("ipsec0", Direction::In, 0x1000)));
    must(r.manager.add_sa(sa("ipsec0", Direction::Out, 0x2000)));
  }
  std::optional<Errc> route(const char* net, std::uint8_t length, std::optional<std::uint32_t> via,
                            const char* interface = "") {
    return refusal(r.manager.add_route({{ip(net), length}, Kind::Unicast, via, interface}));
  }
  std::optional<Errc> address(const char* interface, const char* a, std::uint8_t length) {
    return refusal(r.manager.add_address(interface, {ip(a), length}));
  }
  std::optional<Errc> tunnel(const char* name, std::uint32_t local, std::uint32_t remote,
                             std::uint16_t mtu = 0) {
    return refusal(r.manager.create_tunnel(
        {.name = name, .local = local, .remote = remote, .mtu = mtu, .selectors = {}}));
  }
  std::optional<Errc> attach(const char* name, std::vector<proto::IpPrefix> addresses) {
    polluxd::InterfaceSpec spec;
    spec.name = name;
    spec.addresses = std::move(addresses);
    return refusal(r.attach(port, spec, mac(0x30)));
  }

  Router r;
  MemoryPort port{r.pool};
};

TEST_F(Refusals, Table) {
  struct Line {
    const char* name;
    Errc code;
    std::function<std::optional<Errc>()> request;
  };
  auto& m = r.manager;
  const std::uint32_t there = ip("203.0.113.9");
  const std::vector<Line> table = {
      {"InterfaceNameTaken", Errc::Exists, [&] { return attach("lan0", {}); }},
      {"InterfaceNameOfATunnel", Errc::Exists, [&] { return attach("ipsec0", {}); }},
      {"InterfaceNameBad", Errc::Invalid, [&] { return attach("lan 0", {}); }},
      {"InterfaceNameLong", Errc::Invalid, [&] { return attach("abcdefghijklmnop", {}); }},
      {"InterfaceWithAddressTaken", Errc::Exists,
       [&] {
         return attach("new0", {{ip("172.31.0.1"), 24}, {Router::kLanIp, 24}});
       }},
      {"InterfaceWithSameAddressTwice", Errc::Exists,
       [&] {
         return attach("new0", {{ip("172.31.0.1"), 24}, {ip("172.31.0.1"), 25}});
       }},
      {"InterfaceWithBadAddress", Errc::Invalid,
       [&] {
         return attach("new0", {{ip("172.31.0.1"), 24}, {ip("127.0.0.1"), 8}});
       }},
      {"DestroyUnknown", Errc::NotFound, [&] { return refusal(m.destroy_interface("lan9")); }},
      {"UpUnknown", Errc::NotFound, [&] { return refusal(m.set_up("lan9", true)); }},
      {"MtuUnknown", Errc::NotFound, [&] { return refusal(m.set_mtu("lan9", 1400)); }},
      {"MtuSmall", Errc::Invalid, [&] { return refusal(m.set_mtu("lan0", 67)); }},
      {"MtuLarge", Errc::Invalid, [&] { return refusal(m.set_mtu("lan0", 9000)); }},
      {"DriverUnknown", Errc::NotFound,
       [&] {
         polluxd::InterfaceSpec spec;
         spec.driver = "no-such-driver";
         return refusal(m.create_interface(spec));
       }},

      {"AddressUnknownInterface", Errc::NotFound, [&] { return address("lan9", "10.7.0.1", 24); }},
      {"AddressTaken", Errc::Exists, [&] { return address("lan0", "10.1.0.1", 24); }},
      {"AddressTakenElsewhere", Errc::Exists, [&] { return address("wan0", "10.1.0.1", 16); }},
      {"AddressLoopback", Errc::Invalid, [&] { return address("lan0", "127.0.0.1", 8); }},
      {"AddressMulticast", Errc::Invalid, [&] { return address("lan0", "224.0.0.1", 24); }},
      {"AddressZero", Errc::Invalid, [&] { return address("lan0", "0.0.0.1", 24); }},
      {"AddressOfTheSubnet", Errc::Invalid, [&] { return address("lan0", "10.7.0.0", 24); }},
      {"AddressBroadcast", Errc::Invalid, [&] { return address("lan0", "10.7.0.255", 24); }},
      {"AddressLengthZero", Errc::Invalid, [&] { return address("lan0", "10.7.0.1", 0); }},
      {"AddressDeleteUnknown", Errc::NotFound,
       [&] {
         return refusal(m.delete_address("lan0", {ip("10.7.0.1"), 24}));
       }},
      {"AddressDeleteOtherLength", Errc::NotFound,
       [&] {
         return refusal(m.delete_address("lan0", {Router::kLanIp, 25}));
       }},

      {"RouteTaken", Errc::Exists, [&] { return route("172.16.0.0", 12, Router::kGatewayIp); }},
      {"RouteBitsBelowLength", Errc::Invalid,
       [&] { return route("172.16.0.1", 12, Router::kGatewayIp); }},
      {"RouteGatewayNotOnLink", Errc::Invalid, [&] { return route("172.32.0.0", 12, there); }},
      {"RouteGatewayOnAnotherLink", Errc::Invalid,
       [&] { return route("172.32.0.0", 12, Router::kGatewayIp, "lan0"); }},
      {"RouteGatewayOurs", Errc::Invalid, [&] { return route("172.32.0.0", 12, Router::kWanIp); }},
      {"RouteGatewayOursToo", Errc::Invalid,
       [&] { return route("172.32.0.0", 12, ip("192.0.2.3")); }},
      {"RouteWithNothing", Errc::Invalid, [&] { return route("172.32.0.0", 12, {}); }},
      {"RouteUnknownInterface", Errc::NotFound,
       [&] { return route("172.32.0.0", 12, {}, "lan9"); }},
      {"RouteDeleteUnknown", Errc::NotFound,
       [&] {
         return refusal(m.delete_route({ip("172.32.0.0"), 12}));
       }},
      {"RouteDeleteConnected", Errc::NotFound,
       [&] {
         return refusal(m.delete_route({ip("10.1.0.0"), 24}));
       }},

      {"NeighborUnknownInterface", Errc::NotFound,
       [&] {
         return refusal(m.add_neighbor({"lan9", Router::kHostIp, mac(1)}));
       }},
      {"NeighborNotOnLink", Errc::Invalid,
       [&] {
         return refusal(m.add_neighbor({"lan0", there, mac(1)}));
       }},
      {"NeighborGroup", Errc::Invalid,
       [&] {
         return refusal(m.add_neighbor({"lan0", ip("10.1.0.9"), core::kBroadcastMac}));
       }},
      {"NeighborZero", Errc::Invalid,
       [&] {
         return refusal(m.add_neighbor({"lan0", ip("10.1.0.9"), {}}));
       }},
      {"NeighborOurs", Errc::Invalid,
       [&] {
         return refusal(m.add_neighbor({"lan0", Router::kLanIp, mac(1)}));
       }},
      {"NeighborOnATunnel", Errc::Invalid,
       [&] {
         return refusal(m.add_neighbor({"ipsec0", ip("10.9.0.2"), mac(1)}));
       }},
      {"NeighborDeleteUnknown", Errc::NotFound,
       [&] { return refusal(m.delete_neighbor("lan0", ip("10.1.0.9"))); }},
      {"NeighborDeleteIdleGateway", Errc::NotFound,
       [&] { return refusal(m.delete_neighbor("wan0", Router::kGatewayIp)); }},

      {"TunnelNameTaken", Errc::Exists,
       [&] { return tunnel("ipsec0", Router::kWanIp, Router::kGatewayIp); }},
      {"TunnelNameOfAPort", Errc::Exists,
       [&] { return tunnel("lan0", Router::kWanIp, Router::kGatewayIp); }},
      {"TunnelNameBad", Errc::Invalid,
       [&] { return tunnel("a/b", Router::kWanIp, Router::kGatewayIp); }},
      {"TunnelToItself", Errc::Invalid,
       [&] { return tunnel("ipsec1", Router::kWanIp, Router::kWanIp); }},
      {"TunnelWithoutRemote", Errc::Invalid, [&] { return tunnel("ipsec1", Router::kWanIp, 0); }},
      {"TunnelMtuSmall", Errc::Invalid,
       [&] { return tunnel("ipsec1", Router::kWanIp, Router::kGatewayIp, 67); }},
      {"TunnelMtuLarge", Errc::Invalid,
       [&] { return tunnel("ipsec1", Router::kWanIp, Router::kGatewayIp, 9001); }},
      {"TunnelDestroyUnknown", Errc::NotFound, [&] { return refusal(m.destroy_tunnel("ipsec1")); }},
      {"TunnelDestroyAPort", Errc::NotFound, [&] { return refusal(m.destroy_tunnel("lan0")); }},

      {"SaUnknownTunnel", Errc::NotFound,
       [&] { return refusal(m.add_sa(sa("ipsec1", Direction::In, 0x3000))); }},
      {"SaInboundSpiTaken", Errc::Exists,
       [&] { return refusal(m.add_sa(sa("ipsec0", Direction::In, 0x1000))); }},
      {"SaOutboundSpiTaken", Errc::Exists,
       [&] { return refusal(m.add_sa(sa("ipsec0", Direction::Out, 0x2000))); }},
      {"SaSpiReserved", Errc::Invalid,
       [&] { return refusal(m.add_sa(sa("ipsec0", Direction::In, 255))); }},
      {"SaKeySize", Errc::Invalid,
       [&] { return refusal(m.add_sa(sa("ipsec0", Direction::In, 0x3000, 20))); }},
      {"SaDeleteUnknown", Errc::NotFound,
       [&] { return refusal(m.delete_sa("ipsec0", Direction::In, 0x3000)); }},
      {"SaDeleteOtherDirection", Errc::NotFound,
       [&] { return refusal(m.delete_sa("ipsec0", Direction::Out, 0x1000)); }},
      {"SaDeleteUnknownTunnel", Errc::NotFound,
       [&] { return refusal(m.delete_sa("ipsec1", Direction::In, 0x1000)); }},

      {"SysctlUnknown", Errc::NotFound,
       [&] { return refusal(m.set_sysctl("net.inet.ip.nothing", 1)); }},
      {"SysctlOutOfRange", Errc::Invalid,
       [&] { return refusal(m.set_sysctl("net.inet.ip.ttl", 256)); }},
  };
  const std::string before = describe(m);
  for (const Line& l : table) {
    SCOPED_TRACE(l.name);
    EXPECT_EQ(l.request(), std::optional{l.code});
    ASSERT_EQ(describe(m), before);
  }
}

TEST_F(Refusals, WhatWasTakenBackCanBeDoneAgain) {
  const std::string before = describe(r.manager);
  for (int round = 0; round < 20; ++round) {
    must(r.manager.add_route({{ip("172.32.0.0"), 12}, Kind::Unicast, ip("192.0.2.9"), ""}));
    must(r.manager.add_address("lan0", {ip("10.7.0.1"), 24}));
    must(r.manager.add_neighbor({"lan0", ip("10.7.0.9"), mac(9)}));
    must(r.manager.add_sa(sa("ipsec0", Direction::Out, 0x4000)));
    must(r.manager.delete_sa("ipsec0", Direction::Out, 0x4000));
    must(r.manager.delete_neighbor("lan0", ip("10.7.0.9")));
    must(r.manager.delete_address("lan0", {ip("10.7.0.1"), 24}));
    must(r.manager.delete_route({ip("172.32.0.0"), 12}));
    ASSERT_EQ(describe(r.manager), before) << round;
  }
  for (int round = 0; round < 20; ++round) {
    polluxd::InterfaceSpec spec;
    spec.name = "new0";
    spec.addresses = {{ip("10.7.0.1"), 24}};
    must(r.attach(port, spec, mac(0x30)));
    must(r.manager.add_route({{ip("172.32.0.0"), 12}, Kind::Unicast, ip("10.7.0.9"), ""}));
    must(r.manager.add_neighbor({"new0", ip("10.7.0.9"), mac(9)}));
    must(r.manager.destroy_interface("new0"));
    must(r.manager.create_tunnel({.name = "new0",
                                  .local = Router::kWanIp,
                                  .remote = Router::kGatewayIp,
                                  .mtu = 0,
                                  .selectors = {}}));
    must(r.manager.add_address("new0", {ip("10.8.0.1"), 24}));
    must(r.manager.add_sa(sa("new0", Direction::In, 0x4000)));
    must(r.manager.destroy_interface("new0"));
    ASSERT_EQ(describe(r.manager), before) << round;
  }
}
}  // namespace
