// SPDX-License-Identifier: BSD-3-Clause
#include <rte_mbuf.h>

#include <algorithm>

#include "tests/crypto/esp_lab.hh"

namespace {
using core::DropReason;
using test::Packet;
using Packets = std::vector<Packet>;

std::uint64_t be(const Packet& p, std::size_t at, std::size_t bytes) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < bytes; ++i) v = v << 8 | p[at + i];
  return v;
}

class EspOutput : public test::EspLab {};

TEST_F(EspOutput, WritesTheOuterHeader) {
  test::Ip4 header = inner_header();
  header.tos = 0xb9;  // EF, ECT(1)
  const Packet p = send({inner(61, header)}).at(0);
  EXPECT_EQ(be(p, 0, 2), 0x45b9u);   // DSCP and ECN are the inner packet's (RFC 6040 section 4.1)
  EXPECT_EQ(be(p, 2, 2), p.size());  // Total Length
  EXPECT_EQ(be(p, 4, 4), 0x00004000u);  // Identification 0, DF
  EXPECT_EQ(be(p, 8, 2), 0x4032u);      // TTL 64, ESP
  EXPECT_EQ(test::reference_checksum(std::span{p}.first(20)), 0);
  EXPECT_EQ(be(p, 12, 4), kLeftIp);
  EXPECT_EQ(be(p, 16, 4), kRightIp);
  EXPECT_EQ(be(p, 20, 4), kSpi);
}

TEST_F(EspOutput, ChecksumHoldsForEveryTosAndLength) {
  std::vector<Packet> sent;
  for (unsigned i = 0; i < 1024; ++i) {
    test::Ip4 header = inner_header();
    header.tos = static_cast<std::uint8_t>(i);
    sent.push_back(inner(20 + i, header));
  }
  for (const Packet& p : send(sent)) EXPECT_EQ(test::reference_checksum(std::span{p}.first(20)), 0);
}

TEST_F(EspOutput, NumbersFromOneAndCountsTheIvAlong) {
  const auto sealed = send(std::vector<Packet>(150, inner(60)));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    EXPECT_EQ(be(sealed[i], 24, 4), i + 1);                      // sequence number
    EXPECT_EQ(be(sealed[i], 28, 8), (*sas)[out].birth + i + 1);  // IV
  }
}

TEST_F(EspOutput, TunnelWithoutSaDrops) {
  config.tunnels[kLeft].outbound = crypto::kNoSa;
  EXPECT_TRUE(send({inner(60), inner(80)}).empty());
  left_dropped({{DropReason::EspNoOutboundSa, 2}});
  EXPECT_TRUE(send({inner(60)}, 2).empty());    // a free slot
  EXPECT_TRUE(send({inner(60)}, 999).empty());  // not in this snapshot
  config.sas = nullptr;
  EXPECT_TRUE(send({inner(60)}).empty());
  left_dropped({{DropReason::EspNoOutboundSa, 5}});
  EXPECT_EQ(left.interface[kLeftInterface].tx.packets.read(), 0u);
}

TEST_F(EspOutput, NeverWrapsTheSequenceNumber) {  // RFC 4303 section 3.3.3
  (*sas)[out].sequence = (*sas)[out].birth + 0xfffffffd;
  const auto sealed = send(std::vector<Packet>(5, inner(60)));
  ASSERT_EQ(sealed.size(), 2u);
  EXPECT_EQ(be(sealed[1], 24, 4), 0xffffffffu);
  left_dropped({{DropReason::EspSequenceExhausted, 3}});
  EXPECT_TRUE(send({inner(60)}).empty());
  left_dropped({{DropReason::EspSequenceExhausted, 4}});
  EXPECT_EQ(sas->list()[0].sequence, 0xffffffffu);
  EXPECT_EQ(left_esp.sa[out].traffic.packets.read(), 2u);
}

