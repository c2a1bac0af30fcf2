// SPDX-License-Identifier: BSD-3-Clause
// What a capture holds: which packets, which bytes, in which order, and what it says of each.
#include "tests/stage/observe_lab.hh"
#include "tests/stage/two_gateways.hh"

namespace {
using namespace test;
using core::Direction;
using core::Layer;
using Frames = std::vector<CapturedFrame>;

CapturedFrame frame(const char* interface, Direction d, Packet bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  return {interface, d, Layer::Ethernet, std::move(bytes), length, ""};
}
CapturedFrame dropped(const char* interface, Packet bytes, const char* why,
                      Layer layer = Layer::Ethernet) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  return {interface, Direction::In, layer, std::move(bytes), length, why};
}

class CaptureTest : public testing::Test {
protected:
  CaptureTest() {
    r.configure();
    r.know_neighbors();
  }
  static Packet udp(std::uint32_t dst = Router::kGatewayIp, std::uint8_t ttl = 64,
                    std::size_t size = 30) {
    return ip4_udp({.ttl = ttl, .src = Router::kHostIp, .dst = dst}, {}, pattern(size));
  }
  void settle() {
    for (int i = 0; i < 4; ++i) r.iterate();
  }
  void finish(Captured& capture) {
    r.manager.stop_observer(capture.id);
    r.iterate();
    EXPECT_TRUE(capture.ended);
  }

  Router r;
  Captured c;
};

TEST_F(CaptureTest, BothDirectionsOfAnInterfaceAndNoOther) {
  Captured other;
  c.start(r, {.interfaces = {"lan0"}});
  other.start(r, {.interfaces = {"wan0"}});
  r.receive(r.lan, from_host(udp()));
  const Packet echo = ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, pattern(8));
  r.receive(r.lan, from_host(echo));
  settle();
  const Packets replies = r.lan.take_sent();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(c.begun);
  EXPECT_EQ(c.packets, (Frames{frame("lan0", Direction::In, from_host(udp())),
                               frame("lan0", Direction::In, from_host(echo)),
                               frame("lan0", Direction::Out, replies[0])}));
  EXPECT_EQ(other.packets,
            (Frames{frame("wan0", Direction::Out, to_gateway(udp(Router::kGatewayIp, 63)))}));
}

TEST_F(CaptureTest, FilterSnaplenAndCount) {
  c.start(r, {.interfaces = {"lan0"}, .snaplen = 20, .count = 2, .filter = "udp and less 100"});
  r.receive(r.lan, from_host(udp(Router::kGatewayIp, 64, 500)));
  for (int i = 0; i < 5; ++i) r.receive(r.lan, from_host(udp()));
  settle();
  ASSERT_EQ(c.packets.size(), 2u);
  EXPECT_EQ(c.packets[0].bytes.size(), 20u);
  EXPECT_EQ(c.packets[0].length, from_host(udp()).size());
  EXPECT_TRUE(c.ended);
  EXPECT_EQ(c.lost(), 0u);
}

TEST_F(CaptureTest, ChainedPacketIsCopiedUpToTheSnaplen) {
  c.start(r, {.interfaces = {"lan0"}, .snaplen = 250});
  const Packet whole = from_host(udp(Router::kGatewayIp, 64, 300));
  r.lan.push_chained(whole, 128, 31);
  settle();
  ASSERT_EQ(c.packets.size(), 1u);
  EXPECT_EQ(c.packets[0].bytes, Packet(whole.begin(), whole.begin() + 250));
  EXPECT_EQ(c.packets[0].length, whole.size());
}

TEST_F(CaptureTest, ChainedPacketIsCopiedWhole) {
  c.start(r, {.interfaces = {"lan0"}, .drops = true});
  const Packet whole = from_host(udp(Router::kGatewayIp, 64, 300));
  r.lan.push_chained(whole, 50, 7);
  settle();
  EXPECT_EQ(c.packets,
            (Frames{frame("lan0", Direction::In, whole), dropped("lan0", whole, "RxChained")}));
}

