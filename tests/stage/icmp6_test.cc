// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp6_error.hh"
#include "proto/icmp6_input.hh"
#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using core::Stage;
using namespace test;

class Icmp6Input : public StageLab6 {
protected:
  void run(core::Burst& in, bool reassembled = false) {
    proto::Ip6LocalNext local;
    core::NotedBurst<proto::Ip6Cause> refused;
    proto::ip6_local(worker, config6, {kLan, reassembled}, in, local, refused);
    proto::ScopedBurst own;
    core::Burst nd;
    core::NotedBurst<proto::Ip6Upper> raw;
    proto::icmp6_input(worker, kLan, local.icmp, {own, nd, raw});
    for (std::size_t i = 0; i < own.size(); ++i) destinations.push_back(own.notes()[i]);
    collect("own", own);
    collect("nd", nd);
    collect("raw", raw);
    collect(refused);
  }
  Packet reply_to(const Packet& request) {
    core::Burst in;
    in.push(pool.make(request));
    run(in);
    return settle(Stage::Icmp6Input, 1).only("own");
  }
  static Packet message(std::uint8_t type) { return ip6_icmp({}, {.type = type}, pattern(28)); }
  std::vector<IpAddress> destinations;
};

TEST_F(Icmp6Input, Table) {
  using D = DropReason;
  check(Stage::Icmp6Input,
        {
            {.name = "EchoRequest", .packet = message(128), .next = "own"},
            {.name = "EchoReply", .packet = message(129), .next = "raw"},
            {.name = "Unreachable", .packet = message(1), .next = "raw"},
            {.name = "PacketTooBig", .packet = message(2), .next = "raw"},
            {.name = "TimeExceeded", .packet = message(3), .next = "raw"},
            {.name = "ParameterProblem", .packet = message(4), .next = "raw"},
            {.name = "UnknownError", .packet = message(127), .next = "raw"},
            {.name = "UnknownInformation",  // RFC 4443 section 2.4 (b)
             .packet = message(200),
             .next = "raw"},
            {.name = "ListenerQuery", .packet = message(130), .next = "nd"},
            {.name = "ListenerReport", .packet = message(143), .next = "nd"},
            {.name = "RouterSolicitation", .packet = message(133), .next = "nd"},
            {.name = "NeighborSolicitation", .packet = message(135), .next = "nd"},
            {.name = "Redirect", .packet = message(137), .next = "nd"},
            {.name = "FragmentedDiscovery",  // RFC 6980 section 5
             .packet = ip6_icmp({.extensions = {fragment6(0, false)}}, {.type = 135}, pattern(16)),
             .dropped = D::NdFragmented},
            {.name = "EchoWithoutData", .packet = ip6_icmp({}, {}, {}), .next = "own"},
            {.name = "EchoFromNobody",
             .packet = ip6_icmp({.src = IpAddress{}}, {}, {}),
             .dropped = D::Ip6BadSource},
            {.name = "Truncated",
             .packet = ip6({.next_header = 58}, pattern(7)),
             .dropped = D::Icmp6Truncated},
            {.name = "Empty", .packet = ip6({.next_header = 58}, {}), .dropped = D::Icmp6Truncated},
            {.name = "Checksum",  // RFC 4443 section 2.3
             .packet = ip6_icmp({}, {.checksum = 0x1234}, pattern(28)),
             .dropped = D::Icmp6BadChecksum},
            {.name = "ChecksumOfDiscovery",
             .packet = ip6_icmp({}, {.type = 135, .checksum = 0x1234}, pattern(28)),
             .dropped = D::Icmp6BadChecksum},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Icmp6Input, ReplyIsTheRequestTurnedRound) {  // RFC 4443 section 4.2
  EXPECT_EQ(reply_to(ip6_icmp({.traffic_class = 0x20, .flow_label = 5, .hop_limit = 3},
                              {.code = 9, .word = 0xabcd0007}, pattern(33))),
            ip6_icmp({.traffic_class = 0x20, .hop_limit = 0, .src = kOurIp6, .dst = kPeerIp6},
                     {.type = 129, .word = 0xabcd0007}, pattern(33)));
}

TEST_F(Icmp6Input, ReplyIsRightForEveryLength) {
  for (std::size_t n = 0; n < 64; ++n)
    EXPECT_EQ(
        reply_to(ip6_icmp({}, {.word = static_cast<std::uint32_t>(n * 0x1357913)}, pattern(n))),
        ip6_icmp({.hop_limit = 0, .src = kOurIp6, .dst = kPeerIp6},
                 {.type = 129, .word = static_cast<std::uint32_t>(n * 0x1357913)}, pattern(n)))
        << n;
}

TEST_F(Icmp6Input, ExtensionHeadersAreLeftBehind) {
  EXPECT_EQ(reply_to(ip6_icmp({.extensions = {{0, {}}, {60, Packet(22, 0)}}}, {}, pattern(8))),
            ip6_icmp({.hop_limit = 0, .src = kOurIp6, .dst = kPeerIp6}, {.type = 129}, pattern(8)));
}

/// The source is the route's (RFC 4443 section 4.2), and the checksum right for none.
TEST_F(Icmp6Input, GroupIsAnsweredFromNowhereYet) {
  EXPECT_EQ(reply_to(ip6_icmp({.src = addr6("fe80::2"), .dst = addr6("ff02::1")}, {}, pattern(8))),
            ip6_icmp({.hop_limit = 0, .src = IpAddress{}, .dst = addr6("fe80::2")}, {.type = 129},
                     pattern(8)));
  EXPECT_EQ(destinations, std::vector{addr6("fe80:1::2")}) << "scoped by the link";
}

TEST_F(Icmp6Input, ChainsAreVerifiedAndAnsweredInPlace) {
  const Packet request = ip6_icmp({}, {}, pattern(1001));
  for (std::size_t first = 48; first < 52; ++first) {
    core::Burst in;
    in.push(pool.make_chained(request, first));
    run(in);
    EXPECT_EQ(
        settle(Stage::Icmp6Input, 1).only("own"),
        ip6_icmp({.hop_limit = 0, .src = kOurIp6, .dst = kPeerIp6}, {.type = 129}, pattern(1001)));
  }
  Packet broken = request;
  broken.back() ^= 1;
  core::Burst in;
  in.push(pool.make_chained(broken, 128));
  run(in);
  EXPECT_EQ(settle(Stage::Icmp6Input, 1).dropped, (Drops{{"Icmp6BadChecksum", 1}}));
}

class Icmp6Error : public StageLab6 {
protected:
  static constexpr proto::Ip6Cause kExpired{DropReason::Ip6HopLimitExpired, 3, 0, 0};
  void run(core::Burst& in, const proto::Ip6Cause& cause = kExpired) {
    core::NotedBurst<proto::Ip6Cause> refused;
    for (rte_mbuf* m : in.take()) refused.push(m, cause);
    proto::ScopedBurst out;
    proto::icmp6_error(worker, shard, config6, {.interface = kLan}, refused, out);
    EXPECT_TRUE(refused.empty());
    for (std::size_t i = 0; i < out.size(); ++i) destinations.push_back(out.notes()[i]);
    collect("out", out);
  }
  Outcome put(const Packet& p, const proto::Ip6Cause& cause = kExpired, std::uint64_t n = 1) {
    core::Burst in;
    for (std::uint64_t i = 0; i < n; ++i) in.push(pool.make(p));
    run(in, cause);
    return settle(Stage::Icmp6Error, n);
  }
  std::vector<IpAddress> destinations;
  const IpAddress far = addr6("2001:db8:a1::3");
};

TEST_F(Icmp6Error, WhoIsToldTable) {  // RFC 4443 section 2.4 (e)
  struct Line {
    const char* name;
    Packet packet;
    bool told;
    proto::Ip6Cause cause = kExpired;
  };
  const auto icmp = [](std::uint8_t type, std::vector<Extension6> extensions = {}) {
    return ip6_icmp({.extensions = std::move(extensions)}, {.type = type}, pattern(8));
  };
  const proto::Ip6Cause too_big{DropReason::Ip6TooBig, 2, 0, 1400};
  const proto::Ip6Cause option{DropReason::Ip6UnknownOption, 4, 2, 42};
  const proto::Ip6Cause header{DropReason::Ip6UnknownNextHeader, 4, 1, 6};
  const Packet to_group = ip6_udp({.dst = addr6("ff02::1")}, {}, pattern(8));
  for (const Line& l : std::vector<Line>{
           {"Udp", ip6_udp({}, {}, pattern(8)), true},
           {"Empty", ip6({}, {}), true},
           {"FirstFragment", ip6({.extensions = {fragment6(0, true)}}, pattern(8)), true},
           {"LaterFragment", ip6({.extensions = {fragment6(8, true)}}, pattern(8)), true},
           {"LaterFragmentOfIcmp",
            ip6({.next_header = 58, .extensions = {fragment6(8, true)}}, pattern(8)), false},
           {"LaterFragmentOfOptions",
            ip6({.next_header = 60, .extensions = {fragment6(8, true)}}, pattern(8)), false},
           {"EchoRequest", icmp(128), true},
           {"EchoReply", icmp(129), true},
           {"Unreachable", icmp(1), false},
           {"PacketTooBig", icmp(2), false},
           {"UnknownError", icmp(127), false},
           {"Redirect", icmp(137), false},
           {"ErrorBehindExtensions", icmp(1, {{0, {}}, {60, {}}, fragment6(0, true)}), false},
           {"ErrorBehindAh", icmp(1, {{51, Packet(10, 0)}}), false},
           {"IcmpTooShortToTell", ip6({.next_header = 58}, {}), false},
           {"HeadersPastThePacket", ip6({.next_header = 60}, pattern(4)), false},
           {"FromNobody", ip6_udp({.src = IpAddress{}}, {}, pattern(8)), false},
           {"FromGroup", ip6_udp({.src = addr6("ff02::1")}, {}, pattern(8)), false},
           {"ToGroup", to_group, false},
           {"ToGroupTooBig", to_group, true, too_big},
           {"ToGroupOption", to_group, true, option},
           {"ToGroupOtherParameterProblem", to_group, false, header},
       }) {
    SCOPED_TRACE(l.name);
    const Outcome o = put(l.packet, l.cause);
    EXPECT_EQ(o.dropped, (Drops{{name_of(l.cause.reason), 1}})) << "dropped, told or not";
    EXPECT_EQ(o.originated, l.told ? 1u : 0u);
    EXPECT_EQ(o.to.contains("out"), l.told);
  }
}

TEST_F(Icmp6Error, QuotesThePacketWhole) {  // RFC 4443 section 2.4 (c)
  const Packet original = ip6_udp({.hop_limit = 1, .dst = far}, {}, pattern(100));
  EXPECT_EQ(put(original).only("out"),
            ip6_icmp({.hop_limit = 0, .src = IpAddress{}, .dst = kPeerIp6}, {.type = 3, .word = 0},
                     original));
}

/// RFC 4443 section 2.2 (a): what was for one address of ours is answered from it.
TEST_F(Icmp6Error, ComesFromTheAddressThatWasMeant) {
  const Packet original = ip6_udp({}, {}, pattern(100));
  EXPECT_EQ(put(original, {DropReason::UdpNoPort, 1, 4, 0}).only("out"),
            ip6_icmp({.hop_limit = 0, .src = kOurIp6, .dst = kPeerIp6},
                     {.type = 1, .code = 4, .word = 0}, original));
  const Packet link_local = ip6_udp({.src = addr6("fe80::2"), .dst = addr6("fe80::1")}, {}, {});
  EXPECT_EQ(put(link_local, {DropReason::UdpNoPort, 1, 4, 0}).only("out"),
            ip6_icmp({.hop_limit = 0, .src = addr6("fe80::1"), .dst = addr6("fe80::2")},
                     {.type = 1, .code = 4, .word = 0}, link_local));
  EXPECT_EQ(destinations.back(), addr6("fe80:1::2")) << "scoped by the link";
}

TEST_F(Icmp6Error, CarriesMtuAndPointer) {  // RFC 4443 sections 3.2 and 3.4
  const Packet original = ip6_udp({.dst = far}, {}, pattern(100));
  EXPECT_EQ(put(original, {DropReason::Ip6TooBig, 2, 0, 1400}).only("out"),
            ip6_icmp({.hop_limit = 0, .src = IpAddress{}, .dst = kPeerIp6},
                     {.type = 2, .word = 1400}, original));
}

TEST_F(Icmp6Error, Is1280BytesAtMost) {  // RFC 4443 section 2.4 (c)
  EXPECT_EQ(put(ip6({.dst = far}, pattern(1400))).only("out").size(), 1280u);
  EXPECT_EQ(put(ip6({.dst = far}, pattern(1192))).only("out").size(), 1280u);
  EXPECT_EQ(put(ip6({.dst = far}, pattern(1191))).only("out").size(), 1279u);
}

TEST_F(Icmp6Error, QuotesAllSegments) {
  const Packet original = ip6_udp({.dst = far}, {}, pattern(700));
  core::Burst in;
  in.push(pool.make_chained(original, 128));
  run(in);
  EXPECT_EQ(settle(Stage::Icmp6Error, 1).only("out"),
            ip6_icmp({.hop_limit = 0, .src = IpAddress{}, .dst = kPeerIp6}, {.type = 3, .word = 0},
                     original));
}

TEST_F(Icmp6Error, IsLimited) {  // RFC 4443 section 2.4 (f)
  config6.sysctl.icmp_errors_per_s = 5;
  const Packet p = ip6_udp({}, {}, {});
  EXPECT_EQ(put(p, kExpired, 20).originated, 5u);
  worker.now_us += 400'000;
  EXPECT_EQ(put(p, kExpired, 20).originated, 2u);
  config6.sysctl.icmp_errors_per_s = 0;
  worker.now_us += 3'600'000'000;
  EXPECT_EQ(put(p, kExpired, 20).originated, 0u);
}

TEST_F(Icmp6Error, WithoutABufferThePacketIsDroppedAllTheSame) {
  std::vector<rte_mbuf*> taken;
  core::Burst in;
  in.push(pool.make(ip6_udp({}, {}, {})));
  while (rte_mbuf* m = rte_pktmbuf_alloc(pool.get())) taken.push_back(m);
  run(in);
  for (rte_mbuf* m : taken) rte_pktmbuf_free(m);
  const Outcome o = settle(Stage::Icmp6Error, 1);
  EXPECT_EQ(o.dropped, (Drops{{"Ip6HopLimitExpired", 1}}));
  EXPECT_EQ(o.originated, 0u);
}
}  // namespace
