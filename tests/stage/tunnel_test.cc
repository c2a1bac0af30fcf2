// SPDX-License-Identifier: BSD-3-Clause
// Two stacks back to back, ESP between them.
#include "tests/stage/two_gateways.hh"

namespace {
using namespace test;
using crypto::Direction;
using Kind = polluxd::RouteSpec::Kind;

class Tunnel : public TwoGateways {};

bool contains(const Packet& frame, std::uint32_t word) {
  for (std::size_t at = 0; at + 4 <= frame.size(); ++at)
    if ((std::uint32_t{frame[at]} << 24 | std::uint32_t{frame[at + 1]} << 16 |
         std::uint32_t{frame[at + 2]} << 8 | frame[at + 3]) == word)
      return true;
  return false;
}

TEST_F(Tunnel, CarriesPacketsSealedBothWays) {
  Ip4 f = left_to_right();
  f.tos = 0x28;
  send(left, ip4_udp(f, {}, pattern(100)));
  const Packets esp = esp_frames();
  ASSERT_EQ(esp.size(), 1u);
  EXPECT_FALSE(contains(esp[0], f.src)) << "an inner address on the wire";
  EXPECT_FALSE(contains(esp[0], f.dst));
  EXPECT_TRUE(contains(esp[0], left.wan_ip) && contains(esp[0], right.wan_ip));
  EXPECT_TRUE(contains(esp[0], 0x1001));
  f.ttl = 62;  // two routers
  EXPECT_EQ(right.r.lan.take_sent(), (Packets{to_host(ip4_udp(f, {}, pattern(100)))}));

  Ip4 back{.src = right.host_ip, .dst = left.host_ip};
  send(right, ip4_icmp(back, {}, pattern(56)));
  EXPECT_EQ(esp_frames().size(), 1u);
  back.ttl = 62;
  EXPECT_EQ(left.r.lan.take_sent(), (Packets{to_host(ip4_icmp(back, {}, pattern(56)))}));
  EXPECT_EQ(left.r.drops(), Drops{});
  EXPECT_EQ(right.r.drops(), Drops{});
}

TEST_F(Tunnel, LargestPacketThatFitsTheTunnelFitsTheWire) {
  const std::size_t mtu = crypto::tunnel_mtu(1500);
  Ip4 f = left_to_right();
  f.dont_fragment = true;
  for (std::size_t total = mtu - 8; total <= mtu; ++total) send(left, ip4(f, pattern(total - 20)));
  EXPECT_EQ(right.r.lan.take_sent().size(), 9u);
  for (const Packet& p : esp_frames()) EXPECT_LE(p.size(), 1514u);
  EXPECT_EQ(left.r.drops(), Drops{});
}

TEST_F(Tunnel, TooBigForTheTunnelIsTold) {
  const std::uint16_t mtu = crypto::tunnel_mtu(1500);
  Ip4 f = left_to_right();
  f.dont_fragment = true;
  const Packet original = ip4(f, pattern(mtu - 19u));
  send(left, original);
  EXPECT_EQ(left.r.drops(), (Drops{{"Ip4TooBig", 1}}));
  EXPECT_EQ(left.r.lan.take_sent(),
            (Packets{to_host(ip4_icmp({.tos = 0xc0, .src = left.lan_ip, .dst = left.host_ip},
                                      {.type = 3, .code = 4, .word1 = 0, .word2 = mtu},
                                      PacketBytes{original}.first(548)))}));
  EXPECT_TRUE(esp_frames().empty());
}

TEST_F(Tunnel, TtlExceededBehindTheTunnelComesBackThroughIt) {
  Ip4 f = left_to_right();
  f.ttl = 2;
  send(left, ip4_udp(f, {}, pattern(8)));
  EXPECT_EQ(right.r.drops(), (Drops{{"Ip4TtlExpired", 1}}));
  EXPECT_EQ(esp_frames().size(), 2u);
  const Packets told = left.r.lan.take_sent();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0][34], 11) << "time exceeded";
  EXPECT_TRUE(contains(told[0], right.lan_ip)) << "from an address that the selectors let through";
}

TEST_F(Tunnel, InnerAddressesOutsideTheSelectorsAreRefused) {
  // The route sends it into the tunnel; the peer does not take it from there.
  must(left.r.manager.add_route({{ip("10.3.0.0"), 16}, Kind::Unicast, {}, "ipsec0"}));
  Ip4 f = left_to_right();
  f.dst = ip("10.3.0.1");
  send(left, ip4_udp(f, {}, pattern(8)));
  EXPECT_EQ(right.r.drops(), (Drops{{"EspSelectorMismatch", 1}}));
  f = left_to_right();
  f.src = ip("172.16.0.1");
  send(left, ip4_udp(f, {}, pattern(8)));
  EXPECT_EQ(right.r.drops(), (Drops{{"EspSelectorMismatch", 2}}));
  EXPECT_EQ(right.r.lan.sent(), 0u);
}

