// SPDX-License-Identifier: BSD-3-Clause
// The whole pipeline and ARP: who asks whom, what waits meanwhile.
#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;
using proto::NeighborState;
constexpr std::uint32_t kFar = 0xac100509;  // 172.16.5.9, behind the gateway

class Neighbors : public testing::Test {
protected:
  Neighbors() {
    r.configure();
    must(r.manager.add_route({{ip("172.16.0.0"), 12}, Kind::Unicast, Router::kGatewayIp, ""}));
  }
  ~Neighbors() override { r.expect_conservation(); }

  static Packet numbered(std::uint32_t dst, std::uint16_t id, std::uint8_t ttl = 64) {
    return ip4_udp({.id = id, .ttl = ttl, .src = Router::kHostIp, .dst = dst}, {}, pattern(8));
  }
  /// What the router asks `target` with.
  static Packet request(std::uint32_t target, const core::MacAddress& to = core::kBroadcastMac) {
    return ether(
        {.dst = to, .src = Router::kWanMac, .type = 0x0806},
        arp({.sender_mac = Router::kWanMac, .sender_ip = Router::kWanIp, .target_ip = target}));
  }
  static Packet reply(std::uint32_t sender, const core::MacAddress& from) {
    return arp_frame({.operation = 2,
                      .sender_mac = from,
                      .sender_ip = sender,
                      .target_mac = Router::kWanMac,
                      .target_ip = Router::kWanIp});
  }
  void know_host() { must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac})); }

  Router r;
};

TEST_F(Neighbors, RequestForUsIsAnsweredAndTheAskerKnown) {
  r.receive(r.lan, arp_frame({.sender_mac = Router::kHostMac,
                              .sender_ip = Router::kHostIp,
                              .target_ip = Router::kLanIp}));
  EXPECT_EQ(r.lan.take_sent(),
            (Packets{ether({.dst = Router::kHostMac, .src = Router::kLanMac, .type = 0x0806},
                           arp({.operation = 2,
                                .sender_mac = Router::kLanMac,
                                .sender_ip = Router::kLanIp,
                                .target_mac = Router::kHostMac,
                                .target_ip = Router::kHostIp}))}));
  EXPECT_EQ(r.neighbor(Router::kHostIp), NeighborState::Reachable);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Neighbors, HeldPacketsAreReleasedInOrderWhenTheReplyComes) {
  r.receive(r.lan, {from_host(numbered(kFar, 1)), from_host(numbered(kFar, 2))});
  r.receive(r.lan, from_host(numbered(kFar, 3)));
  EXPECT_EQ(r.held(), 3u);
  EXPECT_EQ(r.wan.take_sent(), (Packets{request(Router::kGatewayIp)})) << "asked once";
  EXPECT_EQ(r.neighbor(Router::kGatewayIp), NeighborState::Incomplete);
  r.receive(r.wan, reply(Router::kGatewayIp, Router::kGatewayMac));
  EXPECT_EQ(r.wan.take_sent(),
            (Packets{to_gateway(numbered(kFar, 1, 63)), to_gateway(numbered(kFar, 2, 63)),
                     to_gateway(numbered(kFar, 3, 63))}));
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Neighbors, HeldPacketsLeaveBeforeNewerOnes) {
  r.receive(r.lan, from_host(numbered(kFar, 1)));
  EXPECT_EQ(r.wan.take_sent(), (Packets{request(Router::kGatewayIp)}));
  r.wan.push(reply(Router::kGatewayIp, Router::kGatewayMac));
  r.run_workers();
  r.manager.poll(r.now_us);  // reachable from here on, and the first packet still waits
  r.lan.push(from_host(numbered(kFar, 2)));
  r.run_workers();
  EXPECT_EQ(r.wan.take_sent(),
            (Packets{to_gateway(numbered(kFar, 1, 63)), to_gateway(numbered(kFar, 2, 63))}));
}

TEST_F(Neighbors, OnTheLinkTheDestinationIsAskedFor) {
  const std::uint32_t host = ip("192.0.2.77");
  r.receive(r.lan, from_host(numbered(host, 1)));
  EXPECT_EQ(r.wan.take_sent(), (Packets{request(host)}));
  r.receive(r.wan, reply(host, mac(77)));
  EXPECT_EQ(r.wan.take_sent(),
            (Packets{ether({.dst = mac(77), .src = Router::kWanMac}, numbered(host, 1, 63))}));
}

