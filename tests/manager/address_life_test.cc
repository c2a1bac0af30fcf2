// SPDX-License-Identifier: BSD-3-Clause
// What addresses go through until they are used, and what happens when others have them.
#include "tests/manager/inet6_lab.hh"

namespace {
using namespace test;
using core::IpAddress;
using polluxd::AddressOrigin;
using polluxd::AddressState;
using proto::NextHopKind;
namespace nd = proto::nd;

class AddressLife6 : public Inet6Lab {};

TEST_F(AddressLife6, LinkLocalComesByItself) {  // RFC 4862 section 5.3
  EXPECT_TRUE(info().groups == std::vector<IpAddress>{0xe0000001}) << "IPv4 only";
  add("2001:db8:1::1");
  const auto all = info().all_addresses;
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[2].prefix, (proto::IpPrefix{our_link_local, 64}));
  EXPECT_EQ(all[2].origin, AddressOrigin::LinkLocal);
  EXPECT_EQ(info().addresses.size(), 2u) << "what was asked for";
  must(r.manager.delete_address("lan0", {ours, 64}));
  EXPECT_EQ(state(our_link_local), std::nullopt) << "goes with the last one";
}

TEST_F(AddressLife6, LinkLocalCanBeSwitchedOff) {
  must(r.manager.set_sysctl("net.inet6.ip6.auto_linklocal", 0));
  add("2001:db8:1::1");
  EXPECT_EQ(state(our_link_local), std::nullopt);
  must(r.manager.set_sysctl("net.inet6.ip6.auto_linklocal", 2));
  EXPECT_EQ(state(our_link_local), AddressState::Tentative);
  must(r.manager.delete_address("lan0", {ours, 64}));
  EXPECT_NE(state(our_link_local), std::nullopt) << "on every interface";
}

TEST_F(AddressLife6, LinkLocalOfAnAdministratorIsEnough) {
  add("fe80::1");
  EXPECT_EQ(state(our_link_local), std::nullopt);
  must(r.manager.add_address("wan0", {addr6("fe80::1"), 64}));
  EXPECT_EQ(refusal(r.manager.add_address("wan0", {addr6("fe80::2"), 10})), core::Errc::Invalid);
}

TEST_F(AddressLife6, IsAskedForBeforeItIsUsed) {  // RFC 4862 section 5.4
  add("2001:db8:1::1");
  EXPECT_EQ(state(ours), AddressState::Tentative);
  EXPECT_EQ(kind(ours), NextHopKind::Martian);
  EXPECT_EQ(r.manager.get_route(host).source, IpAddress{}) << "nothing leaves from it";
  r.run_for(3);
  EXPECT_EQ(state(ours), AddressState::Preferred);
  EXPECT_EQ(state(our_link_local), AddressState::Preferred);
  EXPECT_EQ(kind(ours), NextHopKind::Local);
  EXPECT_EQ(r.manager.get_route(host).source, ours);
  const auto all = heard();
  const auto solicitations = of_type(all, 135);
  ASSERT_EQ(solicitations.size(), 2u);
  for (const Heard& ns : solicitations) {
    EXPECT_EQ(ns.src, IpAddress{});
    EXPECT_EQ(ns.dst, nd::solicited_node(ns.target()));
    EXPECT_EQ(ns.to, nd::group_mac(ns.dst));
    EXPECT_EQ(ns.hop_limit, 255);
    EXPECT_EQ(ns.message.size(), 24u) << "no source link-layer address";
  }
  r.run_for(3);
  const auto later = heard();
  std::vector<Heard> told = of_type(all, 136);
  for (const Heard& h : of_type(later, 136)) told.push_back(h);
  EXPECT_EQ(told.size(), 4u) << "each announced twice";
  for (const Heard& na : told) {
    EXPECT_EQ(na.dst, nd::kAllNodes);
    EXPECT_EQ(na.src, na.target());
    EXPECT_EQ(na.message.at(4), 0xa0) << "router, override";
  }
}

