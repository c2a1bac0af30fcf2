// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp4_error.hh"
#include "proto/icmp4_input.hh"
#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Icmp4Input : public StageLab {
protected:
  void run(core::Burst& in) {
    core::Burst out, raw;
    proto::icmp4_input(worker, config, in, out, raw);
    collect("out", out);
    collect("raw", raw);
  }
  static Packet message(std::uint8_t type) { return ip4_icmp({}, {.type = type}, pattern(28)); }
};

TEST_F(Icmp4Input, Table) {
  check(Stage::Icmp4Input,
        {
            {.name = "EchoRequest", .packet = message(8), .next = "out"},
            {.name = "EchoReply", .packet = message(0), .next = "raw"},
            {.name = "Unreachable", .packet = message(3), .next = "raw"},
            {.name = "SourceQuench", .packet = message(4), .next = "raw"},
            {.name = "Redirect", .packet = message(5), .next = "raw"},
            {.name = "TimeExceeded", .packet = message(11), .next = "raw"},
            {.name = "ParameterProblem", .packet = message(12), .next = "raw"},
            {.name = "Timestamp", .packet = message(13), .next = "raw"},
            {.name = "RouterSolicitation", .packet = message(10), .next = "raw"},
            {.name = "Type255", .packet = message(255), .next = "raw"},
            {.name = "EchoWithoutData", .packet = ip4_icmp({}, {}, {}), .next = "out"},
            {.name = "Truncated",
             .packet = ip4({.protocol = 1}, pattern(7)),
             .dropped = DropReason::Icmp4Truncated},
            {.name = "Empty",
             .packet = ip4({.protocol = 1}, {}),
             .dropped = DropReason::Icmp4Truncated},
            {.name = "Checksum",
             .packet = ip4_icmp({}, {.checksum = 0x1234}, pattern(28)),
             .dropped = DropReason::Icmp4BadChecksum},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Icmp4Input, ReplyIsTheRequestTurnedRound) {
  config.sysctl.ttl = 77;
  core::Burst in;
  in.push(pool.make(ip4_icmp({.tos = 0x20, .id = 99, .dont_fragment = true, .ttl = 3},
                             {.word1 = 0xabcd, .word2 = 7}, pattern(33))));
  run(in);
  EXPECT_EQ(settle(Stage::Icmp4Input, 1).only("out"),
            ip4_icmp({.tos = 0x20, .id = 99, .ttl = 77, .src = kOurIp, .dst = kPeerIp},
                     {.type = 0, .word1 = 0xabcd, .word2 = 7}, pattern(33)));
}

TEST_F(Icmp4Input, OptionsAreLeftBehind) {
  core::Burst in;
  in.push(pool.make(ip4_icmp({.options = {7, 7, 4, 0, 0, 0, 0}}, {}, pattern(8))));
  run(in);
  EXPECT_EQ(settle(Stage::Icmp4Input, 1).only("out"),
            ip4_icmp({.src = kOurIp, .dst = kPeerIp}, {.type = 0}, pattern(8)));
}

class Icmp4Error : public StageLab {
protected:
  static constexpr proto::Icmp4Cause kExpired{DropReason::Ip4TtlExpired, 11, 0, 0};
  void run(core::Burst& in, const proto::Icmp4Cause& cause = kExpired) {
    core::NotedBurst<proto::Icmp4Cause> refused;
    for (rte_mbuf* m : in.take()) refused.push(m, cause);
    core::Burst out;
    proto::icmp4_error(worker, shard, config, refused, out);
    EXPECT_TRUE(refused.empty());
    collect("out", out);
  }
  Outcome put(const Packet& p, const proto::Icmp4Cause& cause = kExpired, std::uint64_t n = 1) {
    core::Burst in;
    for (std::uint64_t i = 0; i < n; ++i) in.push(pool.make(p));
    run(in, cause);
    return settle(Stage::Icmp4Error, n);
  }
};

TEST_F(Icmp4Error, WhoIsToldTable) {
  struct Line {
    const char* name;
    Packet packet;
    bool told;
  };
  const auto icmp = [](std::uint8_t type) { return ip4_icmp({}, {.type = type}, pattern(8)); };
  for (const Line& l : {
           Line{"Udp", ip4_udp({}, {}, pattern(8)), true},
           Line{"Empty", ip4({}, {}), true},
           Line{"FirstFragment", ip4({.more_fragments = true}, pattern(8)), true},
           Line{"LaterFragment", ip4({.fragment_offset = 8}, pattern(8)), false},
           Line{"EchoRequest", icmp(8), true},
           Line{"EchoReply", icmp(0), true},
           Line{"Unreachable", icmp(3), false},
           Line{"SourceQuench", icmp(4), false},
           Line{"Redirect", icmp(5), false},
           Line{"TimeExceeded", icmp(11), false},
           Line{"ParameterProblem", icmp(12), false},
           Line{"ToAGroup", ip4_udp({.dst = ip("224.0.0.5")}, {}, pattern(8)), false},
           Line{"ToAll", ip4_udp({.dst = ip("255.255.255.255")}, {}, pattern(8)), false},
           Line{"FromNobody", ip4_udp({.src = 0}, {}, pattern(8)), false},
           Line{"FromAGroup", ip4_udp({.src = ip("224.0.0.1")}, {}, pattern(8)), false},
           Line{"FromAll", ip4_udp({.src = ip("255.255.255.255")}, {}, pattern(8)), false},
           Line{"FromOurselves", ip4_udp({.src = ip("127.0.0.1")}, {}, pattern(8)), true},
           Line{"IcmpTooShortToTell", ip4({.protocol = 1}, pattern(7)), false},
       }) {
    SCOPED_TRACE(l.name);
    const Outcome o = put(l.packet);
    EXPECT_EQ(o.dropped, (Drops{{"Ip4TtlExpired", 1}})) << "dropped, told or not";
    EXPECT_EQ(o.originated, l.told ? 1u : 0u);
    EXPECT_EQ(o.to.contains("out"), l.told);
  }
}

TEST_F(Icmp4Error, QuotesThePacketWhole) {  // RFC 1812 section 4.3.2
  const Packet original = ip4_udp({.ttl = 1, .dst = ip("10.1.2.3")}, {}, pattern(100));
  const Packet error = ip4_icmp({.tos = 0xc0, .src = 0, .dst = kPeerIp},
                                {.type = 11, .word1 = 0, .word2 = 0}, original);
  EXPECT_EQ(put(original).only("out"), error);
}

TEST_F(Icmp4Error, CarriesTheMtu) {  // RFC 1191 section 4
  const Packet original = ip4_udp({.dont_fragment = true}, {}, pattern(100));
  EXPECT_EQ(put(original, {DropReason::Ip4TooBig, 3, 4, 1400}).only("out"),
            ip4_icmp({.tos = 0xc0, .src = 0, .dst = kPeerIp},
                     {.type = 3, .code = 4, .word1 = 0, .word2 = 1400}, original));
}

TEST_F(Icmp4Error, Is576BytesAtMost) {
  const Packet error = put(ip4_udp({}, {}, pattern(1400))).only("out");
  EXPECT_EQ(error.size(), 576u);
  EXPECT_EQ(put(ip4({}, pattern(528))).only("out").size(), 576u);
  EXPECT_EQ(put(ip4({}, pattern(527))).only("out").size(), 575u);
}

TEST_F(Icmp4Error, IsLimited) {
  config.sysctl.icmp_errors_per_s = 5;
  const Packet p = ip4_udp({}, {}, {});
  EXPECT_EQ(put(p, kExpired, 20).originated, 5u);
  worker.now_us += 400'000;
  EXPECT_EQ(put(p, kExpired, 20).originated, 2u);
  worker.now_us += 3'600'000'000;
  EXPECT_EQ(put(p, kExpired, 20).originated, 5u);
  config.sysctl.icmp_errors_per_s = 0;
  worker.now_us += 3'600'000'000;
  EXPECT_EQ(put(p, kExpired, 20).originated, 0u);
}

TEST_F(Icmp4Error, WhatMayNotBeToldTakesNothingFromTheLimit) {
  config.sysctl.icmp_errors_per_s = 1;
  (void)put(ip4_icmp({}, {.type = 3}, pattern(8)), kExpired, 20);
  EXPECT_EQ(put(ip4_udp({}, {}, {})).originated, 1u);
}

TEST_F(Icmp4Error, WithoutABufferThePacketIsDroppedAllTheSame) {
  std::vector<rte_mbuf*> taken;
  core::Burst in;
  in.push(pool.make(ip4_udp({}, {}, {})));
  while (rte_mbuf* m = rte_pktmbuf_alloc(pool.get())) taken.push_back(m);
  run(in);
  for (rte_mbuf* m : taken) rte_pktmbuf_free(m);
  const Outcome o = settle(Stage::Icmp4Error, 1);
  EXPECT_EQ(o.dropped, (Drops{{"Ip4TtlExpired", 1}}));
  EXPECT_EQ(o.originated, 0u);
}
}  // namespace
