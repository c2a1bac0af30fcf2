// SPDX-License-Identifier: BSD-3-Clause
// The whole pipeline: packets through the router, and what it says when they go no further.
#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;
constexpr std::uint32_t kFar = 0xac100509;  // 172.16.5.9, behind the gateway

/// Host and gateway are known; 172.16/12 lies behind the gateway, 172.17/16 is prohibited,
/// 172.18/16 a black hole.
class Forward : public testing::Test {
protected:
  Forward() {
    r.configure();
    r.know_neighbors();
    must(r.manager.add_route({{ip("172.16.0.0"), 12}, Kind::Unicast, Router::kGatewayIp, ""}));
    must(r.manager.add_route({{ip("172.17.0.0"), 16}, Kind::Prohibit, {}, ""}));
    must(r.manager.add_route({{ip("172.18.0.0"), 16}, Kind::Blackhole, {}, ""}));
  }
  ~Forward() override { r.expect_conservation(); }

  static Packet udp(const Ip4& f, std::size_t bytes = 20) { return ip4_udp(f, {}, pattern(bytes)); }
  static Ip4 from_host_to(std::uint32_t dst) { return {.src = Router::kHostIp, .dst = dst}; }
  /// What the router says to the host about `original`.
  static Packet error(const Packet& original, Icmp4 f, std::uint16_t id = 0) {
    f.word1 = 0;
    return ip4_icmp({.tos = 0xc0, .id = id, .src = Router::kLanIp, .dst = Router::kHostIp}, f,
                    PacketBytes{original}.first(std::min<std::size_t>(original.size(), 548)));
  }
  /// The packet of the host ends with this drop and this answer, and nothing else happens.
  void expect_refused(const Packet& packet, const char* reason, Icmp4 told) {
    r.receive(r.lan, from_host(packet));
    EXPECT_EQ(r.drops(), (Drops{{reason, 1}}));
    EXPECT_EQ(r.lan.take_sent(), (Packets{to_host(error(packet, told))}));
    EXPECT_EQ(r.wan.sent(), 0u);
  }
  /// The same without an answer.
  void expect_dropped(const Packet& frame, const char* reason) {
    r.receive(r.lan, frame);
    EXPECT_EQ(r.drops(), (Drops{{reason, 1}}));
    EXPECT_EQ(r.lan.sent() + r.wan.sent(), 0u);
  }

  Router r;
};

TEST_F(Forward, TakesOneOffTheTtlAndWritesTheNextLinksHeader) {
  Ip4 f = from_host_to(kFar);
  f.ttl = 17;
  f.tos = 0xb9;
  r.receive(r.lan, from_host(udp(f)));
  f.ttl = 16;
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(udp(f))}));
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Forward, ToANeighborOnTheLink) {
  Ip4 f{.ttl = 2, .src = kFar, .dst = Router::kHostIp};
  r.receive(r.wan, from_gateway(udp(f)));
  f.ttl = 1;
  EXPECT_EQ(r.lan.take_sent(), (Packets{to_host(udp(f))}));
}

TEST_F(Forward, KeepsTheOrderOfManyBursts) {
  std::vector<Packet> in, out;
  for (std::uint16_t n = 0; n < 300; ++n) {
    Ip4 f = from_host_to(kFar);
    f.id = n;
    in.push_back(from_host(udp(f)));
    f.ttl = 63;
    out.push_back(to_gateway(udp(f)));
  }
  r.receive(r.lan, in);
  EXPECT_EQ(r.wan.take_sent(), out);
}

TEST_F(Forward, CutsLinkPadding) {
  Ip4 f = from_host_to(kFar);
  r.receive(r.lan, pad(from_host(udp(f, 1)), 60));
  f.ttl = 63;
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(udp(f, 1))}));
}

TEST_F(Forward, FragmentsInTransitAreForwarded) {
  Ip4 f = from_host_to(kFar);
  f.fragment_offset = 64;
  f.more_fragments = true;
  r.receive(r.lan, from_host(ip4(f, pattern(64))));
  f.ttl = 63;
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(ip4(f, pattern(64)))}));
}

TEST_F(Forward, WithADefaultRouteEverythingElseStaysWhereItWas) {
  must(r.manager.add_route({{0, 0}, Kind::Unicast, Router::kGatewayIp, ""}));
  r.receive(r.lan, from_host(ip4_icmp(from_host_to(Router::kLanIp), {}, pattern(8))));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "our own address answers";
  r.receive(r.lan, from_host(udp(from_host_to(ip("203.0.113.7")))));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
  for (const char* martian : {"127.0.0.1", "0.1.2.3", "240.0.0.1"})
    r.receive(r.lan, from_host(udp(from_host_to(ip(martian)))));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Martian", 3}}));
  must(r.manager.delete_route({0, 0}));
  r.receive(r.lan, from_host(udp(from_host_to(ip("203.0.113.7")))));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Martian", 3}, {"Ip4NoRoute", 1}}));
}