TEST_F(Neighbors, SilentOneFailsAndItsSourceIsTold) {
  know_host();
  const Packet packet = numbered(kFar, 1);
  r.receive(r.lan, from_host(packet));
  r.run_for(4);
  EXPECT_EQ(r.wan.take_sent(), Packets(3, request(Router::kGatewayIp)));
  EXPECT_EQ(r.neighbor(Router::kGatewayIp), NeighborState::Failed);
  EXPECT_EQ(r.drops(), (Drops{{"NeighborFailed", 1}}));
  EXPECT_EQ(r.held(), 0u);
  const Packet told = to_host(ip4_icmp({.tos = 0xc0, .src = Router::kLanIp, .dst = Router::kHostIp},
                                       {.type = 3, .code = 1, .word1 = 0, .word2 = 0}, packet));
  EXPECT_EQ(r.lan.take_sent(), (Packets{told}));
  // While it is left alone, packets are refused at once and nobody asks.
  r.receive(r.lan, from_host(packet));
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
  EXPECT_EQ(r.wan.sent(), 0u);
  // After that it is asked for again.
  r.run_for(21);
  r.receive(r.lan, from_host(packet));
  EXPECT_EQ(r.wan.take_sent(), (Packets{request(Router::kGatewayIp)}));
}

TEST_F(Neighbors, OurOwnAnswersWaitToo) {
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})));
  EXPECT_EQ(r.held(), 1u);
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "the ARP request";
  r.receive(r.lan, arp_frame({.operation = 2,
                              .sender_mac = Router::kHostMac,
                              .sender_ip = Router::kHostIp,
                              .target_mac = Router::kLanMac,
                              .target_ip = Router::kLanIp}));
  EXPECT_EQ(r.lan.take_sent(),
            (Packets{to_host(
                ip4_icmp({.src = Router::kLanIp, .dst = Router::kHostIp}, {.type = 0}, {}))}))
      << "with its TTL as it was made";
}

TEST_F(Neighbors, MoreThanMayWaitAreDropped) {
  std::vector<Packet> in;
  for (std::uint16_t n = 0; n < 20; ++n) in.push_back(from_host(numbered(kFar, n)));
  r.receive(r.lan, in);
  EXPECT_EQ(r.held(), 16u);
  EXPECT_EQ(r.drops(), (Drops{{"NeighborHoldFull", 4}}));
}

TEST_F(Neighbors, MoreHeldThanABurstGoInSeveralIterations) {
  std::vector<Packet> in;
  for (std::uint32_t n = 0; n < 160; ++n)
    in.push_back(from_host(numbered(ip("192.0.2.16") + n / 16, static_cast<std::uint16_t>(n))));
  r.receive(r.lan, in);
  ASSERT_EQ(r.held(), 160u);
  (void)r.wan.take_sent();
  for (std::uint32_t n = 0; n < 10; ++n) r.wan.push(reply(ip("192.0.2.16") + n, mac(77)));
  for (int i = 0; i < 5; ++i) r.iterate();
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.wan.take_sent().size(), 160u);
}

TEST_F(Neighbors, RouteThatChangesMeanwhileDecides) {
  r.receive(r.lan, from_host(numbered(kFar, 1)));
  ASSERT_EQ(r.held(), 1u);
  must(r.manager.delete_route({ip("172.16.0.0"), 12}));
  must(r.manager.add_route({{ip("172.16.0.0"), 12}, Kind::Blackhole, {}, ""}));
  r.run_for(2);
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Blackhole", 1}}));
}

TEST_F(Neighbors, AddressThatBecomesOursMeanwhileAnswers) {
  know_host();
  const std::uint32_t address = ip("192.0.2.88");
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = address}, {}, {})));
  ASSERT_EQ(r.held(), 1u);
  must(r.manager.add_address("wan0", {address, 24}));
  r.run_for(2);
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(
      r.lan.take_sent(),
      (Packets{to_host(ip4_icmp({.src = address, .dst = Router::kHostIp}, {.type = 0}, {}))}));
}

TEST_F(Neighbors, UsedOneIsRefreshedByUnicast) {
  must(r.manager.set_sysctl("net.inet.arp.keep", 20));
  must(r.manager.set_sysctl("net.inet.arp.refresh", 5));
  r.receive(r.lan, from_host(numbered(kFar, 1)));
  r.receive(r.wan, reply(Router::kGatewayIp, Router::kGatewayMac));
  r.receive(r.lan, from_host(numbered(kFar, 2)));
  (void)r.wan.take_sent();
  r.run_for(16);
  EXPECT_EQ(r.neighbor(Router::kGatewayIp), NeighborState::Probe);
  const auto asked = r.wan.take_sent();
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked[0], request(Router::kGatewayIp, Router::kGatewayMac));
  r.receive(r.lan, from_host(numbered(kFar, 3)));
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(numbered(kFar, 3, 63))})) << "still used";
  r.receive(r.wan, reply(Router::kGatewayIp, Router::kGatewayMac));
  EXPECT_EQ(r.neighbor(Router::kGatewayIp), NeighborState::Reachable);
}

TEST_F(Neighbors, UnaskedRepliesTeachNothing) {
  for (std::uint32_t n = 0; n < 100; ++n)
    r.receive(r.wan, reply(ip("192.0.2.100") + n, mac(static_cast<std::uint8_t>(n))));
  EXPECT_EQ(r.manager.neighbors().size(), 1u) << "the gateway, idle";
  EXPECT_EQ(r.neighbor(Router::kGatewayIp), NeighborState::Idle);
}

