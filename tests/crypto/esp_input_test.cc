// SPDX-License-Identifier: BSD-3-Clause
#include <rte_mbuf.h>

#include <algorithm>

#include "tests/crypto/esp_lab.hh"

namespace {
using core::DropReason;
using test::Drops;
using test::Packet;
using Packets = std::vector<Packet>;

class EspInput : public test::EspLab {
protected:
  /// The four counters of the inbound SA that tell of drops.
  struct SaDrops {
    std::uint64_t replayed = 0, bad_icv = 0, malformed = 0, mismatched = 0;
    friend bool operator==(const SaDrops&, const SaDrops&) = default;
  };
  [[nodiscard]] SaDrops sa_drops() const {
    const auto& c = in_counters();
    return {c.replayed.read(), c.bad_icv.read(), c.malformed.read(), c.mismatched.read()};
  }
  [[nodiscard]] static Packet outer_only(std::size_t payload) {
    return test::ip4({.protocol = 50, .src = kLeftIp, .dst = kRightIp},
                     Packet(payload, std::uint8_t{0}));
  }
};

TEST_F(EspInput, OpensWhatThePeerSealed) {
  EXPECT_EQ(open({seal({})}), Packets{inner(60)});
  right_dropped({});
  EXPECT_EQ(sa_drops(), SaDrops{});
  const auto& stage = right.stages[static_cast<std::size_t>(core::Stage::EspInput)];
  EXPECT_EQ(stage.bursts.read(), 1u);
  EXPECT_EQ(stage.packets.read(), 1u);
}

TEST_F(EspInput, TakesOptionsInTheOuterHeader) {
  Sealed s;
  s.outer.options = {0x94, 0x04, 0x00, 0x00};  // router alert
  EXPECT_EQ(open({seal(s)}), Packets{inner(60)});
}

TEST_F(EspInput, MakesOneSegmentOfSeveralWhereTheFirstHasRoom) {
  const Packet sealed = seal({});
  const auto run = [&](std::size_t room) {
    test::PacketPool small{7, static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + room)};
    core::Burst burst;
    crypto::EspInputNext next;
    core::Burst& opened = next.inner;
    burst.push(small.try_make_chained(sealed, sealed.size() - 20, 13));
    crypto::esp_input(right, right_esp, config, 0, burst, next);
    Packets passed;
    for (rte_mbuf* o : opened.take()) passed.push_back(test::take_bytes(o));
    EXPECT_EQ(small.in_use(), 0u);
    return passed;
  };
  EXPECT_EQ(run(sealed.size() - 1), Packets{});
  right_dropped({{DropReason::EspChained, 1}});
  EXPECT_EQ(run(sealed.size()), Packets{inner(60)});
  right_dropped({{DropReason::EspChained, 1}});
}

TEST_F(EspInput, IgnoresLinkPaddingBehindTheOuterPacket) {
  Packet padded = seal({});
  padded.resize(padded.size() + 7);
  EXPECT_EQ(open({padded}), Packets{inner(60)});
}

TEST_F(EspInput, CutsTrafficFlowConfidentialityPadding) {  // RFC 4303 section 2.7
  Sealed s;
  s.payload.resize(s.payload.size() + 100);
  EXPECT_EQ(open({seal(s)}), Packets{inner(60)});
}

TEST_F(EspInput, TakesMorePaddingThanAlignmentNeeds) {
  for (std::uint8_t pad = 2; pad < 250; pad = static_cast<std::uint8_t>(pad + 4)) {
    Packet trailer;
    for (std::uint8_t i = 1; i <= pad; ++i) trailer.push_back(i);
    trailer.push_back(pad);
    trailer.push_back(4);
    EXPECT_EQ(open({seal({.sequence = pad, .trailer = trailer})}), Packets{inner(60)});
  }
  right_dropped({});
}

TEST_F(EspInput, ForgetsWhatTheDeviceSaidOfTheOuterPacket) {
  core::Burst burst;
  crypto::EspInputNext next;
  core::Burst& opened = next.inner;
  rte_mbuf* m = pool.make(seal({}));
  m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_RSS_HASH;
  m->packet_type = RTE_PTYPE_L4_UDP;
  burst.push(m);
  crypto::esp_input(right, right_esp, config, 0, burst, next);
  ASSERT_EQ(opened.size(), 1);
  EXPECT_EQ(opened.packets()[0]->ol_flags, 0u);
  EXPECT_EQ(opened.packets()[0]->packet_type, 0u);
  for (rte_mbuf* o : opened.take()) rte_pktmbuf_free(o);
}

