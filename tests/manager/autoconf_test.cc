// SPDX-License-Identifier: BSD-3-Clause
// Router Advertisements, heard as a host (RFC 4862 section 5.5, RFC 4861 section 6.3) and sent as a
// router (section 6.2), and redirects (section 8).
#include "tests/manager/inet6_lab.hh"

namespace {
using namespace test;
using core::IpAddress;
using polluxd::AddressOrigin;
using polluxd::AddressState;
using proto::NextHopKind;
namespace nd = proto::nd;

/// lan0 listens to routers; the host of the lab is one.
class Autoconf : public Inet6Lab {
protected:
  Autoconf() {
    must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 0));
    must(r.manager.set_autoconf("lan0", true));
    r.run_for(3);
  }
  static Packet prefix_option(const char* text, std::uint8_t flags, std::uint32_t valid_s,
                              std::uint32_t preferred_s) {
    const auto p = *proto::parse_ip_prefix(text);
    Packet o{3, 4, p.length, flags};
    for (const std::uint32_t s : {valid_s, preferred_s, std::uint32_t{0}})
      for (const int shift : {24, 16, 8, 0}) o.push_back(static_cast<std::uint8_t>(s >> shift));
    o.insert(o.end(), p.address.bytes().begin(), p.address.bytes().end());
    return o;
  }
  /// A Router Advertisement with a source link-layer address.
  void advertise(std::uint16_t lifetime_s, const Packet& options = {}, std::uint8_t hop_limit = 64,
                 std::uint8_t from = 2) {
    Packet rest(8, 0);  // reachable and retransmission timers
    const auto mac_of_router = mac_option(1, mac(from));
    rest.insert(rest.end(), mac_of_router.begin(), mac_of_router.end());
    rest.insert(rest.end(), options.begin(), options.end());
    IpAddress src = addr6("fe80::");
    src.bytes()[15] = from;
    r.receive(r.lan, nd_frame({.type = 134,
                               .src = src,
                               .dst = nd::kAllNodes,
                               .word = std::uint32_t{hop_limit} << 24 | lifetime_s,
                               .rest = rest,
                               .has_target = false,
                               .from = mac(from)}));
    r.iterate();
  }
  [[nodiscard]] polluxd::RouteAnswer route(const char* dst) const {
    return r.manager.get_route(addr6(dst));
  }
  const IpAddress mine = addr6("2001:db8:7::ff:fe00:10");
};

TEST_F(Autoconf, AsksForRouters) {  // RFC 4861 section 6.3.7
  r.run_for(12);
  const auto asked = of_type(heard(), 133);
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].src, our_link_local);
  EXPECT_EQ(asked[0].dst, nd::kAllRouters);
  EXPECT_EQ(asked[0].message.size(), 16u);
}

TEST_F(Autoconf, MakesAnAddressOfAPrefix) {
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  EXPECT_EQ(state(mine), AddressState::Tentative);
  r.run_for(3);
  EXPECT_EQ(state(mine), AddressState::Preferred);
  EXPECT_EQ(info().addresses.size(), 1u) << "the IPv4 one is what was asked for";
  for (const auto& a : info().all_addresses)
    if (a.prefix.address == mine) {
      EXPECT_EQ(a.origin, AddressOrigin::Autoconf);
      EXPECT_EQ(a.prefix.length, 64);
      EXPECT_GT(*a.valid_s, 7190u);
      EXPECT_LE(*a.preferred_s, 3600u);
    }
  EXPECT_EQ(route("2001:db8:7::5").kind, NextHopKind::Glean);
  EXPECT_EQ(route("2001:db8:7::5").source, mine);
}

TEST_F(Autoconf, AddressGrowsOldAndGoes) {  // RFC 4862 section 5.5.4
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 100, 50));
  r.run_for(55);
  EXPECT_EQ(state(mine), AddressState::Deprecated);
  EXPECT_EQ(kind(mine), NextHopKind::Local) << "still answers";
  r.run_for(50);
  EXPECT_EQ(state(mine), std::nullopt);
  EXPECT_NE(route("2001:db8:7::5").kind, NextHopKind::Glean);
}