TEST_F(Forward, TtlExceeded) {
  Ip4 f = from_host_to(kFar);
  f.ttl = 1;
  expect_refused(udp(f), "Ip4TtlExpired", {.type = 11, .word2 = 0});
}

TEST_F(Forward, TooBigWithDfNamesTheMtu) {
  must(r.manager.set_mtu("wan0", 1280));
  Ip4 f = from_host_to(kFar);
  f.dont_fragment = true;
  expect_refused(udp(f, 1253), "Ip4TooBig", {.type = 3, .code = 4, .word2 = 1280});
}

TEST_F(Forward, FitsTheMtuExactly) {
  must(r.manager.set_mtu("wan0", 1280));
  r.receive(r.lan, from_host(udp(from_host_to(kFar), 1252)));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
}

TEST_F(Forward, NoRoute) {
  expect_refused(udp(from_host_to(ip("203.0.113.7"))), "Ip4NoRoute",
                 {.type = 3, .code = 0, .word2 = 0});
}
TEST_F(Forward, Prohibited) {
  expect_refused(udp(from_host_to(ip("172.17.0.1"))), "Ip4Prohibited",
                 {.type = 3, .code = 13, .word2 = 0});
}
TEST_F(Forward, Blackhole) {
  expect_dropped(from_host(udp(from_host_to(ip("172.18.0.1")))), "Ip4Blackhole");
}
TEST_F(Forward, MartianSource) {
  Ip4 f = from_host_to(kFar);
  f.src = ip("127.0.0.1");
  expect_dropped(from_host(udp(f)), "Ip4BadSource");
}
TEST_F(Forward, MartianDestination) {
  expect_dropped(from_host(udp(from_host_to(ip("240.1.1.1")))), "Ip4Martian");
}
TEST_F(Forward, Multicast) {
  expect_dropped(ether({.dst = {1, 0, 0x5e, 0, 0, 5}, .src = Router::kHostMac},
                       udp(from_host_to(ip("224.0.0.5")))),
                 "Ip4Multicast");
}
TEST_F(Forward, DirectedBroadcastOfAnotherLink) {  // RFC 2644
  expect_dropped(from_host(udp(from_host_to(ip("192.0.2.255")))), "Ip4DirectedBroadcast");
}
TEST_F(Forward, UnicastInALinkBroadcast) {
  expect_dropped(
      ether({.dst = core::kBroadcastMac, .src = Router::kHostMac}, udp(from_host_to(kFar))),
      "Ip4LinkBroadcast");
}
TEST_F(Forward, BadChecksum) {
  Ip4 f = from_host_to(kFar);
  f.checksum = 0x1111;
  expect_dropped(from_host(udp(f)), "Ip4BadChecksum");
}
TEST_F(Forward, ForeignFrame) {
  expect_dropped(ether({.dst = mac(99), .src = Router::kHostMac}, udp(from_host_to(kFar))),
                 "EtherNotForUs");
}

TEST_F(Forward, NotWhileItIsSwitchedOff) {
  must(r.manager.set_sysctl("net.inet.ip.forwarding", 0));
  r.receive(r.lan, from_host(udp(from_host_to(kFar))));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4NotForwarding", 1}}));
  r.receive(r.lan, from_host(ip4_icmp(from_host_to(Router::kLanIp), {}, pattern(8))));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "our own addresses still answer";
  must(r.manager.set_sysctl("net.inet.ip.forwarding", 1));
  r.receive(r.lan, from_host(udp(from_host_to(kFar))));
  EXPECT_EQ(r.wan.take_sent().size(), 1u);
}

TEST_F(Forward, NotThroughAnInterfaceThatIsDown) {
  must(r.manager.set_up("wan0", false));
  r.receive(r.lan, from_host(udp(from_host_to(kFar))));
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceGone", 1}}));
  EXPECT_EQ(r.wan.sent(), 0u);
  must(r.manager.set_up("wan0", true));
  r.receive(r.lan, from_host(udp(from_host_to(kFar))));
  r.run_for(3);
  EXPECT_EQ(r.wan.take_sent().size(), 3u) << "the packet, and its address announced twice";
}

TEST_F(Forward, NothingIsTakenInFromAnInterfaceThatIsDown) {
  must(r.manager.set_up("lan0", false));
  r.receive(r.lan, from_host(udp(from_host_to(kFar))));
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceDown", 1}}));
  EXPECT_EQ(r.wan.sent(), 0u);
}