TEST_F(EspOutput, NeedsRoomInFrontAndBehind) {
  // 60 bytes of inner packet: 36 in front; padding 2, trailer 2 and ICV 16 behind.
  struct Case {
    std::uint16_t headroom, tailroom;
    bool fits;
  };
  std::uint64_t dropped = 0, sent = 0;
  for (const Case& c : {Case{36, 20, true}, {35, 20, false}, {36, 19, false}, {0, 0, false}}) {
    test::PacketPool small{3, static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + 60 + c.tailroom)};
    core::NotedBurst<std::uint16_t> burst;
    core::Burst outer;
    rte_mbuf* m = small.make(inner(60));
    m->data_off = c.headroom;
    // The data moves to the front, so the room behind grows by as much: take it away again.
    m->buf_len = static_cast<std::uint16_t>(c.headroom + 60 + c.tailroom);
    const Packet bytes = inner(60);
    std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_mtod(m, std::uint8_t*));
    burst.push(m, kLeft);
    crypto::esp_output(left, left_esp, config, burst, outer);
    EXPECT_EQ(outer.size(), c.fits ? 1 : 0) << c.headroom << ", " << c.tailroom;
    for (rte_mbuf* o : outer.take()) {
      EXPECT_EQ(open({test::bytes_of(o)}), Packets{inner(60)});
      rte_pktmbuf_free(o);
      ++sent;
    }
    dropped += c.fits ? 0 : 1;
    EXPECT_EQ(small.in_use(), 0u);
  }
  left_dropped({{DropReason::EspNoRoom, dropped}});
  EXPECT_EQ(sas->list()[0].sequence, sent);  // what was dropped has left no gap
}

TEST_F(EspOutput, MakesOneSegmentOfSeveralWhereTheFirstHasRoom) {
  const auto run = [&](std::uint16_t tailroom) {
    test::PacketPool small{7, static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + 60 + tailroom)};
    core::NotedBurst<std::uint16_t> burst;
    core::Burst outer;
    burst.push(small.try_make_chained(inner(60), 30, 7), kLeft);
    crypto::esp_output(left, left_esp, config, burst, outer);
    Packets sealed;
    for (rte_mbuf* o : outer.take()) sealed.push_back(test::take_bytes(o));
    EXPECT_EQ(small.in_use(), 0u);
    return sealed;
  };
  EXPECT_EQ(open(run(20)), Packets{inner(60)});
  left_dropped({});
  EXPECT_EQ(run(19), Packets{});  // together it fits, but not with trailer and ICV
  left_dropped({{DropReason::EspNoRoom, 1}});
  test::PacketPool tiny{7, static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + 59)};
  core::NotedBurst<std::uint16_t> burst;
  core::Burst outer;
  burst.push(tiny.make_chained(inner(60), 40), kLeft);
  crypto::esp_output(left, left_esp, config, burst, outer);
  EXPECT_TRUE(outer.empty());
  left_dropped({{DropReason::EspNoRoom, 1}, {DropReason::EspChained, 1}});
}

TEST_F(EspOutput, RefusesWhatWouldExceedAnIpPacket) {
  test::PacketPool large{3, 65535};
  core::NotedBurst<std::uint16_t> burst;
  core::Burst outer;
  // With the maximal buffer of DPDK, headroom and ICV leave no room for that much anyway.
  rte_mbuf* m = large.make(inner(65535 - RTE_PKTMBUF_HEADROOM - 19));
  burst.push(m, kLeft);
  crypto::esp_output(left, left_esp, config, burst, outer);
  EXPECT_TRUE(outer.empty());
  left_dropped({{DropReason::EspNoRoom, 1}});
}

TEST_F(EspOutput, MixedBurstKeepsOrder) {
  const auto second = add_sa(crypto::Direction::Out, kSpi + 1);
  add_sa(crypto::Direction::In, kSpi + 1);
  config.tunnels[2] = config.tunnels[kLeft];
  config.tunnels[2].outbound = second;
  core::NotedBurst<std::uint16_t> burst;
  core::Burst outer;
  std::vector<Packet> sent, opened;
  for (std::size_t i = 0; i < 64; ++i) {
    sent.push_back(inner(20 + i));
    burst.push(pool.make(sent.back()), i % 3 == 0 ? 2 : kLeft);
  }
  crypto::esp_output(left, left_esp, config, burst, outer);
  std::vector<Packet> sealed;
  for (rte_mbuf* m : outer.take()) sealed.push_back(test::take_bytes(m));
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_EQ(be(sealed[i], 20, 4), i % 3 == 0 ? kSpi + 1 : kSpi);
  EXPECT_EQ(open(sealed), sent);
  EXPECT_EQ(left_esp.sa[second].traffic.packets.read(), 22u);
  EXPECT_EQ(left_esp.sa[out].traffic.packets.read(), 42u);
}
}  // namespace