TEST_F(Neighbors, MovedGatewayIsFollowed) {
  r.receive(r.lan, from_host(numbered(kFar, 1)));
  r.receive(r.wan, reply(Router::kGatewayIp, mac(1)));
  (void)r.wan.take_sent();
  r.receive(r.wan, reply(Router::kGatewayIp, Router::kGatewayMac));
  r.receive(r.lan, from_host(numbered(kFar, 2)));
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(numbered(kFar, 2, 63))}));
}

TEST_F(Neighbors, AddressesAreAnnouncedTwiceAndDefendedOnceInTenSeconds) {  // RFC 5227 section 2
  const auto announcement = [](std::uint32_t address) {
    return ether({.dst = core::kBroadcastMac, .src = Router::kWanMac, .type = 0x0806},
                 arp({.sender_mac = Router::kWanMac, .sender_ip = address, .target_ip = address}));
  };
  const std::uint32_t fresh = ip("192.0.2.50");
  must(r.manager.add_address("wan0", {fresh, 24}));
  r.run_for(5);
  EXPECT_EQ(r.wan.take_sent(), Packets(2, announcement(fresh)));
  const Packet conflict =
      arp_frame({.sender_mac = mac(66), .sender_ip = Router::kWanIp, .target_ip = Router::kWanIp});
  for (int i = 0; i < 3; ++i) r.receive(r.wan, conflict);
  EXPECT_EQ(r.wan.take_sent(), (Packets{announcement(Router::kWanIp)}));
  r.run_for(11);
  r.receive(r.wan, conflict);
  EXPECT_EQ(r.wan.take_sent(), (Packets{announcement(Router::kWanIp)}));
  EXPECT_EQ(r.drops(), (Drops{{"ArpConflict", 4}}));
}

TEST_F(Neighbors, ManyDestinationsDoNotFillTheTableForGood) {
  know_host();
  must(r.manager.set_sysctl("net.inet.icmp.errppslimit", 0));
  for (std::uint32_t n = 2; n < 254; ++n)
    r.receive(r.lan, from_host(numbered(ip("192.0.2.0") + n, 1)));
  r.run_for(40);
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.manager.neighbors().size(), 2u) << "host and gateway";
  (void)r.wan.take_sent();
  r.receive(r.lan, from_host(numbered(kFar, 1)));
  EXPECT_EQ(r.wan.take_sent(), (Packets{request(Router::kGatewayIp)}));
}

/// A scan of a connected subnet fills the table with questions, never more than it holds, and costs
/// no neighbour that answers its place; traffic to that one goes on without loss.
TEST_F(Neighbors, ScanEvictsNobodyWhoLives) {
  know_host();
  must(r.manager.delete_address("wan0", {Router::kWanIp, 24}));
  must(r.manager.add_address("wan0", {ip("10.128.0.1"), 9}));
  const std::uint32_t live = ip("10.200.0.9");
  const core::MacAddress live_mac = mac(0x77);
  r.run_for(3);
  (void)r.wan.take_sent();
  const auto answer = [&](std::uint32_t who, const core::MacAddress& at) {
    r.receive(r.wan, arp_frame({.operation = 2,
                                .sender_mac = at,
                                .sender_ip = who,
                                .target_mac = Router::kWanMac,
                                .target_ip = ip("10.128.0.1")}));
  };
  r.receive(r.lan, from_host(numbered(live, 0)));
  answer(live, live_mac);
  r.iterate();
  ASSERT_EQ(r.neighbor(live), NeighborState::Reachable);
  (void)r.wan.take_sent();

  std::uint64_t arrived = 0;
  const auto collect = [&] {
    for (const Packet& f : r.wan.take_sent())
      arrived += std::equal(live_mac.begin(), live_mac.end(), f.begin()) && f[12] == 8 && f[13] == 0
                     ? 1u
                     : 0u;
  };
  constexpr std::uint32_t kScanned = 20'000;
  for (std::uint32_t n = 0; n < kScanned; n += 20) {
    Packets burst;
    for (std::uint32_t k = 0; k < 20; ++k)
      burst.push_back(from_host(numbered(ip("10.130.0.0") + 97 * (n + k), 1)));
    burst.push_back(from_host(numbered(live, 2)));
    r.receive(r.lan, std::move(burst));
    collect();
    ASSERT_LE(r.manager.neighbors().size(), r.limits.neighbors);
  }
  r.iterate();
  collect();
  EXPECT_EQ(arrived, kScanned / 20u);
  EXPECT_EQ(r.neighbor(live), NeighborState::Reachable);
  EXPECT_EQ(r.neighbor(Router::kHostIp), NeighborState::Permanent);
  r.run_for(30);  // what waited has gone
  (void)r.wan.take_sent();
  EXPECT_EQ(r.held(), 0u);
}
}  // namespace