TEST_F(AddressLife6, SwitchedOffItIsUsedAtOnce) {
  must(r.manager.set_sysctl("net.inet6.ip6.dad_count", 0));
  add("2001:db8:1::1");
  EXPECT_EQ(state(ours), AddressState::Preferred);
  EXPECT_EQ(kind(ours), NextHopKind::Local);
  r.run_for(3);
  EXPECT_TRUE(of_type(heard(), 135).empty());
}

TEST_F(AddressLife6, TentativeOnesAreNotAnswered) {
  add("2001:db8:1::1");
  const Nd ns{.src = host,
              .dst = nd::solicited_node(ours),
              .target = ours,
              .rest = mac_option(1, Router::kHostMac)};
  r.receive(r.lan, nd_frame(ns));
  EXPECT_EQ(r.drops(), (Drops{{"NdNotForUs", 1}}));
  r.receive(r.lan, ether6({.dst = Router::kLanMac, .src = Router::kHostMac},
                          ip6_icmp({.src = host, .dst = ours}, {}, pattern(9))));
  EXPECT_EQ(r.drops(), (Drops{{"NdNotForUs", 1}, {"Ip6Martian", 1}}));
  r.run_for(6);
  (void)heard();
  r.receive(r.lan, nd_frame(ns));
  const auto answers = of_type(heard(), 136);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].target(), ours);
  EXPECT_EQ(answers[0].message.at(4), 0xe0) << "router, solicited, override";
}

TEST_F(AddressLife6, AnAdvertisementOfItIsAConflict) {  // RFC 4862 section 5.4.4
  std::vector<std::string> told;
  r.manager.on_event([&](const polluxd::ManagerEvent& e) {
    if (e.kind == polluxd::ManagerEvent::Kind::AddressDuplicated)
      told.push_back(e.subject + " " + e.detail);
  });
  add("2001:db8:1::1");
  r.receive(r.lan, nd_frame({.type = 136,
                             .src = ours,
                             .dst = nd::kAllNodes,
                             .target = ours,
                             .word = 0x20000000,
                             .rest = mac_option(2, Router::kHostMac)}));
  r.iterate();
  EXPECT_EQ(state(ours), AddressState::Duplicated);
  EXPECT_EQ(told, (std::vector<std::string>{"lan0 2001:db8:1::1/64"}));
  r.run_for(4);
  EXPECT_EQ(state(ours), AddressState::Duplicated);
  EXPECT_EQ(state(our_link_local), AddressState::Preferred) << "the other one is not";
  EXPECT_EQ(kind(ours), NextHopKind::Glean) << "where the other host is";
  EXPECT_EQ(r.manager.get_route(host).source, our_link_local);
}

TEST_F(AddressLife6, AnotherThatAsksAsNobodyIsAConflict) {  // RFC 4862 section 5.4.3
  add("2001:db8:1::1");
  r.receive(r.lan, nd_frame({.src = {}, .dst = nd::solicited_node(ours), .target = ours}));
  r.iterate();
  EXPECT_EQ(state(ours), AddressState::Duplicated);
}