TEST_F(CaptureTest, DropsWithTheirReasonFromTheEthernetHeaderOn) {
  c.start(r, {.drops = true});
  const Packet foreign = ether({.dst = mac(99), .src = Router::kHostMac}, udp());
  const Packet unknown =
      ether({.dst = Router::kLanMac, .src = Router::kHostMac, .type = 0x1234}, pattern(46));
  Packet bad = from_host(udp());
  bad[24] ^= 0xff;  // the IPv4 checksum
  const Packet no_route = from_host(udp(ip("8.8.8.8")));
  const Packet arp = arp_frame(
      {.sender_mac = Router::kHostMac, .sender_ip = Router::kHostIp, .target_ip = ip("10.1.0.77")});
  const Packet runt = {1, 2, 3};
  for (const Packet& p : {foreign, unknown, bad, no_route, arp, runt}) r.receive(r.lan, p);
  settle();
  EXPECT_EQ(c.packets,
            (Frames{dropped("lan0", foreign, "EtherNotForUs"),
                    dropped("lan0", unknown, "EtherUnknownType"),
                    dropped("lan0", bad, "Ip4BadChecksum"), dropped("lan0", no_route, "Ip4NoRoute"),
                    dropped("lan0", arp, "ArpNotForUs"), dropped("lan0", runt, "EtherTruncated")}));
  finish(c);
}

TEST_F(CaptureTest, WhatTheDeviceDoesNotTakeIsNotSent) {
  r.wan.set_tx_limit(1);
  c.start(r, {.interfaces = {"wan0"}, .drops = true});
  r.receive(r.lan, Packets{from_host(udp()), from_host(udp(Router::kGatewayIp, 32))});
  settle();
  const Packet sent = to_gateway(udp(Router::kGatewayIp, 63)),
               refused = to_gateway(udp(Router::kGatewayIp, 31));
  CapturedFrame lost = dropped("wan0", refused, "TxQueueFull");
  lost.direction = Direction::Out;
  ASSERT_EQ(c.packets.size(), 2u);
  EXPECT_EQ(c.packets[0], frame("wan0", Direction::Out, sent));
  EXPECT_EQ(c.packets[1], lost);
}

TEST_F(CaptureTest, PacketOfOurOwnIsDroppedAsAnIpPacket) {
  c.start(r, {.drops = true});
  must(r.manager.ping({.destination = ip("192.0.2.255"), .source = Router::kWanIp, .size = 8},
                      [](const auto&) {}));
  settle();
  ASSERT_EQ(c.packets.size(), 1u);
  EXPECT_EQ(c.packets[0].layer, Layer::Ip);
  EXPECT_EQ(c.packets[0].interface, "");
  EXPECT_EQ(c.packets[0].bytes[0], 0x45);
  EXPECT_EQ(c.packets[0].direction, Direction::None);
  r.run_for(3);
}

TEST_F(CaptureTest, FilterOfDropsSeesTheFrame) {
  c.start(r, {.drops = true, .filter = "ether src 02:00:00:00:00:02 and dst host 8.8.8.8"});
  r.receive(r.lan, from_host(udp(ip("8.8.8.8"))));
  r.receive(r.lan, from_host(udp(ip("9.9.9.9"))));
  settle();
  EXPECT_EQ(c.packets, (Frames{dropped("lan0", from_host(udp(ip("8.8.8.8"))), "Ip4NoRoute")}));
}

TEST_F(CaptureTest, SlowClientLosesPacketsAndIsTold) {
  c.start(r, {.interfaces = {"lan0"}});
  r.receive(r.lan, from_host(udp()));
  settle();
  c.willing = false;
  for (int i = 0; i < 5; ++i) r.receive(r.lan, from_host(udp()));
  settle();
  c.willing = true;
  r.receive(r.lan, from_host(udp()));
  finish(c);
  EXPECT_EQ(c.packets.size(), 2u);
  ASSERT_EQ(c.totals.size(), 1u);
  EXPECT_EQ(c.totals[0].interface, "lan0");
  EXPECT_EQ(c.totals[0].received, 7u);
  EXPECT_EQ(c.totals[0].lost, 5u);
}