TEST_F(Forward, EchoToUs) {
  Ip4 f = from_host_to(Router::kWanIp);  // any of our addresses, through any interface
  f.id = 5;
  r.receive(r.lan, from_host(ip4_icmp(f, {.word1 = 9, .word2 = 8}, pattern(100))));
  EXPECT_EQ(r.lan.take_sent(),
            (Packets{to_host(ip4_icmp({.id = 5, .src = Router::kWanIp, .dst = Router::kHostIp},
                                      {.type = 0, .word1 = 9, .word2 = 8}, pattern(100)))}));
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Forward, EchoToBroadcast) {
  const Packet echo = ip4_icmp(from_host_to(ip("10.1.0.255")), {}, pattern(8));
  expect_dropped(ether({.dst = core::kBroadcastMac, .src = Router::kHostMac}, echo),
                 "Icmp4EchoToBroadcast");
}

TEST_F(Forward, UdpPortUnreachable) {
  expect_refused(udp(from_host_to(Router::kLanIp)), "UdpNoPort",
                 {.type = 3, .code = 3, .word2 = 0});
}
TEST_F(Forward, ProtocolUnreachable) {
  Ip4 f = from_host_to(Router::kLanIp);
  f.protocol = 132;
  expect_refused(ip4(f, pattern(30)), "Ip4NoProtocol", {.type = 3, .code = 2, .word2 = 0});
}
TEST_F(Forward, ErrorsAboutErrorsAreNotSent) {
  Ip4 f = from_host_to(kFar);
  f.ttl = 1;
  expect_dropped(from_host(ip4_icmp(f, {.type = 3}, pattern(28))), "Ip4TtlExpired");
}

TEST_F(Forward, ErrorsAreLimited) {
  must(r.manager.set_sysctl("net.inet.icmp.errppslimit", 5));
  std::vector<Packet> in(12, from_host(udp(from_host_to(Router::kLanIp))));
  r.receive(r.lan, in);
  EXPECT_EQ(r.lan.take_sent().size(), 5u);
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 12}}));
  r.run_for(1);
  r.receive(r.lan, in);
  EXPECT_EQ(r.lan.take_sent().size(), 5u);
  must(r.manager.set_sysctl("net.inet.icmp.errppslimit", 0));
  r.run_for(1);
  r.receive(r.lan, in);
  EXPECT_EQ(r.lan.sent(), 0u);
}

TEST_F(Forward, FullTransmitQueue) {
  r.wan.set_tx_limit(3);
  r.receive(r.lan, std::vector<Packet>(5, from_host(udp(from_host_to(kFar)))));
  EXPECT_EQ(r.wan.take_sent().size(), 3u);
  EXPECT_EQ(r.drops(), (Drops{{"TxQueueFull", 2}}));
}

TEST_F(Forward, CountsByNextHopAndInterface) {
  r.receive(r.lan, std::vector<Packet>(4, from_host(udp(from_host_to(kFar)))));
  (void)r.wan.take_sent();
  for (const proto::RouteInfo& route : r.manager.routes())
    if (route.prefix == proto::Ip4Prefix{ip("172.16.0.0"), 12}) {
      EXPECT_EQ(route.packets, 4u);
      EXPECT_EQ(route.bytes, 4u * 48);
    }
  for (const auto& [name, t] : r.manager.interface_totals()) {
    if (name == "lan0") {
      EXPECT_EQ(t.rx.bytes, 4u * 62);
    } else {
      EXPECT_GE(t.tx.packets, 4u);
    }
  }
}

TEST_F(Forward, PingFromTheStack) {
  std::optional<core::Errc> failed;
  std::optional<polluxd::PingReply> reply;
  const auto done = [&](const core::Expected<polluxd::PingReply>& answer) {
    if (answer)
      reply = *answer;
    else
      failed = answer.error().code;
  };
  must(r.manager.ping({.destination = kFar}, done));
  r.iterate();
  const auto sent = r.wan.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].size(), 14u + 20 + 8 + 56);
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint16_t>(sent[0][at] << 8 | sent[0][at + 1]);
  };
  const Icmp4 answer{.type = 0, .word1 = word(38), .word2 = word(40)};
  r.now_us += 30'000;
  r.receive(r.wan, from_gateway(ip4_icmp({.ttl = 50, .src = kFar, .dst = Router::kWanIp}, answer,
                                         PacketBytes{sent[0]}.subspan(42))));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->kind, polluxd::PingReply::Kind::Reply);
  EXPECT_TRUE(reply->intact);
  EXPECT_EQ(reply->bytes, 56);
  EXPECT_EQ(reply->ttl, 50);
  EXPECT_GE(reply->rtt_us, 30'000u);
  must(r.manager.ping({.destination = kFar}, done));
  r.run_for(2);
  EXPECT_EQ(failed, core::Errc::Timeout);
  EXPECT_EQ(refusal(r.manager.ping({.destination = ip("203.0.113.7")}, done)),
            core::Errc::NotFound);
  EXPECT_EQ(
      refusal(r.manager.ping({.destination = kFar, .size = 1473, .dont_fragment = true}, done)),
      core::Errc::Invalid);
}
}  // namespace