TEST_F(EspInput, DropsTheMalformed) {
  struct Case {
    const char* name;
    Packet packet;
    DropReason dropped;
    SaDrops sa;
  };
  const SaDrops none{}, malformed{.malformed = 1}, mismatched{.mismatched = 1};
  const auto icv_cut = [this] {
    Packet p = seal({});
    p.pop_back();
    p[3] = static_cast<std::uint8_t>(p[3] - 1);  // Total Length
    return p;
  };
  Sealed other_src, other_dst;
  other_src.outer.src = test::ip("192.0.2.9");
  other_dst.outer.dst = test::ip("198.51.100.9");
  const Case cases[] = {
      {"NoPayload", outer_only(0), DropReason::EspTruncated, none},
      {"OneByteShort", outer_only(35), DropReason::EspTruncated, none},
      {"TextNotInWords", icv_cut(), DropReason::EspBadLength, none},
      {"TextOneByteMore", outer_only(37), DropReason::EspBadLength, none},
      {"SpiZero", outer_only(36), DropReason::EspNoSa, none},
      {"UnknownSpi", seal({.spi = kSpi + 1}), DropReason::EspNoSa, none},
      {"OtherSource", seal(other_src), DropReason::EspWrongEndpoint, mismatched},
      {"OtherDestination", seal(other_dst), DropReason::EspWrongEndpoint, mismatched},
      {"SequenceZero", seal({.sequence = 0}), DropReason::EspReplayed, {.replayed = 1}},
      {"PaddingOutOfOrder", seal({.trailer = Packet{1, 2, 3, 4, 6, 5, 6, 4}}),
       DropReason::EspBadPadding, malformed},
      {"PaddingStartsAtZero", seal({.trailer = Packet{0, 1, 2, 4}}), DropReason::EspBadPadding,
       malformed},
      {"PadLengthBeyondText", seal({.trailer = Packet{0, 0, 255, 4}}), DropReason::EspBadPadding,
       malformed},
      {"PadLengthOneTooLong", seal({.payload = {}, .trailer = Packet{1, 2, 3, 4}}),
       DropReason::EspBadPadding, malformed},
      {"Dummy", seal({.next_header = 59}), DropReason::EspDummy, none},
      {"TransportModeUdp", seal({.next_header = 17}), DropReason::EspBadNextHeader, malformed},
      {"Ip6Inside", seal({.next_header = 41}), DropReason::EspBadNextHeader, malformed},
      {"NothingInside", seal({.payload = {}}), DropReason::EspBadInner, malformed},
      {"InnerHeaderCut", seal({.payload = Packet(19, 0x45)}), DropReason::EspBadInner, malformed},
      {"InnerVersion6", seal({.payload = inner(60, {.version = 6})}), DropReason::EspBadInner,
       malformed},
      {"InnerIhl4", seal({.payload = inner(60, {.ihl = 4})}), DropReason::EspBadInner, malformed},
      {"InnerIhlBeyondLength", seal({.payload = inner(40, {.ihl = 11})}), DropReason::EspBadInner,
       malformed},
      {"InnerLongerThanPayload", seal({.payload = inner(60, {.total_length = std::uint16_t{61}})}),
       DropReason::EspBadInner, malformed},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Drops drops_before = test::drops_of(right);
    const SaDrops sa_before = sa_drops();
    // A fresh inbound SA, so that every case may use sequence number 1.
    ASSERT_TRUE(sas->remove(in));
    in = add_sa(crypto::Direction::In, kSpi);
    EXPECT_TRUE(open({c.packet}).empty());
    Drops expected = drops_before;
    ++expected[c.dropped];
    right_dropped(expected);
    const SaDrops now = sa_drops();
    EXPECT_EQ(now.replayed - sa_before.replayed, c.sa.replayed);
    EXPECT_EQ(now.bad_icv - sa_before.bad_icv, c.sa.bad_icv);
    EXPECT_EQ(now.malformed - sa_before.malformed, c.sa.malformed);
    EXPECT_EQ(now.mismatched - sa_before.mismatched, c.sa.mismatched);
    EXPECT_EQ(right.interface[kRightInterface].rx.packets.read(), 0u);
    EXPECT_EQ(in_counters().traffic.packets.read(), 0u);
  }
}

TEST_F(EspInput, RefusesEveryFlippedByteAndMovesNothing) {
  const Packet good = seal({.sequence = 5});
  std::vector<Packet> forged;
  // All but the SPI, which chooses the SA: sequence number, IV, text, ICV.
  for (std::size_t at = 24; at < good.size(); ++at) {
    forged.push_back(good);
    forged.back()[at] ^= 0x55;
  }
  EXPECT_TRUE(open(forged).empty());
  right_dropped({{DropReason::EspBadIcv, forged.size()}});
  EXPECT_EQ(sa_drops(), (SaDrops{.bad_icv = forged.size()}));
  // Some of these bore sequence numbers far ahead; the window has not moved.
  EXPECT_EQ(sas->list()[1].sequence, 0u);
  EXPECT_EQ(open({good}).size(), 1u);
}