TEST_F(CaptureTest, FullRingLosesPacketsAndCounts) {
  c.start(r, {.interfaces = {"lan0"}});
  const Packet big = from_host(udp(Router::kGatewayIp, 64, 1400));
  for (int i = 0; i < 2000; ++i) {
    r.lan.push(big);
    if (i % 32 == 31) r.run_workers();  // the manager does not look
    if (i % 500 == 499) (void)r.wan.take_sent();
  }
  while (r.lan.waiting() != 0) r.run_workers();
  finish(c);
  EXPECT_LT(c.packets.size(), 2000u);
  EXPECT_GT(c.packets.size(), 500u);
  EXPECT_EQ(c.packets.size() + c.lost(), 2000u);
  for (const CapturedFrame& p : c.packets) EXPECT_EQ(p.bytes, big);
}

TEST_F(CaptureTest, SeveralAtOnceAndOneMoreIsRefused) {
  std::array<Captured, polluxd::Observers::kMaxCaptures> all;
  for (Captured& each : all) each.start(r, {.interfaces = {"lan0"}});
  Traced t;
  t.start(r, "udp", 1);
  EXPECT_EQ(refusal(r.manager.start_capture({.interfaces = {"lan0"}}, c.sink())), core::Errc::Full);
  r.receive(r.lan, from_host(udp()));
  settle();
  for (const Captured& each : all) EXPECT_EQ(each.packets.size(), 1u);
  EXPECT_EQ(t.ways.size(), 1u);
  finish(all[1]);
  c.start(r, {.interfaces = {"lan0"}});
  r.receive(r.lan, from_host(udp()));
  settle();
  EXPECT_EQ(c.packets.size(), 1u);
  EXPECT_EQ(all[0].packets.size(), 2u);
  EXPECT_EQ(all[1].packets.size(), 1u);
}

TEST_F(CaptureTest, RefusesWhatItCannotDo) {
  const auto refused = [&](const polluxd::CaptureSpec& spec) {
    return refusal(r.manager.start_capture(spec, c.sink()));
  };
  EXPECT_EQ(refused({}), core::Errc::Invalid);
  EXPECT_EQ(refused({.interfaces = {"nosuch0"}}), core::Errc::NotFound);
  EXPECT_EQ(refused({.interfaces = {"lan0"}, .snaplen = 0}), core::Errc::Invalid);
  EXPECT_EQ(refused({.interfaces = {"lan0"}, .snaplen = 65536}), core::Errc::Invalid);
  EXPECT_EQ(refused({.interfaces = {"lan0"}, .filter = "no such word"}), core::Errc::Invalid);
  EXPECT_EQ(r.manager.published().read().observation, nullptr);
}

TEST_F(CaptureTest, FollowsTheNameOfAnInterface) {
  c.start(r, {.interfaces = {"wan0"}});
  must(r.manager.destroy_interface("wan0"));
  r.receive(r.lan, from_host(udp()));
  polluxd::InterfaceSpec spec;
  spec.name = "wan0";
  spec.addresses = {{Router::kWanIp, 24}};
  must(r.attach(r.wan, spec, Router::kWanMac));
  must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, Router::kGatewayMac}));
  c.packets.clear();
  r.receive(r.lan, from_host(udp()));
  settle();
  const CapturedFrame last = frame("wan0", Direction::Out, to_gateway(udp(Router::kGatewayIp, 63)));
  EXPECT_NE(std::find(c.packets.begin(), c.packets.end(), last), c.packets.end());
  r.run_for(3);
}

Packet tagged(Packet bytes, std::uint8_t id) {
  const std::uint8_t tag[] = {0x81, 0x00, 0x00, id};
  bytes.insert(bytes.begin() + 12, std::begin(tag), std::end(tag));
  return bytes;
}

