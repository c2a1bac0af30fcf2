// SPDX-License-Identifier: BSD-3-Clause
// The ways of packets, step by step, as a trace tells them.
#include "tests/stage/observe_lab.hh"
#include "tests/stage/two_gateways.hh"

namespace {
using namespace test;
using Ways = std::vector<Traced::Way>;

class TraceTest : public testing::Test {
protected:
  TraceTest() {
    r.configure();
    must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
  }
  static Packet udp(std::uint32_t dst, std::uint8_t ttl = 64) {
    return ip4_udp({.ttl = ttl, .src = Router::kHostIp, .dst = dst}, {}, pattern(30));
  }
  void know_gateway() {
    must(r.manager.add_neighbor({"wan0", Router::kGatewayIp, Router::kGatewayMac}));
  }
  void settle() {
    for (int i = 0; i < 4; ++i) r.iterate();
  }

  Router r;
  Traced t;
};

TEST_F(TraceTest, Forwarded) {
  know_gateway();
  t.start(r, "udp", 1);
  r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_forward",
                           "ether_output", "sent wan0 queue 0"}}));
  EXPECT_TRUE(t.ended);
  EXPECT_EQ(t.lost, 0u);
  // The headers as they were at each moment: the frame that came, and the one that went.
  const auto& first = t.steps.at(0).front().record;
  const auto& last = t.steps.at(0).back().record;
  const Packet in = from_host(udp(Router::kGatewayIp)),
               out = to_gateway(udp(Router::kGatewayIp, 63));
  ASSERT_EQ(first.captured, std::min(in.size(), core::TraceRecord::kBytes));
  EXPECT_TRUE(std::equal(first.bytes.begin(), first.bytes.begin() + first.captured, in.begin()));
  EXPECT_TRUE(std::equal(last.bytes.begin(), last.bytes.begin() + last.captured, out.begin()));
  EXPECT_EQ(last.length, out.size());
  for (std::size_t i = 1; i < t.steps[0].size(); ++i)
    EXPECT_GE(t.steps[0][i].at_ns, t.steps[0][i - 1].at_ns);
}

TEST_F(TraceTest, DroppedForItsTtlAndTheErrorThatTellsSo) {
  know_gateway();
  t.start(r, "", 2);
  r.receive(r.lan, from_host(udp(Router::kGatewayIp, 1)));
  settle();
  ASSERT_EQ(t.ways.size(), 2u);
  const Ways expected{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_forward",
                       "icmp4_error", "dropped Ip4TtlExpired"},
                      {"own", "ip4_output", "ether_output", "sent lan0 queue 0"}};
  EXPECT_EQ(t.ways, expected);
}

TEST_F(TraceTest, ArpRequestBecomesItsAnswer) {
  t.start(r, "arp", 1);
  r.receive(r.lan, arp_frame({.sender_mac = Router::kHostMac,
                              .sender_ip = Router::kHostIp,
                              .target_ip = Router::kLanIp}));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "arp_input", "sent lan0 queue 0"}}));
}

TEST_F(TraceTest, ArpReplyIsDelivered) {
  t.start(r, "arp", 1);
  r.receive(r.lan, arp_frame({.operation = 2,
                              .sender_mac = Router::kHostMac,
                              .sender_ip = Router::kHostIp,
                              .target_mac = Router::kLanMac,
                              .target_ip = Router::kLanIp}));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "arp_input", "delivered"}}));
}

TEST_F(TraceTest, EchoRequestBecomesItsReply) {
  t.start(r, "icmp", 1);
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_local",
                           "icmp4_input", "ip4_output", "ether_output", "sent lan0 queue 0"}}));
}

TEST_F(TraceTest, HeldUntilTheNeighbourAnswers) {
  t.start(r, "udp", 1);
  r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
  settle();
  EXPECT_EQ(t.ways, Ways{}) << "its way has not ended";
  EXPECT_EQ(r.held(), 1u);
  r.receive(r.wan, arp_frame({.operation = 2,
                              .sender_mac = Router::kGatewayMac,
                              .sender_ip = Router::kGatewayIp,
                              .target_mac = Router::kWanMac,
                              .target_ip = Router::kWanIp}));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "held",
                           "neighbor_hold", "ip4_lookup", "ip4_forward", "ether_output",
                           "sent wan0 queue 0"}}));
}

TEST_F(TraceTest, RequestOfOurOwnIsSeenFromWhereItIsMade) {
  t.start(r, "arp and dst host 192.0.2.254", 1);
  r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
  settle();
  EXPECT_EQ(t.ways, (Ways{{"own", "handoff_input", "sent wan0 queue 0"}}));
  r.run_for(20);  // the packet that waited is given up
}

TEST_F(TraceTest, FullTransmitQueueIsTold) {
  know_gateway();
  r.wan.set_tx_limit(1);
  t.start(r, "udp", 2);
  r.receive(r.lan, Packets{from_host(udp(Router::kGatewayIp)), from_host(udp(Router::kGatewayIp))});
  settle();
  ASSERT_EQ(t.ways.size(), 2u);
  EXPECT_EQ(t.ways[0].back(), "sent wan0 queue 0");
  EXPECT_EQ(t.ways[1].back(), "dropped TxQueueFull");
}

