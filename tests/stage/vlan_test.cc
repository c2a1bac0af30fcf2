// SPDX-License-Identifier: BSD-3-Clause
// VLAN interfaces on the ports of the router: tags off, tags on, two deep.
#include "core/mbuf.hh"
#include "tests/stage/router.hh"

namespace {
using namespace test;
using Options = std::vector<std::pair<std::string, std::string>>;

Packet tagged(Packet frame, std::uint16_t id, std::uint16_t tpid = 0x8100) {
  const std::uint8_t tag[] = {static_cast<std::uint8_t>(tpid >> 8), static_cast<std::uint8_t>(tpid),
                              static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
  frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  return frame;
}

class Vlan : public testing::Test {
protected:
  Vlan() {
    r.configure();
    r.know_neighbors();
  }
  core::Expected<std::string> create(const Options& options, const char* name = "",
                                     std::vector<proto::IpPrefix> addresses = {},
                                     std::uint16_t mtu = 0) {
    polluxd::InterfaceSpec spec;
    spec.driver = "vlan";
    spec.options = options;
    spec.name = name;
    spec.addresses = std::move(addresses);
    spec.mtu = mtu;
    return r.manager.create_interface(spec);
  }
  /// vlan100 on lan0, 10.100.0.1/24, with the host 10.100.0.2 as a neighbour.
  void vlan100() {
    must(create({{"parent", "lan0"}, {"id", "100"}}, "vlan100", {{ip("10.100.0.1"), 24}}));
    must(r.manager.add_neighbor({"vlan100", ip("10.100.0.2"), Router::kHostMac}));
    r.run_for(3);
    (void)r.lan.take_sent();
  }
  [[nodiscard]] polluxd::InterfaceTotals totals(const std::string& name) const {
    for (const auto& [interface, t] : r.manager.interface_totals())
      if (interface == name) return t;
    return {};
  }
  static Packet from_vlan_host(std::uint8_t ttl = 64) {
    return ip4_udp({.ttl = ttl, .src = ip("10.100.0.2"), .dst = Router::kGatewayIp}, {},
                   pattern(8));
  }
  static Packet to_vlan_host(std::uint8_t ttl = 64) {
    return ip4_udp({.ttl = ttl, .src = Router::kGatewayIp, .dst = ip("10.100.0.2")}, {},
                   pattern(8));
  }

  Router r;
};

TEST_F(Vlan, ATagMayStandBeforeTheHeadersOfAChain) {
  vlan100();
  const auto packet = [](std::uint8_t ttl) {
    return ip4_udp({.ttl = ttl, .src = ip("10.100.0.2"), .dst = Router::kGatewayIp}, {},
                   pattern(1400));
  };
  r.lan.push_chained(tagged(from_host(packet(64)), 100), core::kHeaderRoom, 500);
  r.iterate();
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(packet(63))});
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Vlan, TagsAreTakenOffAndPutOn) {
  vlan100();
  r.receive(r.lan, tagged(from_host(from_vlan_host()), 100));
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(from_vlan_host(63))});
  r.receive(r.wan, from_gateway(to_vlan_host()));
  EXPECT_EQ(r.lan.take_sent(), Packets{tagged(to_host(to_vlan_host(63)), 100)});
  EXPECT_EQ(totals("vlan100").rx.packets, 1u);
  EXPECT_GE(totals("vlan100").tx.packets, 1u);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Vlan, PriorityBitsAreIgnoredAndPriorityTagsBelongToTheLink) {
  vlan100();
  r.receive(r.lan, tagged(from_host(from_vlan_host()), 0xe000 | 100));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
  const Packet plain = ip4_udp({.src = Router::kHostIp, .dst = Router::kGatewayIp}, {}, {});
  r.receive(r.lan, tagged(from_host(plain), 0xa000));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Vlan, ArpIsAnsweredWithTheTag) {
  vlan100();
  const Packet request = arp_frame({.sender_mac = Router::kHostMac,
                                    .sender_ip = ip("10.100.0.2"),
                                    .target_ip = ip("10.100.0.1")});
  r.receive(r.lan, tagged(request, 100));
  const auto sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  const Packet reply =
      tagged(ether({.dst = Router::kHostMac, .src = Router::kLanMac, .type = 0x0806},
                   arp({.operation = 2,
                        .sender_mac = Router::kLanMac,
                        .sender_ip = ip("10.100.0.1"),
                        .target_mac = Router::kHostMac,
                        .target_ip = ip("10.100.0.2")})),
             100);
  EXPECT_EQ(sent.front(), reply);
}

TEST_F(Vlan, UnknownNeighborIsAskedWithTheTag) {
  vlan100();
  r.receive(r.wan,
            from_gateway(ip4_udp({.src = Router::kGatewayIp, .dst = ip("10.100.0.9")}, {}, {})));
  r.iterate();
  const auto sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent.front().at(12), 0x81);
  EXPECT_EQ(sent.front().at(15), 100);
  EXPECT_EQ(sent.front().at(17), 0x06) << "an ARP request behind the tag";
  r.run_for(20);  // nobody answers
}

