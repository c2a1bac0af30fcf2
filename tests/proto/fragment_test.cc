// SPDX-License-Identifier: BSD-3-Clause
// Packets that are larger than an MTU are cut.
#include "proto/fragment.hh"

#include <random>
#include <set>

#include "tests/proto/reassembly_lab.hh"

namespace {
using namespace test;
using Packets = std::vector<Packet>;

class Fragment : public ReassemblyLab {
protected:
  /// What becomes of the packets on their way to a hop with this MTU.
  Packets cut(const std::vector<rte_mbuf*>& packets, std::uint16_t mtu) {
    proto::NextHop hop;
    hop.mtu = mtu;
    proto::RoutedBurst in;
    for (rte_mbuf* m : packets) in.push(m, &hop);
    proto::Fragmentation cut{w, shard, in};
    Packets all;
    for (proto::RoutedBurst out; cut.next(out);) {
      for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out.notes()[i], &hop);
      for (rte_mbuf* m : out.take()) {
        EXPECT_FALSE(core::is_chain(*m));
        EXPECT_LE(m->pkt_len, mtu);
        EXPECT_GE(core::headroom(*m), 64);
        all.push_back(take_bytes(m));
      }
    }
    return all;
  }
  Packets cut(const Packet& packet, std::uint16_t mtu) {
    return cut({pool.try_make_chained(packet, std::min<std::size_t>(packet.size(), 1500), 1500)},
               mtu);
  }
  proto::IpShard shard{4};
  const Packet payload = pattern(100);
};

TEST_F(Fragment, Ip4) {  // RFC 791 section 3.2
  const Ip4 f{.tos = 0xba, .id = 0x1234, .ttl = 9};
  EXPECT_EQ(cut(ip4(f, payload), 75), (Packets{part4(f, payload, 0, 48), part4(f, payload, 48, 48),
                                               part4(f, payload, 96, 4)}));
  EXPECT_EQ(w.originated.read(), 3u);
  EXPECT_EQ(w.consumed.read(), 1u);
  EXPECT_EQ(drops(), Drops{});
}

TEST_F(Fragment, OptionsByTheirCopiedFlag) {  // RFC 791 section 3.1
  // Router alert is copied, record route and no-operation are not.
  const Packet record{1, 7, 7, 4, 1, 2, 3, 4}, alert{0x94, 4, 0, 0};
  Packet options = record;
  options.insert(options.end(), alert.begin(), alert.end());
  Ip4 f{.options = options}, later{.options = alert};
  EXPECT_EQ(cut(ip4(f, payload), 82),
            (Packets{part4(f, payload, 0, 48), part4(later, payload, 48, 48),
                     part4(later, payload, 96, 4)}));
  f.options = record;
  EXPECT_EQ(cut(ip4(f, payload), 80)[1], part4({}, payload, 48, 48));
}

TEST_F(Fragment, FragmentsOfFragments) {  // RFC 791 section 3.2
  const Packet all = pattern(400);
  Ip4 middle{.more_fragments = true, .fragment_offset = 160};
  const PacketBytes part = PacketBytes{all}.subspan(160, 96);
  EXPECT_EQ(cut(ip4(middle, part), 68), (Packets{part4({}, all, 160, 48), part4({}, all, 208, 48)}))
      << "more fragments follow the last";
  Ip4 last{.fragment_offset = 160};
  EXPECT_EQ(cut(ip4(last, part), 68).back(), part4({}, PacketBytes{all}.first(256), 208, 48));
}

TEST_F(Fragment, TheSmallestMtu) {  // RFC 791 section 3.2: every module forwards 68 bytes
  const Ip4 f{.options = Packet(40, 1)};
  const Packet data = pattern(1000);
  const Packets parts = cut(ip4(f, data), 68);
  EXPECT_EQ(parts.size(), 125u);
  EXPECT_EQ(parts[0], part4(f, data, 0, 8));
  EXPECT_EQ(put4(parts), Packets{ip4(f, data)});
}