TEST_F(Autoconf, TwoHourRule) {  // section 5.5.3 (e)
  const auto left = [&] {
    for (const auto& a : info().all_addresses)
      if (a.prefix.address == mine) return *a.valid_s;
    return std::uint64_t{0};
  };
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 86'400, 86'400));
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 1, 1));
  EXPECT_GT(left(), 7190u);
  EXPECT_LE(left(), 7200u);
}

TEST_F(Autoconf, PrefixesThatMakeNoAddress) {  // section 5.5.3 (a) to (d)
  const std::size_t before = info().all_addresses.size();
  for (const auto& [text, flags, valid, preferred] : {std::tuple{"fe80::/64", 0xc0, 100u, 100u},
                                                      {"2001:db8:8::/64", 0xc0, 100u, 101u},
                                                      {"2001:db8:8::/63", 0xc0, 100u, 100u},
                                                      {"2001:db8:8::/64", 0xc0, 0u, 0u},
                                                      {"ff05::/64", 0xc0, 100u, 100u},
                                                      {"2001:db8:9::/64", 0x80, 100u, 100u}})
    advertise(1800, prefix_option(text, static_cast<std::uint8_t>(flags), valid, preferred));
  EXPECT_EQ(info().all_addresses.size(), before);
  EXPECT_EQ(route("2001:db8:9::5").kind, NextHopKind::Glean) << "on-link all the same";
}

TEST_F(Autoconf, DefaultRouterByPreferenceAndLifetime) {  // RFC 4861 section 6.3.4
  EXPECT_EQ(route("2001:db8:ff::1").kind, NextHopKind::NoRoute);
  advertise(30);
  EXPECT_EQ(route("2001:db8:ff::1").interface, "lan0");
  ASSERT_TRUE(route("2001:db8:ff::1").gateway.has_value());
  const auto first = *route("2001:db8:ff::1").gateway;
  r.run_for(31);
  EXPECT_EQ(route("2001:db8:ff::1").kind, NextHopKind::NoRoute);
  advertise(30);
  advertise(0);
  EXPECT_EQ(route("2001:db8:ff::1").kind, NextHopKind::NoRoute) << "it says that it stops";
  advertise(100);
  advertise(100, {}, 64, 3);
  EXPECT_EQ(*route("2001:db8:ff::1").gateway, first) << "of two alike, the one in use";
}

TEST_F(Autoconf, RouterThatDoesNotAnswerGivesWay) {  // section 6.3.6
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  advertise(1800, {}, 64, 3);
  r.run_for(3);
  const auto first = *route("2001:db8:ff::1").gateway;
  const auto say = [&] {
    r.receive(r.lan, ether6({.dst = Router::kLanMac, .src = mac(9)},
                            ip6_icmp({.src = addr6("2001:db8:ff::1"), .dst = mine}, {}, {})));
  };
  for (int i = 0; i < 30 && route("2001:db8:ff::1").gateway == first; ++i) {
    say();
    r.run_for(1);
  }
  EXPECT_NE(*route("2001:db8:ff::1").gateway, first);
  advertise(1800);
  r.run_for(2);
  EXPECT_NE(*route("2001:db8:ff::1").gateway, first) << "alike, the one in use";
  r.run_for(20);  // packets that wait for either end
}

TEST_F(Autoconf, StaticDefaultRouteStandsAbove) {
  must(r.manager.add_address("lan0", {ours, 64}));
  must(r.manager.add_route({{IpAddress{}, 0}, polluxd::RouteSpec::Kind::Unicast, host, ""}));
  advertise(1800);
  EXPECT_EQ(*route("2001:db8:ff::1").gateway, host);
  must(r.manager.delete_route({IpAddress{}, 0}));
  EXPECT_NE(*route("2001:db8:ff::1").gateway, host);
}

TEST_F(Autoconf, LinkParametersAreTaken) {
  Packet mtu{5, 1, 0, 0, 0, 0, 1400 >> 8, 1400 & 0xff};
  advertise(1800, mtu, 33);
  const auto hop_limit = [&](const char* name) {
    return r.manager.published().read().ip6.hop_limit(info(name).id);
  };
  EXPECT_EQ(hop_limit("lan0"), 33);
  EXPECT_EQ(hop_limit("wan0"), 64) << "RFC 4861 section 6.3.2: of that link alone";
  mtu[6] = 1000 >> 8;
  mtu[7] = 1000 & 0xff;
  advertise(1800, mtu, 0);
  EXPECT_EQ(hop_limit("lan0"), 33) << "0 says nothing";
  (void)r.lan.take_sent();
  r.receive(r.lan, ether6({.dst = Router::kLanMac, .src = Router::kHostMac},
                          ip6_icmp({.src = host_link_local, .dst = our_link_local}, {}, {})));
  const auto replies = of_type(heard(), 129);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].hop_limit, 33);
  must(r.manager.set_autoconf("lan0", false));
  EXPECT_EQ(hop_limit("lan0"), 64) << "as if no router had spoken";
}