TEST_F(AddressLife6, WhatASwitchSendsBackIsNone) {  // RFC 4862 appendix A
  add("2001:db8:1::1");
  for (int i = 0; i < 30; ++i) {
    r.iterate(100'000);
    for (Packet& f : r.lan.take_sent())
      if (!of_type(messages_of({f}), 135).empty()) r.receive(r.lan, f);
  }
  EXPECT_EQ(state(ours), AddressState::Preferred);
}

TEST_F(AddressLife6, ConflictOfAUsedAddressIsDefended) {
  add("2001:db8:1::1");
  r.run_for(6);
  (void)heard();
  const Nd na{.type = 136,
              .src = ours,
              .dst = nd::kAllNodes,
              .target = ours,
              .word = 0x20000000,
              .rest = mac_option(2, Router::kHostMac)};
  r.receive(r.lan, nd_frame(na));
  r.receive(r.lan, nd_frame(na));
  r.iterate();
  EXPECT_EQ(state(ours), AddressState::Preferred);
  EXPECT_EQ(of_type(heard(), 136).size(), 1u) << "once in ten seconds";
}

TEST_F(AddressLife6, ANewLinkIsAskedAnew) {
  add("2001:db8:1::1");
  r.run_for(3);
  must(r.manager.set_up("lan0", false));
  EXPECT_EQ(state(ours), AddressState::Preferred) << "it stays";
  must(r.manager.set_up("lan0", true));
  EXPECT_EQ(state(ours), AddressState::Tentative);
  r.run_for(3);
  EXPECT_EQ(state(ours), AddressState::Preferred);
}

TEST_F(AddressLife6, ADuplicatedOneIsTriedAgainOnANewLink) {
  add("2001:db8:1::1");
  r.receive(r.lan, nd_frame({.src = {}, .dst = nd::solicited_node(ours), .target = ours}));
  r.iterate();
  must(r.manager.set_up("lan0", false));
  must(r.manager.set_up("lan0", true));
  r.run_for(3);
  EXPECT_EQ(state(ours), AddressState::Preferred);
  EXPECT_EQ(kind(ours), NextHopKind::Local);
}

TEST_F(AddressLife6, NeighboursAreAskedForFromTheRightAddress) {  // RFC 4861 section 7.2.2
  add("2001:db8:1::1");
  r.run_for(6);
  (void)heard();
  must(r.manager.add_address("wan0", {addr6("2001:db8:9::1"), 64}));
  r.run_for(6);
  // A packet in transit to the host, and a ping of the router's link-local address by another's.
  r.receive(r.wan, ether6({.dst = Router::kWanMac, .src = Router::kGatewayMac},
                          ip6_udp({.src = addr6("2001:db8:9::7"), .dst = host}, {}, pattern(5))));
  r.receive(r.lan,
            ether6({.dst = Router::kLanMac, .src = Router::kHostMac},
                   ip6_icmp({.src = host_link_local, .dst = our_link_local}, {}, pattern(5))));
  r.iterate();
  const auto asked = of_type(heard(), 135);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].src, ours);
  EXPECT_EQ(asked[0].dst, nd::solicited_node(host));
  EXPECT_EQ(PacketBytes{asked[0].message}.subspan(24).size(), 8u) << "source link-layer address";
  EXPECT_EQ(asked[1].src, our_link_local);
  EXPECT_EQ(asked[1].target(), host_link_local);
  r.receive(r.lan, nd_frame({.type = 136,
                             .src = host_link_local,
                             .dst = our_link_local,
                             .target = host_link_local,
                             .word = 0x60000000,
                             .rest = mac_option(2, Router::kHostMac)}));
  r.iterate();
  EXPECT_EQ(of_type(heard(), 129).size(), 1u) << "what waited is sent";
  const auto all = r.manager.neighbors();
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const auto& n) { return n.address == host_link_local; });
  ASSERT_NE(at, all.end());
  EXPECT_EQ(at->state, proto::NeighborState::Reachable);
}

TEST_F(AddressLife6, ListensToItsGroups) {
  add("2001:db8:1::1");
  EXPECT_TRUE(has_group(nd::kAllNodes));
  EXPECT_TRUE(has_group(nd::kAllRouters));
  EXPECT_TRUE(has_group(nd::solicited_node(ours)));
  must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 0));
  EXPECT_FALSE(has_group(nd::kAllRouters));
  must(r.manager.join_group("lan0", addr6("ff05::77")));
  EXPECT_EQ(refusal(r.manager.join_group("lan0", addr6("ff05::77"))), core::Errc::Exists);
  EXPECT_EQ(refusal(r.manager.join_group("lan0", host)), core::Errc::Invalid);
  EXPECT_EQ(kind(addr6("ff05::77")), NextHopKind::Local);
  r.run_for(3);
  (void)heard();
  must(r.manager.leave_group("lan0", addr6("ff05::77")));
  EXPECT_EQ(refusal(r.manager.leave_group("lan0", addr6("ff05::77"))), core::Errc::NotFound);
  EXPECT_EQ(kind(addr6("ff05::77")), NextHopKind::Multicast);
}