TEST_F(Tunnel, RekeyLosesNothing) {
  const Packet packet = ip4_udp(left_to_right(), {}, pattern(8));
  send(left, packet);
  right.add_sa(Direction::In, 0x1002);
  send(left, packet);
  left.add_sa(Direction::Out, 0x1002);
  (void)esp_frames();
  send(left, packet);
  Packets esp = esp_frames();
  ASSERT_EQ(esp.size(), 1u);
  EXPECT_TRUE(contains(esp[0], 0x1002)) << "the newest is in use";
  must(left.r.manager.delete_sa("ipsec0", Direction::Out, 0x1001));
  send(left, packet);
  must(right.r.manager.delete_sa("ipsec0", Direction::In, 0x1001));
  send(left, packet);
  EXPECT_EQ(right.r.lan.take_sent().size(), 5u);
  EXPECT_EQ(left.r.drops(), Drops{});
  EXPECT_EQ(right.r.drops(), Drops{});
}

TEST_F(Tunnel, NewestGoneTheOneBeforeIsUsed) {
  const Packet packet = ip4_udp(left_to_right(), {}, pattern(8));
  left.add_sa(Direction::Out, 0x1002);
  must(left.r.manager.delete_sa("ipsec0", Direction::Out, 0x1002));
  send(left, packet);
  EXPECT_EQ(right.r.lan.take_sent().size(), 1u);
}

TEST_F(Tunnel, WithoutAnSaNothingPasses) {
  const Packet packet = ip4_udp(left_to_right(), {}, pattern(8));
  must(left.r.manager.delete_sa("ipsec0", Direction::Out, 0x1001));
  send(left, packet);
  EXPECT_EQ(left.r.drops(), (Drops{{"EspNoOutboundSa", 1}}));
  EXPECT_TRUE(esp_frames().empty()) << "in the clear least of all";
  left.add_sa(Direction::Out, 0x1009);
  send(left, packet);
  EXPECT_EQ(right.r.drops(), (Drops{{"EspNoSa", 1}}));
}

TEST_F(Tunnel, ReplayedAndForgedFramesAreRefused) {
  send(left, ip4_udp(left_to_right(), {}, pattern(8)));
  Packets esp = esp_frames();
  ASSERT_EQ(esp.size(), 1u);
  right.r.receive(right.r.wan, esp[0]);
  esp[0].back() ^= 1;
  esp[0][14 + 20 + 7] = 9;  // a sequence number not seen yet
  right.r.receive(right.r.wan, esp[0]);
  EXPECT_EQ(right.r.drops(), (Drops{{"EspReplayed", 1}, {"EspBadIcv", 1}}));
  EXPECT_EQ(right.r.lan.take_sent().size(), 1u);
}

TEST_F(Tunnel, EspInsideEspIsRefused) {
  // The inner packet is for the right gateway itself and is ESP again.
  must(left.r.manager.add_route({{right.lan_ip, 32}, Kind::Unicast, {}, "ipsec0"}));
  Ip4 f = left_to_right();
  f.dst = right.lan_ip;
  f.protocol = 50;
  send(left, ip4(f, pattern(64)));
  EXPECT_EQ(right.r.drops(), (Drops{{"EspNested", 1}}));
}

TEST_F(Tunnel, PingsTheOtherGatewaysInnerAddress) {
  bool answered = false;
  must(left.r.manager.ping({.destination = right.lan_ip},
                           [&](const auto& reply) { answered = static_cast<bool>(reply); }));
  send(right, ip4_udp({.src = right.host_ip, .dst = right.wan_ip}, {}, {}));
  left.r.iterate();
  EXPECT_TRUE(answered);
}

TEST_F(Tunnel, CountsBySa) {
  for (int i = 0; i < 3; ++i) send(left, ip4_udp(left_to_right(), {}, pattern(8)));
  for (const polluxd::SaTotals& sa : left.r.manager.sas())
    EXPECT_EQ(sa.traffic.packets, sa.info.direction == Direction::Out ? 3u : 0u);
  for (const polluxd::SaTotals& sa : right.r.manager.sas())
    EXPECT_EQ(sa.traffic.packets, sa.info.direction == Direction::In ? 3u : 0u);
  must(left.r.manager.delete_sa("ipsec0", Direction::Out, 0x1001));
  left.add_sa(Direction::Out, 0x1003);
  for (const polluxd::SaTotals& sa : left.r.manager.sas())
    EXPECT_EQ(sa.traffic.packets, 0u) << "a new SA counts from nothing";
}

TEST_F(Tunnel, DestroyedTunnelTakesItsRoutesAndSasAlong) {
  must(left.r.manager.destroy_interface("ipsec0"));
  EXPECT_TRUE(left.r.manager.sas().empty());
  EXPECT_TRUE(left.r.manager.tunnels().empty());
  const Packet packet = ip4_udp(left_to_right(), {}, pattern(8));
  send(left, packet);
  EXPECT_EQ(left.r.drops(), (Drops{{"Ip4NoRoute", 1}}));
  left.connect(right, {});
  left.add_sa(Direction::Out, 0x1001);
  (void)right.r.lan.take_sent();
}
}  // namespace
