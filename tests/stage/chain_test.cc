// SPDX-License-Identifier: BSD-3-Clause
// Packets in several segments: through the whole pipeline, wherever they are cut.
#include "tests/stage/router.hh"
#include "tests/stage/two_gateways.hh"

namespace {
using namespace test;
constexpr std::uint16_t kJumbo = 9000;

struct Cut {
  std::size_t first, others;
};
const std::vector<Cut> kCuts{{128, 128},  {129, 33},    {131, 2047},  {142, 1000},  {500, 501},
                             {1514, 777}, {2047, 2048}, {2048, 2047}, {2048, 2048}, {1999, 1}};

/// lan0 and wan0 with an MTU of 9000, whose ports send chains; host and gateway are known.
class Chains : public testing::Test {
protected:
  Chains() { bring_up(POLLUX_CAP_RSS | POLLUX_CAP_TX_CHAINED); }
  ~Chains() override { r.expect_conservation(); }

  void bring_up(std::uint32_t capabilities) {
    r.capabilities = capabilities;
    must(r.manager.set_sysctl("net.inet.ip.forwarding", 1));
    attach(r.lan, "lan0", Router::kLanIp, Router::kLanMac);
    attach(r.wan, "wan0", Router::kWanIp, Router::kWanMac);
    r.know_neighbors();
    r.run_for(3);
    for (MemoryPort* port : {&r.lan, &r.wan}) (void)port->take_sent();
  }
  void attach(MemoryPort& port, const char* name, std::uint32_t address,
              const core::MacAddress& mac) {
    polluxd::InterfaceSpec spec;
    spec.name = name;
    spec.addresses = {{address, 24}};
    must(r.attach(port, spec, mac, 1, kJumbo));
  }
  /// The same with ports that send single segments.
  void bring_up_anew_without_chains() {
    for (const char* name : {"lan0", "wan0"}) must(r.manager.destroy_interface(name));
    bring_up(POLLUX_CAP_RSS);
  }

  void receive(const Packet& frame, Cut cut) {
    r.lan.push_chained(frame, cut.first, cut.others);
    while (r.lan.waiting() != 0) r.iterate();
  }
  static Packet transit(std::size_t bytes, std::uint8_t ttl = 64) {
    return ip4_udp({.ttl = ttl, .src = Router::kHostIp, .dst = Router::kGatewayIp}, {},
                   pattern(bytes));
  }
  static Ip4 to_us() { return {.src = Router::kHostIp, .dst = Router::kLanIp}; }
  static Ip4 from_us() { return {.src = Router::kLanIp, .dst = Router::kHostIp}; }

  Router r;
};

TEST_F(Chains, AreForwardedIntactWhereverTheyAreCut) {
  for (const Cut& cut : kCuts) {
    SCOPED_TRACE(testing::Message() << cut.first << " + " << cut.others);
    receive(from_host(transit(4000)), cut);
    EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(transit(4000, 63))});
  }
  EXPECT_EQ(r.wan.chains_sent(), kCuts.size());
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Chains, MayHaveASegmentMoreThanTheLongestFrame) {
  receive(from_host(transit(kJumbo - 28)), {2048, 2048});
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(transit(kJumbo - 28, 63))});
}

TEST_F(Chains, LoseTheirPaddingAcrossSegments) {
  for (const std::size_t padding : {1U, 30U, 60U, 61U, 200U, 500U}) {
    SCOPED_TRACE(padding);
    const Packet frame = from_host(transit(300));
    receive(pad(frame, frame.size() + padding), {200, 30});
    EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(transit(300, 63))});
  }
  // Nothing is left but the first segment.
  const Packet small = from_host(transit(20));
  receive(pad(small, 400), {150, 50});
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(transit(20, 63))});
  EXPECT_EQ(r.wan.chains_sent(), 6u);
}

TEST_F(Chains, WithTheirHeadersCutAreDropped) {
  receive(from_host(transit(300)), {127, 500});
  receive(from_host(transit(300)), {14, 20});
  receive(from_host(transit(40)), {81, 1});
  EXPECT_EQ(r.drops(), (Drops{{"RxChained", 3}}));
  EXPECT_EQ(r.lan.sent() + r.wan.sent(), 0u);
}

TEST_F(Chains, TotalLengthIsJudgedByTheWholePacket) {
  Packet longer = transit(1000);
  longer.pop_back();  // a byte less than Total Length says
  receive(from_host(longer), {200, 200});
  EXPECT_EQ(r.drops(), (Drops{{"Ip4BadLength", 1}}));
}