TEST_F(TraceTest, TakesWhatTheFilterTakesAndEndsAfterItsCount) {
  know_gateway();
  t.start(r, "udp and dst host 192.0.2.254", 3);
  for (int i = 0; i < 10; ++i) {
    r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
    r.receive(r.lan, from_host(udp(ip("192.0.2.99"))));
  }
  settle();
  EXPECT_EQ(t.ways.size(), 3u);
  EXPECT_TRUE(t.ended);
  EXPECT_EQ(r.manager.published().read().observation, nullptr) << "nobody watches any more";
  r.run_for(20);
}

TEST_F(TraceTest, MarksDoNotOutliveTheirPackets) {
  know_gateway();
  t.start(r, "udp", 1000);
  for (int i = 0; i < 100; ++i) {
    r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
    r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})));
  }
  settle();
  EXPECT_EQ(t.ways.size(), 100u) << "an echo request in a used buffer counts as traced";
}

TEST_F(TraceTest, StoppedTellsOfPacketsUnderWayToo) {
  t.start(r, "udp", 5);
  r.receive(r.lan, from_host(udp(Router::kGatewayIp)));
  settle();
  r.manager.stop_observer(t.id);
  settle();
  ASSERT_EQ(t.ways.size(), 1u);
  EXPECT_EQ(t.ways[0].back(), "held");
  EXPECT_TRUE(t.ended);
  r.run_for(20);
}

TEST_F(TraceTest, FullRingCountsWhatIsLost) {
  know_gateway();
  t.start(r, "udp", 100'000);
  for (int i = 0; i < 1000; ++i) r.lan.push(from_host(udp(Router::kGatewayIp)));
  while (r.lan.waiting() != 0) r.run_workers();  // the manager does not look
  (void)r.wan.take_sent();
  r.manager.stop_observer(t.id);
  settle();
  EXPECT_TRUE(t.ended);
  EXPECT_EQ(t.lost, 7 * 1000u - 4096u);
}

TEST_F(TraceTest, RefusesWhatItCannotDo) {
  const auto refused = [&](const polluxd::TraceSpec& spec) {
    return refusal(r.manager.start_trace(spec, {}));
  };
  EXPECT_EQ(refused({0, ""}), core::Errc::Invalid);
  EXPECT_EQ(refused({1'000'001, ""}), core::Errc::Invalid);
  for (const char* bad : {"udp and", "host example.com", "port http", "((((", "frobnicate",
                          "ether host 1:2", "tcp[", "net 10.0.0.0/99"})
    EXPECT_EQ(refused({1, bad}), core::Errc::Invalid) << bad;
  EXPECT_EQ(refused({1, std::string(5000, ' ')}), core::Errc::Invalid);
  EXPECT_EQ(refused({1, std::string("udp\0", 4)}), core::Errc::Invalid);
  EXPECT_EQ(r.manager.published().read().observation, nullptr);
  t.start(r, "udp", 1);
  EXPECT_EQ(refused({1, ""}), core::Errc::Full);
  r.manager.stop_observer(t.id);
  r.iterate();
  Traced again;
  again.start(r, "udp", 1);
}

TEST(TraceWorkers, HandedToTheWorkerThatSends) {
  Router r{{.workers = 2}};
  r.configure(/*lan_queues=*/2, /*wan_queues=*/1);
  r.know_neighbors();
  Traced t;
  t.start(r, "udp", 1);
  r.lan.push(from_host(ip4_udp({.src = Router::kHostIp, .dst = Router::kGatewayIp}, {}, {})), 1);
  for (int i = 0; i < 6; ++i) r.iterate();
  EXPECT_EQ(t.ways, (Ways{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_forward",
                           "ether_output", "handed to 0", "handoff_input", "sent wan0 queue 0"}}));
}

class TraceTunnel : public TwoGateways {
protected:
  TraceTunnel() { meet(); }
};

TEST_F(TraceTunnel, SealedAndOpenedStaysOnePacket) {
  Traced out, in;
  out.start(left.r, "udp", 1);
  in.start(right.r, "esp", 1);
  send(left, ip4_udp(left_to_right(), {}, pattern(100)));
  EXPECT_EQ(out.ways,
            (Ways{{"received lan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_forward",
                   "esp_output", "ip4_output", "ether_output", "sent wan0 queue 0"}}));
  EXPECT_EQ(in.ways, (Ways{{"received wan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_local",
                            "esp_input", "opened ipsec0", "ip4_input", "ip4_lookup", "ip4_forward",
                            "ether_output", "sent lan0 queue 0"}}));
}

TEST_F(TraceTunnel, InnerPacketEntersByTheFilter) {
  Traced in;
  in.start(right.r, "udp", 1);
  send(left, ip4_udp(left_to_right(), {}, pattern(100)));
  ASSERT_EQ(in.ways.size(), 1u);
  EXPECT_EQ(in.ways[0].front(), "opened ipsec0");
  EXPECT_EQ(in.ways[0].back(), "sent lan0 queue 0");
}

TEST_F(TraceTunnel, WrongIcvIsTheVerdict) {
  Traced in;
  in.start(right.r, "esp", 1);
  send(left, ip4_udp(left_to_right(), {}, pattern(100)), [](Packet& frame) { frame.back() ^= 1; });
  EXPECT_EQ(in.ways, (Ways{{"received wan0", "ether_input", "ip4_input", "ip4_lookup", "ip4_local",
                            "esp_input", "dropped EspBadIcv"}}));
}
}  // namespace