TEST_F(EspInput, DropsReplaysWithinABurstAndAcross) {
  const Packet first = seal({.sequence = 1}), second = seal({.sequence = 2});
  // check() sees nothing of the second copy in one burst: commit() must.
  EXPECT_EQ(open({first, second, first, first}).size(), 2u);
  right_dropped({{DropReason::EspReplayed, 2}});
  EXPECT_TRUE(open({second, first}).empty());
  right_dropped({{DropReason::EspReplayed, 4}});
  EXPECT_EQ(sa_drops(), (SaDrops{.replayed = 4}));
  EXPECT_EQ(open({seal({.sequence = 200})}).size(), 1u);
  EXPECT_EQ(open({seal({.sequence = 73})}).size(), 1u);  // 200 - 127: the left edge of 128
  EXPECT_TRUE(open({seal({.sequence = 72})}).empty());
  right_dropped({{DropReason::EspReplayed, 5}});
}

TEST_F(EspInput, SelectorsBoundBothAddresses) {
  const auto prefix = [](const char* address, std::uint8_t length) {
    return proto::Ip4Prefix{test::ip(address), length};
  };
  config.tunnels[kRight].selectors = {
      {.local = prefix("10.2.0.0", 16), .remote = prefix("10.1.0.0", 24)},
      {.local = prefix("10.9.9.9", 32), .remote = prefix("0.0.0.0", 0)}};
  struct Case {
    const char *src, *dst;
    bool passes;
  };
  const Case cases[] = {
      {"10.1.0.1", "10.2.255.255", true}, {"10.1.0.255", "10.2.0.0", true},
      {"10.1.1.0", "10.2.0.1", false},    {"10.1.0.1", "10.3.0.0", false},
      {"10.2.0.1", "10.1.0.1", false},    {"172.16.0.1", "10.9.9.9", true},
      {"172.16.0.1", "10.9.9.10", false},
  };
  std::uint32_t sequence = 0;
  std::uint64_t mismatches = 0;
  for (const Case& c : cases) {
    const Packet p = inner(60, {.src = test::ip(c.src), .dst = test::ip(c.dst)});
    EXPECT_EQ(open({seal({.sequence = ++sequence, .payload = p})}).size(), c.passes ? 1u : 0u)
        << c.src << " to " << c.dst;
    mismatches += c.passes ? 0 : 1;
  }
  right_dropped({{DropReason::EspSelectorMismatch, mismatches}});
  EXPECT_EQ(sa_drops(), (SaDrops{.mismatched = mismatches}));
}

TEST_F(EspInput, AnSaWithoutItsTunnelIsNone) {
  const Packet p = seal({});
  config.tunnels[kRight].interface = core::kNoInterface;
  EXPECT_TRUE(open({p}).empty());
  config.tunnels.resize(kRight);
  EXPECT_TRUE(open({p}).empty());
  config.sas = nullptr;
  EXPECT_TRUE(open({p}).empty());
  right_dropped({{DropReason::EspNoSa, 3}});
}

TEST_F(EspInput, CarriesCongestionMarksOver) {  // RFC 6040 section 4.2
  struct Case {
    unsigned outer, inner, result;
  };
  const Case cases[] = {
      {0, 0, 0}, {0, 1, 1}, {0, 2, 2}, {0, 3, 3},  // Not-ECT outside: the inner stays
      {1, 0, 0}, {1, 1, 1}, {1, 2, 1}, {1, 3, 3},  // ECT(1)
      {2, 0, 0}, {2, 1, 1}, {2, 2, 2}, {2, 3, 3},  // ECT(0)
      {3, 0, 0}, {3, 1, 3}, {3, 2, 3}, {3, 3, 3},  // CE (for Not-ECT inside see the README)
  };
  std::uint32_t sequence = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.outer << " over " << c.inner);
    const auto with = [](unsigned ecn) {
      test::Ip4 header = inner_header();
      header.tos = static_cast<std::uint8_t>(0xb8 | ecn);
      return inner(60, header);
    };
    Sealed s{.sequence = ++sequence, .payload = with(c.inner)};
    s.outer.tos = static_cast<std::uint8_t>(0x20 | c.outer);  // DSCP outside is not taken over
    EXPECT_EQ(open({seal(s)}), Packets{with(c.result)});      // checksum and all
  }
}

TEST_F(EspInput, MixedBurstKeepsOrderAndCountsAll) {
  const auto second = add_sa(crypto::Direction::In, kSpi + 1);
  std::vector<Packet> burst, expected;
  for (std::uint32_t i = 1; i <= 64; ++i) {
    Packet p = seal({.spi = kSpi + i % 2, .sequence = i, .payload = inner(20 + i)});
    if (i % 5 == 0) p.back() ^= 1;
    if (i % 7 == 0) p[20] ^= 1;  // another SPI
    burst.push_back(p);
    if (i % 5 != 0 && i % 7 != 0) expected.push_back(inner(20 + i));
  }
  EXPECT_EQ(open(burst), expected);
  right_dropped({{DropReason::EspBadIcv, 64 / 5 - 1}, {DropReason::EspNoSa, 64 / 7}});
  EXPECT_EQ(right_esp.sa[in].traffic.packets.read() + right_esp.sa[second].traffic.packets.read(),
            expected.size());
  EXPECT_EQ(right.interface[kRightInterface].rx.packets.read(), expected.size());
}
}  // namespace