TEST_F(Fragment, MoreThanABurstHolds) {
  const Packet longest = pattern(65'515);
  limits.per_datagram = 256;
  for (const std::uint16_t mtu : std::array<std::uint16_t, 3>{576, 1500, 9000}) {
    const Packets parts = cut(ip4({}, longest), mtu);
    EXPECT_EQ(put4(parts), Packets{ip4({}, longest)});
  }
}

TEST_F(Fragment, NoFragmentIsLargerThanABuffer) {
  for (const Packet& p : cut(ip4({}, pattern(5000)), 9000)) EXPECT_LE(p.size(), 2048u);
}

TEST_F(Fragment, SeveralPacketsInOrder) {
  const auto m = [&](std::uint16_t id) { return pool.make(ip4({.id = id}, pattern(1400))); };
  Packets expected;
  for (std::uint16_t id = 0; id < 64; ++id)
    for (std::size_t at : {0U, 552U, 1104U})
      expected.push_back(
          part4({.id = id}, pattern(1400), at, std::min<std::size_t>(552, 1400 - at)));
  std::vector<rte_mbuf*> in;
  for (std::uint16_t id = 0; id < 64; ++id) in.push_back(m(id));
  EXPECT_EQ(cut(in, 576), expected);
}

TEST_F(Fragment, WithoutABufferThePacketEnds) {
  std::vector<rte_mbuf*> taken;
  rte_mbuf* packet = pool.make(ip4({}, payload));
  while (rte_mbuf* m = pool.try_make(Packet(1))) taken.push_back(m);
  EXPECT_EQ(cut({packet}, 68), Packets{});
  EXPECT_EQ(drops(), (Drops{{"FragmentNoRoom", 1}}));
  for (rte_mbuf* m : taken) rte_pktmbuf_free(m);
}

TEST_F(Fragment, WhatIsNotAskedForEnds) {
  proto::NextHop hop;
  hop.mtu = 68;
  proto::RoutedBurst in;
  in.push(pool.make(ip4({}, payload)), &hop);
  { proto::Fragmentation cut{w, shard, in}; }
  EXPECT_EQ(drops(), (Drops{{"FragmentNoRoom", 1}}));
}

TEST_F(Fragment, Ip6) {  // RFC 8200 section 4.5
  const Packets parts = cut(plain6({.traffic_class = 0xba, .hop_limit = 3}, payload), 100);
  ASSERT_EQ(parts.size(), 3u);
  for (const Packet& p : parts) EXPECT_EQ(PacketBytes(p).subspan(44, 4).size(), 4u);
  EXPECT_EQ(put6(parts), Packets{plain6({.traffic_class = 0xba, .hop_limit = 3}, payload)});
  const auto id = [](const Packet& p) { return Packet{p.begin() + 44, p.begin() + 48}; };
  EXPECT_EQ(id(parts[0]), id(parts[2]));
}

TEST_F(Fragment, Ip6HopByHopOptionsAreInEach) {
  Packet data{17, 0, 5, 2, 0, 0, 1, 0};
  data.insert(data.end(), payload.begin(), payload.end());
  const Packets parts = cut(plain6({.next_header = 0}, data), 110);
  ASSERT_EQ(parts.size(), 3u);
  for (const Packet& p : parts) {
    EXPECT_EQ(p[6], 0);
    EXPECT_EQ(p[40], 44);
    EXPECT_EQ(p[48], 17);
  }
  EXPECT_EQ(put6(parts, 48), Packets{plain6({.next_header = 0}, data)});
}

TEST_F(Fragment, Ip6IdentificationsCannotBeForeseen) {  // RFC 7739 section 5.2
  std::set<Packet> ids, steps;
  Packet before(4);
  for (int i = 0; i < 200; ++i) {
    const Packet p = cut(plain6({}, payload), 100)[0];
    const Packet id{p.begin() + 44, p.begin() + 48};
    ids.insert(id);
    Packet step(4);
    for (std::size_t b = 0; b < 4; ++b) step[b] = static_cast<std::uint8_t>(id[b] - before[b]);
    steps.insert(step);
    before = id;
  }
  EXPECT_GT(ids.size(), 198u);
  EXPECT_GT(steps.size(), 198u);
}

TEST_F(Fragment, ThereAndBack) {
  std::mt19937 random{7};
  limits.per_datagram = 1024;
  limits.fragments = proto::Reassembler::kMaxFragments;
  for (int i = 0; i < 300; ++i) {
    const Packet data = pattern(64 + random() % 8000);
    const auto mtu = static_cast<std::uint16_t>(104 + random() % 1400);
    Packets parts = cut(ip4({}, data), mtu);
    std::shuffle(parts.begin(), parts.end(), random);
    if (parts.size() > 1) { EXPECT_EQ(put4(parts), Packets{ip4({}, data)}); }
    parts = cut(plain6({}, data), mtu);
    std::shuffle(parts.begin(), parts.end(), random);
    EXPECT_EQ(put6(parts), Packets{plain6({}, data)});
  }
  EXPECT_EQ(drops(), Drops{});
}
}  // namespace