TEST_F(Autoconf, SwitchedOffAllOfItGoes) {
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  must(r.manager.set_autoconf("lan0", false));
  EXPECT_EQ(state(mine), std::nullopt);
  EXPECT_EQ(state(our_link_local), std::nullopt);
  EXPECT_EQ(route("2001:db8:ff::1").kind, NextHopKind::NoRoute);
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  EXPECT_EQ(state(mine), std::nullopt);
}

TEST_F(Autoconf, BySysctlOnEveryInterface) {
  must(r.manager.set_autoconf("lan0", false));
  must(r.manager.set_sysctl("net.inet6.ip6.accept_rtadv", 1));
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  EXPECT_NE(state(mine), std::nullopt);
  must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 1));
  EXPECT_EQ(state(mine), std::nullopt) << "a router does not listen to others";
}

TEST_F(Autoconf, DestroyedInterfaceTakesItsRoutersAlong) {
  advertise(1800, prefix_option("2001:db8:7::/64", 0x80, 7200, 3600));
  must(r.manager.destroy_interface("lan0"));
  EXPECT_EQ(route("2001:db8:ff::1").kind, NextHopKind::NoRoute);
  EXPECT_EQ(route("2001:db8:7::1").kind, NextHopKind::NoRoute);
}

TEST_F(Autoconf, RedirectIsFollowedWhereThatIsOn) {  // RFC 4861 section 8
  advertise(1800, prefix_option("2001:db8:7::/64", 0xc0, 7200, 3600));
  r.run_for(3);
  const IpAddress far = addr6("2001:db8:ff::1"), better = addr6("fe80::77");
  Packet rest(far.bytes().begin(), far.bytes().end());
  const Packet option = mac_option(2, mac(0x77));
  rest.insert(rest.end(), option.begin(), option.end());
  const Nd redirect{
      .type = 137, .src = addr6("fe80::2"), .dst = mine, .target = better, .rest = rest};
  r.receive(r.lan, nd_frame(redirect));
  EXPECT_EQ(r.drops(), (Drops{{"NdRedirectOff", 1}}));
  must(r.manager.set_sysctl("net.inet6.icmp6.rediraccept", 1));
  r.receive(r.lan, nd_frame(redirect));
  r.iterate();
  EXPECT_EQ(r.manager.get_route(far).prefix, proto::IpPrefix::host(far));
  EXPECT_EQ(r.manager.get_route(far).kind, NextHopKind::Reachable);
  EXPECT_EQ(r.manager.get_route(addr6("2001:db8:ff::2")).prefix, (proto::IpPrefix{IpAddress{}, 0}));
  r.run_for(601);
  EXPECT_NE(r.manager.get_route(far).prefix, proto::IpPrefix::host(far)) << "not for ever";
}

/// lan0 tells its hosts.
class Rtadv : public Inet6Lab {
protected:
  Rtadv() {
    must(r.manager.set_sysctl("net.inet6.ip6.dad_count", 0));
    add("2001:db8:1::1");
    spec.enabled = true;
  }
  polluxd::RtadvSpec spec;
};

TEST_F(Rtadv, TellsThePrefixesOfTheInterface) {
  must(r.manager.set_rtadv("lan0", spec));
  r.run_for(1);
  const auto told = of_type(heard(), 134);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].src, our_link_local);
  EXPECT_EQ(told[0].dst, nd::kAllNodes);
  EXPECT_EQ(told[0].hop_limit, 255);
  const auto ra =
      nd::RouterAdvertisementView::parse({told[0].src, told[0].dst, 255}, told[0].message);
  ASSERT_TRUE(ra);
  EXPECT_EQ(ra->lifetime_s(), 1800);
  EXPECT_EQ(ra->hop_limit(), 64);
  EXPECT_EQ(ra->source_mac(), Router::kLanMac);
  std::vector<nd::PrefixInformation> prefixes;
  ra->options().for_each_prefix([&](const auto& p) { prefixes.push_back(p); });
  ASSERT_EQ(prefixes.size(), 1u);
  EXPECT_EQ(prefixes[0].prefix, (proto::IpPrefix{addr6("2001:db8:1::"), 64}));
  EXPECT_EQ(prefixes[0].flags, 0xc0);
  EXPECT_EQ(prefixes[0].valid_s, 2'592'000u);
}