TEST_F(CaptureTest, VlanIsSeenWithoutItsTagsAndThePortBeneathWithThem) {
  polluxd::InterfaceSpec spec;
  spec.driver = "vlan";
  spec.options = {{"parent", "lan0"}, {"id", "100"}};
  spec.name = "vlan100";
  spec.addresses = {{ip("10.100.0.1"), 24}};
  must(r.manager.create_interface(spec));
  must(r.manager.add_neighbor({"vlan100", ip("10.100.0.2"), Router::kHostMac}));
  r.run_for(3);
  (void)r.lan.take_sent();
  Captured vlan, drops;
  vlan.start(r, {.interfaces = {"vlan100"}, .filter = "udp"});
  c.start(r, {.interfaces = {"lan0"}});
  drops.start(r, {.drops = true});
  const Packet in =
      from_host(ip4_udp({.src = ip("10.100.0.2"), .dst = ip("10.100.0.2")}, {}, pattern(8)));
  const Packet out = to_host(
      ip4_udp({.ttl = 63, .src = ip("10.100.0.2"), .dst = ip("10.100.0.2")}, {}, pattern(8)));
  r.receive(r.lan, tagged(in, 100));
  r.receive(r.lan, tagged(in, 77));
  const Packet no_route =
      from_host(ip4_udp({.src = ip("10.100.0.2"), .dst = ip("8.8.8.8")}, {}, pattern(8)));
  r.receive(r.lan, tagged(no_route, 100));
  r.receive(r.lan, tagged(from_host(udp()), 0));
  settle();
  // An error about no route leaves by the VLAN too, and is no UDP.
  EXPECT_EQ(vlan.packets,
            (Frames{frame("vlan100", Direction::In, in), frame("vlan100", Direction::Out, out),
                    frame("vlan100", Direction::In, no_route)}));
  ASSERT_EQ(c.packets.size(), 6u);
  EXPECT_EQ(c.packets[0], frame("lan0", Direction::In, tagged(in, 100)));
  EXPECT_EQ(c.packets[1], frame("lan0", Direction::Out, tagged(out, 100)));
  EXPECT_EQ(c.packets[5], frame("lan0", Direction::In, tagged(from_host(udp()), 0)));
  EXPECT_EQ(drops.packets, (Frames{dropped("lan0", tagged(in, 77), "VlanUnknown"),
                                   dropped("vlan100", no_route, "Ip4NoRoute")}));
}

class CaptureTunnel : public TwoGateways {
protected:
  CaptureTunnel() { meet(); }
};

TEST_F(CaptureTunnel, BeforeAndAfterEncryption) {
  Captured out, in, tunnel;
  out.start(left.r, {.ipsec = true});
  in.start(right.r, {.ipsec = true});
  tunnel.start(right.r, {.interfaces = {"ipsec0"}, .filter = "udp"});
  Ip4 f = left_to_right();
  send(left, ip4_udp(f, {}, pattern(100)));
  const Packets esp = esp_frames();
  ASSERT_EQ(esp.size(), 1u);
  f.ttl = 63;
  const Packet clear = ip4_udp(f, {}, pattern(100));
  const auto n = static_cast<std::uint32_t>(clear.size());
  EXPECT_EQ(out.packets, (Frames{{"ipsec0", Direction::Out, Layer::Ip, clear, n, ""},
                                 frame("wan0", Direction::Out, esp[0])}));
  const CapturedFrame opened{"ipsec0", Direction::In, Layer::Ip, clear, n, ""};
  EXPECT_EQ(in.packets, (Frames{frame("wan0", Direction::In, esp[0]), opened}));
  EXPECT_EQ(tunnel.packets, (Frames{opened}));
}

TEST_F(CaptureTunnel, WrongIcvIsCapturedAsItCame) {
  Captured c;
  c.start(right.r, {.drops = true});
  send(left, ip4_udp(left_to_right(), {}, pattern(100)), [](Packet& p) { p.back() ^= 1; });
  const Packets esp = esp_frames();
  ASSERT_EQ(esp.size(), 1u);
  EXPECT_EQ(c.packets, (Frames{dropped("wan0", esp[0], "EspBadIcv")}));
}

TEST_F(CaptureTunnel, InnerPacketIsDroppedAsAnIpPacketOfTheTunnel) {
  Captured c;
  c.start(right.r, {.drops = true});
  Ip4 f = left_to_right();
  f.ttl = 2;
  send(left, ip4_udp(f, {}, pattern(8)));
  f.ttl = 1;
  EXPECT_EQ(c.packets,
            (Frames{dropped("ipsec0", ip4_udp(f, {}, pattern(8)), "Ip4TtlExpired", Layer::Ip)}));
}

TEST_F(CaptureTunnel, LinkLayerFilterOnATunnelIsRefused) {
  EXPECT_EQ(refusal(left.r.manager.start_capture(
                {.interfaces = {"ipsec0"}, .filter = "ether src 02:00:00:00:00:02"}, {})),
            core::Errc::Invalid);
}
}  // namespace