TEST_F(AddressLife6, ReportsItsGroups) {  // RFC 3810
  add("2001:db8:1::1");
  r.run_for(6);
  const auto joined = of_type(heard(), 143);
  ASSERT_FALSE(joined.empty());
  for (const Heard& report : joined) {
    EXPECT_EQ(report.dst, addr6("ff02::16"));
    EXPECT_EQ(report.hop_limit, 1);
    EXPECT_TRUE(report.router_alert);
    EXPECT_EQ(report.message.at(8), 4) << "CHANGE_TO_EXCLUDE_MODE";
  }
  const Ip6 from{.hop_limit = 1,
                 .src = host_link_local,
                 .dst = nd::kAllNodes,
                 .extensions = {{0, {5, 2, 0, 0}}}};
  Packet query(24, 0);
  query[17] = 2;
  query[19] = 125;
  r.receive(r.lan, ether6({.dst = nd::group_mac(nd::kAllNodes), .src = Router::kHostMac},
                          ip6_icmp(from, {.type = 130, .word = 1000u << 16}, query)));
  r.run_for(2);
  const auto answers = of_type(heard(), 143);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].src, our_link_local);
  EXPECT_EQ(answers[0].message.at(7), 3) << "two addresses and the group of routers";
  EXPECT_EQ(answers[0].message.at(8), 2) << "MODE_IS_EXCLUDE";
}

TEST_F(AddressLife6, Ip4IsProbedWhereThatIsOn) {  // RFC 5227 section 2.1
  must(r.manager.set_sysctl("net.inet.ip.dad_count", 2));
  (void)r.lan.take_sent();
  const std::uint32_t address = ip("10.1.0.7");
  must(r.manager.add_address("lan0", {address, 24}));
  EXPECT_EQ(state(address), AddressState::Tentative);
  r.receive(r.lan, arp_frame({.sender_mac = Router::kHostMac,
                              .sender_ip = Router::kHostIp,
                              .target_ip = address}));
  EXPECT_EQ(r.drops(), (Drops{{"ArpNotForUs", 1}})) << "not answered for";
  r.run_for(7);
  EXPECT_EQ(state(address), AddressState::Preferred);
  std::size_t probes = 0, announcements = 0;
  for (const Packet& f : r.lan.take_sent())
    for (const std::uint32_t sender : {std::uint32_t{0}, address})
      if (f ==
          ether({.dst = core::kBroadcastMac, .src = Router::kLanMac, .type = 0x0806},
                arp({.sender_mac = Router::kLanMac, .sender_ip = sender, .target_ip = address})))
        ++(sender == 0 ? probes : announcements);
  EXPECT_EQ(probes, 2u);
  EXPECT_GE(announcements, 1u);
}

TEST_F(AddressLife6, Ip4ConflictWhileProbing) {
  must(r.manager.set_sysctl("net.inet.ip.dad_count", 2));
  const std::uint32_t address = ip("10.1.0.7");
  for (const std::uint32_t sender : {address, std::uint32_t{0}}) {  // its owner, another prober
    must(r.manager.add_address("lan0", {address, 24}));
    r.receive(
        r.lan,
        arp_frame({.sender_mac = Router::kHostMac, .sender_ip = sender, .target_ip = address}));
    r.iterate();
    EXPECT_EQ(state(address), AddressState::Duplicated);
    EXPECT_EQ(kind(address), NextHopKind::Glean);
    must(r.manager.delete_address("lan0", {address, 24}));
  }
}
}  // namespace