TEST_F(Rtadv, TellsWhatItIsTold) {
  spec.managed = spec.other = true;
  spec.mtu = 1400;
  spec.hop_limit = 9;
  spec.lifetime_s = 0;
  spec.prefixes = {{.prefix = {addr6("2001:db8:5::"), 56},
                    .valid_s = 100,
                    .preferred_s = 50,
                    .on_link = true,
                    .autonomous = false}};
  must(r.manager.set_rtadv("lan0", spec));
  r.run_for(1);
  const auto told = of_type(heard(), 134);
  ASSERT_EQ(told.size(), 1u);
  const auto ra =
      nd::RouterAdvertisementView::parse({told[0].src, told[0].dst, 255}, told[0].message);
  ASSERT_TRUE(ra);
  EXPECT_EQ(ra->lifetime_s(), 0);
  EXPECT_EQ(ra->flags(), 0xc0);
  EXPECT_EQ(ra->mtu(), 1400u);
  ra->options().for_each_prefix([&](const auto& p) {
    EXPECT_EQ(p.prefix.length, 56);
    EXPECT_EQ(p.flags, 0x80);
  });
}

TEST_F(Rtadv, AnswersASolicitation) {  // RFC 4861 section 6.2.6
  must(r.manager.set_rtadv("lan0", spec));
  r.run_for(60);
  (void)heard();
  r.receive(r.lan, nd_frame({.type = 133,
                             .src = host_link_local,
                             .dst = nd::kAllRouters,
                             .rest = mac_option(1, Router::kHostMac),
                             .has_target = false}));
  r.run_for(1);
  EXPECT_EQ(of_type(heard(), 134).size(), 1u);
  const auto all = r.manager.neighbors();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const auto& n) {
    return n.address == host_link_local && !n.is_router;
  }));
}

TEST_F(Rtadv, SaysThatItStops) {  // section 6.2.5
  must(r.manager.set_rtadv("lan0", spec));
  r.run_for(1);
  (void)heard();
  must(r.manager.set_rtadv("lan0", {}));
  r.iterate();
  auto told = of_type(heard(), 134);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].message.at(6) << 8 | told[0].message.at(7), 0);
  must(r.manager.set_rtadv("lan0", spec));
  r.run_for(1);
  (void)heard();
  must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 0));
  r.iterate();
  EXPECT_EQ(of_type(heard(), 134).size(), 1u) << "no router any more";
}

TEST_F(Rtadv, RefusesWhatNoHostWouldTake) {
  const auto refused = [&](auto change) {
    polluxd::RtadvSpec bad = spec;
    change(bad);
    return refusal(r.manager.set_rtadv("lan0", bad)) == core::Errc::Invalid;
  };
  EXPECT_TRUE(refused([](auto& s) { s.interval_s = 3; }));
  EXPECT_TRUE(refused([](auto& s) { s.lifetime_s = 9001; }));
  EXPECT_TRUE(refused([](auto& s) { s.lifetime_s = 1; }));
  EXPECT_TRUE(refused([](auto& s) { s.mtu = 1279; }));
  EXPECT_TRUE(refused([](auto& s) { s.hop_limit = 256; }));
  EXPECT_TRUE(refused([](auto& s) { s.prefixes = {{.prefix = {addr6("fe80::"), 64}}}; }));
  EXPECT_TRUE(refused([](auto& s) { s.prefixes = {{.prefix = {addr6("2001:db8::1"), 64}}}; }));
  EXPECT_TRUE(refused([](auto& s) {
    s.prefixes = {{.prefix = {addr6("2001:db8::"), 64}, .valid_s = 1, .preferred_s = 2}};
  }));
}
}  // namespace