TEST_F(Chains, EchoIsAnsweredOverAllSegments) {
  const Icmp4 echo{.word1 = 0xabcd, .word2 = 7};
  for (const Cut& cut : std::vector<Cut>{{1501, 1333}, {1500, 1333}, {128, 129}, {2048, 2048}}) {
    SCOPED_TRACE(testing::Message() << cut.first << " + " << cut.others);
    receive(from_host(ip4_icmp(to_us(), echo, pattern(4000))), cut);
    Icmp4 reply = echo;
    reply.type = 0;
    EXPECT_EQ(r.lan.take_sent(), Packets{to_host(ip4_icmp(from_us(), reply, pattern(4000)))});
  }
  // All zero but the type: the reply's checksum is minus zero.
  const Packet zeros(4000);
  receive(from_host(ip4_icmp(to_us(), {.word1 = 0, .word2 = 0}, zeros)), {1501, 1333});
  EXPECT_EQ(r.lan.take_sent(),
            Packets{to_host(ip4_icmp(from_us(), {.type = 0, .word1 = 0, .word2 = 0}, zeros))});
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Chains, AFaultInTheLastSegmentSpoilsTheChecksum) {
  Packet frame = from_host(ip4_icmp(to_us(), {}, pattern(4000)));
  frame.back() ^= 1;
  receive(frame, {1501, 1333});
  EXPECT_EQ(r.drops(), (Drops{{"Icmp4BadChecksum", 1}}));
}

TEST_F(Chains, ErrorsQuoteTheFirstSegment) {
  const Packet expired = transit(3000, 1);
  receive(from_host(expired), {214, 1000});
  EXPECT_EQ(r.drops(), (Drops{{"Ip4TtlExpired", 1}}));
  Ip4 f = from_us();
  f.tos = 0xc0;
  EXPECT_EQ(r.lan.take_sent(), Packets{to_host(ip4_icmp(f, {.type = 11, .word1 = 0, .word2 = 0},
                                                        PacketBytes{expired}.first(200)))});
}

TEST_F(Chains, UdpToUsIsJudgedByTheWholeDatagram) {
  receive(from_host(ip4_udp(to_us(), {}, pattern(3000))), {1000, 1000});
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 1}}));
  receive(from_host(ip4_udp(to_us(), {.length = 3009}, pattern(3000))), {1000, 1000});
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 1}, {"UdpBadLength", 1}}));
}

TEST_F(Chains, ArpInSeveralSegmentsIsAnsweredInOne) {
  const Packet request = arp_frame(
      {.sender_mac = Router::kHostMac, .sender_ip = Router::kHostIp, .target_ip = Router::kLanIp});
  receive(pad(request, 300), {128, 50});
  EXPECT_EQ(r.lan.take_sent().size(), 1u);
  EXPECT_EQ(r.lan.chains_sent(), 0u);
}

TEST_F(Chains, AreMadeOneSegmentForAPortThatSendsSingleOnes) {
  bring_up_anew_without_chains();
  receive(from_host(transit(1900)), {128, 100});
  r.lan.push(from_host(transit(10)));
  receive(from_host(transit(1900)), {1900, 1});
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(transit(1900, 63)), to_gateway(transit(10, 63)),
                                        to_gateway(transit(1900, 63))}));
  EXPECT_EQ(r.wan.chains_sent(), 0u);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Chains, TooLongForASegmentAreNotSentInSingleOnes) {
  bring_up_anew_without_chains();
  receive(from_host(transit(4000)), {2048, 2048});
  EXPECT_EQ(r.drops(), (Drops{{"TxChained", 1}}));
  r.lan.push_chained(from_host(transit(4000)), 2048, 2048);
  receive(from_host(transit(100)), {142, 1});
  EXPECT_EQ(r.drops(), (Drops{{"TxChained", 2}}));
  EXPECT_EQ(r.wan.take_sent(), Packets{to_gateway(transit(100, 63))});
  EXPECT_EQ(r.wan.chains_sent(), 0u);
}

using ChainsInTunnel = TwoGateways;

TEST_F(ChainsInTunnel, AreSealedAndOpenedInOneSegment) {
  meet();
  const Packet packet = ip4_udp(left_to_right(), {}, pattern(1300));
  left.r.lan.push_chained(from_host(packet), 128, 400);
  left.r.iterate();
  ASSERT_EQ(left.r.wan.sent(), 1u);
  for (Packet& p : left.r.wan.take_sent()) right.r.wan.push_chained(std::move(p), 150, 333);
  right.r.iterate();
  Ip4 arrived = left_to_right();
  arrived.ttl = 62;
  EXPECT_EQ(right.r.lan.take_sent(), Packets{to_host(ip4_udp(arrived, {}, pattern(1300)))});
  EXPECT_EQ(left.r.wan.chains_sent() + right.r.lan.chains_sent(), 0u);
}
}  // namespace