TEST_F(Vlan, TwoTags) {
  must(create({{"parent", "lan0"}, {"id", "200"}, {"proto", "802.1ad"}}, "outer"));
  must(create({{"parent", "outer"}, {"id", "7"}}, "inner", {{ip("10.100.0.1"), 24}}));
  must(r.manager.add_neighbor({"inner", ip("10.100.0.2"), Router::kHostMac}));
  r.run_for(3);
  (void)r.lan.take_sent();
  r.receive(r.lan, tagged(tagged(from_host(from_vlan_host()), 7), 200, 0x88a8));
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(from_vlan_host(63))});
  r.receive(r.wan, from_gateway(to_vlan_host()));
  EXPECT_EQ(r.lan.take_sent(), Packets{tagged(tagged(to_host(to_vlan_host(63)), 7), 200, 0x88a8)});
  EXPECT_EQ(refusal(create({{"parent", "inner"}, {"id", "8"}})), core::Errc::Invalid);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Vlan, DropsWhatHasNoInterface) {
  vlan100();
  r.receive(r.lan, tagged(from_host(from_vlan_host()), 101));
  r.receive(r.lan, tagged(from_host(from_vlan_host()), 100, 0x88a8));
  EXPECT_EQ(r.drops(), (Drops{{"VlanUnknown", 2}}));
  Packet cut = tagged(from_host({}), 100);
  cut.resize(17);
  r.receive(r.lan, cut);
  EXPECT_EQ(r.drops(), (Drops{{"VlanUnknown", 2}, {"VlanTruncated", 1}}));
  Packet deep = from_host(from_vlan_host());
  for (int i = 0; i < 3; ++i) deep = tagged(deep, 0);
  r.receive(r.lan, deep);
  EXPECT_EQ(r.drops(), (Drops{{"VlanUnknown", 2}, {"VlanTruncated", 1}, {"VlanNested", 1}}));
}

TEST_F(Vlan, ABurstOfManyKeepsTheOrderOfEach) {
  for (int n = 1; n <= 4; ++n) {
    const std::string id = std::to_string(n);
    must(create({{"parent", "lan0"}, {"id", id}}, ("v" + id).c_str(),
                {{ip("10.100." + id + ".1"), 24}}));
  }
  const auto from = [](std::uint8_t vlan, std::uint16_t id, std::uint8_t ttl) {
    return ip4_udp({.id = id,
                    .ttl = ttl,
                    .src = ip("10.100." + std::to_string(vlan) + ".2"),
                    .dst = Router::kGatewayIp},
                   {}, {});
  };
  Packets frames;
  std::map<std::uint8_t, Packets> expected;
  for (std::uint16_t n = 0; n < 200; ++n) {
    const auto vlan = static_cast<std::uint8_t>(1 + (n * 7 / 3) % 4);
    frames.push_back(tagged(from_host(from(vlan, n, 64)), vlan));
    expected[vlan].push_back(to_gateway(from(vlan, n, 63)));
  }
  r.receive(r.lan, frames);
  std::map<std::uint8_t, Packets> sent;
  for (const Packet& p : r.wan.take_sent()) sent[p.at(14 + 14)].push_back(p);
  EXPECT_EQ(sent, expected);
}

TEST_F(Vlan, GoesWithItsCarrierAndFollowsItsMtu) {
  vlan100();
  must(r.manager.set_mtu("lan0", 1300));
  EXPECT_EQ(r.manager.interfaces().back().name, "vlan100");
  EXPECT_EQ(r.manager.interfaces().back().mtu, 1300);
  EXPECT_EQ(refusal(r.manager.set_mtu("vlan100", 1400)), core::Errc::Invalid);
  must(r.manager.set_mtu("vlan100", 1200));
  must(r.manager.set_up("vlan100", false));
  r.receive(r.lan, tagged(from_host(from_vlan_host()), 100));
  r.receive(r.wan, from_gateway(to_vlan_host()));
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceDown", 1}, {"InterfaceGone", 1}}));
  must(r.manager.set_up("vlan100", true));
  must(r.manager.destroy_interface("lan0"));
  EXPECT_EQ(r.manager.interfaces().size(), 1u) << "the VLAN has gone with lan0";
  EXPECT_EQ(r.manager.get_route(ip("10.100.0.2")).kind, proto::NextHopKind::NoRoute);
}

TEST_F(Vlan, Refusals) {
  vlan100();
  const auto error = [&](const Options& o, std::uint16_t mtu = 0) {
    const auto made = create(o, "", {}, mtu);
    return made ? std::string{"made"} : made.error().context;
  };
  const auto before = r.manager.interfaces().size();
  EXPECT_EQ(error({{"parent", "lan0"}, {"id", "100"}}), "VLAN 100 of lan0 is vlan100");
  EXPECT_EQ(error({{"parent", "lan0"}, {"id", "0"}}), "driver vlan: id=0: expected 1 to 4094");
  EXPECT_EQ(error({{"parent", "lan0"}, {"id", "4095"}}),
            "driver vlan: id=4095: expected 1 to 4094");
  EXPECT_EQ(error({{"parent", "lan0"}, {"id", "1"}, {"proto", "mpls"}}),
            "driver vlan: proto=mpls: expected 802.1Q or 802.1ad");
  EXPECT_EQ(error({{"parent", "no0"}, {"id", "1"}}), "no interface no0 to carry the VLAN");
  EXPECT_EQ(error({{"parent", "lan0"}, {"id", "1"}}, 9000), "MTU 9000: lan0 carries 1500");
  EXPECT_NE(error({{"id", "1"}}).find("needs parent="), std::string::npos);
  EXPECT_EQ(r.manager.interfaces().size(), before);
}
}  // namespace
