// SPDX-License-Identifier: BSD-3-Clause
// Fragments become datagrams again: rules by RFC, limits, time.
#include "tests/proto/reassembly_lab.hh"

namespace {
using namespace test;
using Packets = std::vector<Packet>;
constexpr std::uint64_t kSecond = 1'000'000;

class Reassembly4 : public ReassemblyLab {
protected:
  static Ip4 from(std::uint32_t src, std::uint16_t id = 7) { return {.id = id, .src = src}; }
  const Packet payload = pattern(100);
  /// Of `payload`, in parts of 48, 40 and 12 bytes.
  Packets three(const Ip4& f = {}) const {
    return {part4(f, payload, 0, 48), part4(f, payload, 48, 40), part4(f, payload, 88, 12)};
  }
};
class Reassembly6 : public ReassemblyLab {
protected:
  const Packet payload = pattern(100);
  Packets three(const Plain6& f = {}) const {
    return {part6(f, payload, 0, 48), part6(f, payload, 48, 40), part6(f, payload, 88, 12)};
  }
};

TEST_F(Reassembly4, AnyOrder) {  // RFC 791 section 3.2
  std::array<std::size_t, 3> order{0, 1, 2};
  do {
    const Packets f = three();
    EXPECT_EQ(put4({f[order[0]], f[order[1]], f[order[2]]}), Packets{ip4({}, payload)});
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(drops(), Drops{});
  EXPECT_EQ(w.consumed.read(), 12u) << "two fragments of three go into the first";
}

TEST_F(Reassembly4, TheFirstFragmentsHeaderStays) {  // RFC 791 section 3.2, RFC 815 section 4
  Ip4 f{.tos = 0xb8, .id = 0x1234, .dont_fragment = true, .ttl = 9, .options = {0x94, 4, 0, 0}};
  Packets fragments = three(f);
  fragments[1] = part4({.tos = 0xb8, .id = 0x1234, .ttl = 50}, payload, 48, 40);
  std::swap(fragments[0], fragments[1]);
  EXPECT_EQ(put4(fragments), Packets{ip4(f, payload)});
}

TEST_F(Reassembly4, TheKeyIsSourceDestinationProtocolAndId) {  // RFC 791 section 3.2
  const Ip4 f{};
  Ip4 other_id = f, other_protocol = f, other_src = f, other_dst = f;
  other_id.id = 1;
  other_protocol.protocol = 50;
  other_src.src += 1;
  other_dst.dst += 1;
  EXPECT_EQ(put4(part4(f, payload, 0, 48)), Packets{});
  for (const Ip4& other : {other_id, other_protocol, other_src, other_dst})
    EXPECT_EQ(put4(part4(other, payload, 48, 52)), Packets{});
  EXPECT_EQ(r.held(), 5u);
  EXPECT_EQ(put4(part4(f, payload, 48, 52)), Packets{ip4(f, payload)});
}

TEST_F(Reassembly4, LengthsThatNoFragmentHas) {
  Ip4 f{.more_fragments = true};
  put4(ip4(f, pattern(12)));
  put4(ip4(f, {}));
  f.more_fragments = false;
  f.fragment_offset = 8;
  put4(ip4(f, {}));
  EXPECT_EQ(drops(), (Drops{{"FragmentBadLength", 3}}));
}

TEST_F(Reassembly4, NoLongerThanAPacketMayBe) {
  const Packet longest = pattern(65'515);
  Packets parts;
  for (std::size_t at = 0; at < longest.size(); at += 1480)
    parts.push_back(part4({}, longest, at, std::min<std::size_t>(1480, longest.size() - at)));
  EXPECT_EQ(put4(parts), Packets{ip4({}, longest)});
  put4(ip4({.fragment_offset = 65'512}, pattern(4)));  // "ping of death"
  put4(ip4({.fragment_offset = 65'528}, pattern(8)));
  EXPECT_EQ(drops(), (Drops{{"FragmentTooLong", 2}}));
  EXPECT_EQ(r.held(), 0u);
}

TEST_F(Reassembly4, OptionsOfTheFirstMayMakeItTooLong) {
  const Packet longest = pattern(65'515);
  Packets parts;
  for (std::size_t at = 0; at < longest.size(); at += 1480)
    parts.push_back(part4({}, longest, at, std::min<std::size_t>(1480, longest.size() - at)));
  parts[0] = part4({.options = {0x94, 4, 0, 0}}, longest, 0, 1480);
  EXPECT_EQ(put4(parts), Packets{});
  EXPECT_EQ(drops(), (Drops{{"FragmentTooLong", 1}}));
}

TEST_F(Reassembly4, ADuplicateIsDroppedAlone) {  // RFC 8200 section 4.5
  const Packets f = three();
  EXPECT_EQ(put4({f[0], f[0], f[2], f[2], f[0], f[1]}), Packets{ip4({}, payload)});
  EXPECT_EQ(drops(), (Drops{{"FragmentDuplicate", 3}}));
}

TEST_F(Reassembly4, AnOverlapEndsTheDatagramUntilItsTimeIsOver) {  // RFC 5722 section 4
  struct {
    std::size_t at, length;
  } const overlaps[] = {{40, 16}, {8, 16}, {0, 8}, {40, 8}, {0, 56}, {48, 8}, {56, 48}};
  std::uint16_t id = 0;
  for (const auto& o : overlaps) {
    SCOPED_TRACE(testing::Message() << o.at << " + " << o.length);
    const Ip4 f = from(kPeerIp, ++id);
    const Packets parts = three(f);
    put4({parts[0], parts[1]});
    const Packet longer = pattern(200);
    EXPECT_EQ(put4(part4(f, longer, o.at, o.length)), Packets{});
    EXPECT_EQ(r.held(), 0u);
    EXPECT_EQ(put4(parts), Packets{}) << "nor with all of it once more";
    EXPECT_EQ(r.held(), 0u);
  }
  EXPECT_EQ(drops(), (Drops{{"FragmentOverlap", 7 * 6}}));
  pass(30 * kSecond);
  EXPECT_EQ(put4(three(from(kPeerIp, 1))), Packets{ip4(from(kPeerIp, 1), payload)});
  EXPECT_EQ(late, Packets{}) << "no ICMP about it";
}

TEST_F(Reassembly4, TwoEndsEndTheDatagram) {
  std::uint16_t id = 0;
  const auto expect_bad = [&](const Packets& parts) {
    EXPECT_EQ(put4(parts), Packets{});
    EXPECT_EQ(r.held(), 0u);
  };
  Ip4 f = from(kPeerIp, ++id);
  const Packet longer = pattern(120);
  expect_bad({part4(f, payload, 88, 12), part4(f, longer, 96, 24)});  // another last
  f.id = ++id;
  expect_bad({part4(f, payload, 88, 12), part4(f, longer, 104, 8)});  // more behind the last
  f.id = ++id;
  expect_bad({part4(f, longer, 104, 8), part4(f, payload, 88, 12)});
  f.id = ++id;
  expect_bad({part4(f, longer, 80, 24), part4(f, PacketBytes{longer}.first(104), 80, 24)});
  EXPECT_EQ(drops(), (Drops{{"FragmentBadEnd", 8}}));
}

TEST_F(Reassembly4, TcpHeadersInPieces) {  // RFC 1858 section 3, RFC 3128 section 2
  const Ip4 tcp{.protocol = 6};
  put4(part4(tcp, payload, 0, 8));
  put4(part4(tcp, payload, 8, 92));
  EXPECT_EQ(drops(), (Drops{{"FragmentTiny", 2}}));
  EXPECT_EQ(put4({part4(tcp, payload, 0, 16), part4(tcp, payload, 16, 84)}),
            Packets{ip4(tcp, payload)});
}

TEST_F(Reassembly4, Ecn) {  // RFC 3168 section 5.3
  enum : std::uint8_t { kNot, kEct1, kEct0, kCe };
  struct {
    std::uint8_t first, second;
    int whole;  ///< -1: dropped
  } const cases[] = {{kNot, kNot, kNot},    {kEct0, kEct0, kEct0}, {kEct0, kCe, kCe},
                     {kCe, kEct0, kCe},     {kCe, kCe, kCe},       {kEct1, kCe, kCe},
                     {kEct1, kEct1, kEct1}, {kEct0, kEct1, kEct0}, {kNot, kCe, -1},
                     {kCe, kNot, -1},       {kNot, kEct0, -1},     {kEct1, kNot, -1}};
  std::uint64_t bad = 0;
  for (const auto& c : cases) {
    SCOPED_TRACE(testing::Message() << int{c.first} << " " << int{c.second});
    const auto with = [](unsigned ecn) {
      return Ip4{.tos = static_cast<std::uint8_t>(0xb8 | ecn)};
    };
    const Packets parts{part4(with(c.first), payload, 0, 48),
                        part4(with(c.second), payload, 48, 52)};
    Packets expected;
    if (c.whole >= 0)
      expected.push_back(ip4(with(static_cast<unsigned>(c.whole)), payload));
    else
      bad += 2;
    EXPECT_EQ(put4(parts), expected);
    EXPECT_EQ(put4({parts[1], parts[0]}), expected);
    if (c.whole < 0) bad += 2;
  }
  EXPECT_EQ(drops(), (Drops{{"FragmentBadEcn", bad}}));
}

TEST_F(Reassembly4, OneSegmentWhereItFitsElseTheHeadersInTheFirst) {
  for (const std::size_t size : {400U, 1800U, 4000U}) {
    const Packet data = pattern(size);
    core::Burst whole;
    for (std::size_t at = 0; at < size; at += 8 * (1 + at % 64)) {
      const std::size_t length = std::min(8 * (1 + at % 64), size - at);
      core::Burst in;
      in.push(pool.make(part4({}, data, at, length)));
      proto::reassemble_ip4(w, r, limits, 0, in, whole);
    }
    ASSERT_EQ(whole.size(), 1u);
    rte_mbuf* m = whole.take()[0];
    EXPECT_EQ(core::is_chain(*m), size == 4000);
    EXPECT_TRUE(core::headers_in_front(*m));
    EXPECT_EQ(take_bytes(m), ip4({}, data));
  }
}

TEST_F(Reassembly4, FragmentsInSeveralSegments) {
  const Packet data = pattern(3000);
  core::Burst in, whole;
  in.push(pool.try_make_chained(part4({}, data, 1496, 1504), 200, 333));
  in.push(pool.try_make_chained(part4({}, data, 0, 1496), 128, 100));
  proto::reassemble_ip4(w, r, limits, 0, in, whole);
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(take_bytes(whole.take()[0]), ip4({}, data));
}

TEST_F(Reassembly4, WhatDoesNotBecomeWholeIsGivenUpAndTold) {  // RFC 1122 section 3.3.2
  const Packets a = three(from(1)), b = three(from(2));
  put4({a[0], a[1]});
  pass(20 * kSecond);
  put4(b[1]);
  pass(10 * kSecond - 1);
  EXPECT_EQ(drops(), Drops{});
  pass(1);
  EXPECT_EQ(late, Packets{a[0]}) << "the first fragment as it came";
  EXPECT_EQ(drops(), (Drops{{"FragmentTimeout", 2}}));
  EXPECT_EQ(r.held(), 1u);
  pass(20 * kSecond);
  EXPECT_EQ(late, Packets{a[0]}) << "nobody is told without the first fragment";
  EXPECT_EQ(drops(), (Drops{{"FragmentTimeout", 3}}));
  EXPECT_TRUE(r.empty());
}

TEST_F(Reassembly4, ManyThatAreLateGoAFewAtATime) {
  for (std::uint32_t n = 0; n < 100; ++n) put4(three(from(1000 + n))[0]);
  pass(30 * kSecond);
  EXPECT_EQ(late.size(), 32u);
  for (int i = 0; i < 3; ++i) pass(0);
  EXPECT_EQ(late.size(), 100u);
}

TEST_F(Reassembly4, TheTimeOutMayBeChanged) {
  put4(three()[0]);
  limits.ip4_ttl_us = 2 * kSecond;
  pass(2 * kSecond - 1);
  EXPECT_EQ(r.held(), 1u);
  pass(1);
  EXPECT_EQ(r.held(), 0u);
}

TEST_F(Reassembly4, ASourceHasItsShareOfDatagrams) {
  limits.ip4_datagrams = 64;  // so that a source has 8
  for (std::uint16_t id = 0; id < 8; ++id) put4(three(from(1, id))[0]);
  EXPECT_EQ(drops(), Drops{});
  put4(three(from(2))[0]);
  put4(three(from(1, 8))[0]);  // the oldest of its source goes
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 1}}));
  EXPECT_EQ(r.held(), 9u);
  for (std::uint16_t id = 1; id <= 8; ++id) {
    const Packets parts = three(from(1, id));
    EXPECT_EQ(put4({parts[1], parts[2]}).size(), 1u) << id;
  }
  const Packets other = three(from(2));
  EXPECT_EQ(put4({other[1], other[2]}).size(), 1u);
}

TEST_F(Reassembly4, ASourceHasItsShareOfFragments) {
  limits.fragments = 80;  // so that a source has 10
  limits.per_datagram = 10;
  const Packet data = pattern(800);
  const auto put = [&](std::uint32_t src, std::uint16_t id, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) put4(part4(from(src, id), data, 8 * i, 8));
  };
  put(1, 1, 6);
  put(2, 1, 3);
  put(1, 2, 4);
  EXPECT_EQ(drops(), Drops{});
  put(1, 3, 1);
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 6}})) << "the oldest datagram of the same source";
  EXPECT_EQ(r.held(), 8u);
}

TEST_F(Reassembly4, ADatagramHasALimit) {
  limits.per_datagram = 5;
  const Packet data = pattern(800);
  for (std::size_t i = 0; i < 5; ++i) put4(part4({}, data, 8 * i, 8));
  EXPECT_EQ(drops(), Drops{});
  for (std::size_t i = 5; i < 8; ++i) put4(part4({}, data, 8 * i, 8));
  EXPECT_EQ(drops(), (Drops{{"FragmentTooMany", 8}}));
}

TEST_F(Reassembly4, WhenTheTableIsFullTheOldestGoes) {
  limits.ip4_datagrams = 16;
  for (std::uint32_t n = 0; n < 16; ++n) {
    w.now_us += 1;
    put4(three(from(100 + n))[0]);
  }
  put4(three(from(200))[0]);
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 1}}));
  Packets parts = three(from(100));
  EXPECT_EQ(put4({parts[1], parts[2]}), Packets{}) << "this one";
  parts = three(from(115));
  EXPECT_EQ(put4({parts[1], parts[2]}).size(), 1u) << "and none of the others";
}

TEST_F(Reassembly4, WhenFragmentsAreTooManyTheOldestDatagramGoes) {
  limits.fragments = 16;
  limits.per_datagram = 2;
  for (std::uint32_t n = 0; n < 8; ++n) {
    w.now_us += 1;
    const Packets parts = three(from(100 + n));
    put4({parts[0], parts[1]});
  }
  EXPECT_EQ(drops(), Drops{});
  EXPECT_EQ(r.held(), 16u);
  put4(three(from(200))[0]);
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 2}}));
}

TEST_F(Reassembly4, NoneAtAll) {
  limits.ip4_datagrams = 0;
  put4(three());
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 3}}));
}

TEST_F(Reassembly4, LimitsMayBeLowered) {
  for (std::uint32_t n = 0; n < 200; ++n) put4(three(from(100 + n))[0]);
  limits.ip4_datagrams = 10;
  limits.fragments = 10;
  limits.per_datagram = 3;
  put4(three(from(1))[0]);
  EXPECT_LE(r.held(), 10u);
  EXPECT_EQ(sum_of(drops()) + r.held(), 201u);
}

/// One source sends first fragments as fast as it can; others go on as if it were not there.
TEST_F(Reassembly4, AFloodFromOneSourceStarvesNobody) {
  std::uint32_t flooded = 0;
  const auto flood = [&](int n) {
    for (int i = 0; i < n; ++i) {
      w.now_us += 1;
      put4(three(from(66, static_cast<std::uint16_t>(flooded++)))[0]);
    }
  };
  for (std::uint16_t id = 0; id < 50; ++id) {
    const Packets parts = three(from(1, id));
    for (const Packet& p : {parts[2], parts[0]}) {
      put4(p);
      flood(300);  // more than there is room for
    }
    EXPECT_EQ(put4(parts[1]).size(), 1u) << id;
  }
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", flooded - 32}}));
  EXPECT_EQ(r.held(), 32u) << "its share";
}

/// Each fragment from another source: a datagram lives until the table has been filled anew.
TEST_F(Reassembly4, AFloodFromForgedSourcesLeavesTimeToBecomeWhole) {
  std::uint32_t forged = 0x20000000;
  for (std::uint16_t id = 0; id < 50; ++id) {
    // An honest source with several datagrams under way is no better a victim than any.
    std::array<Packets, 4> parts;
    for (std::uint16_t n = 0; n < 4; ++n)
      parts[n] = three(from(1, static_cast<std::uint16_t>(4 * id + n)));
    for (std::size_t part : {0U, 1U})
      for (const Packets& p : parts) {
        put4(p[part]);
        for (int i = 0; i < 25; ++i) put4(three(from(++forged))[0]);
      }
    for (const Packets& p : parts) EXPECT_EQ(put4(p[2]).size(), 1u) << id;
  }
  EXPECT_LE(r.held(), 256u);
}

TEST_F(Reassembly4, WhatTheDeviceSaidOfAFragmentIsNotKept) {
  core::Burst in, whole;
  for (const Packet& p : three()) {
    rte_mbuf* m = pool.make(p);
    m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    in.push(m);
  }
  proto::reassemble_ip4(w, r, limits, 0, in, whole);
  ASSERT_EQ(whole.size(), 1u);
  rte_mbuf* m = whole.take()[0];
  EXPECT_EQ(m->ol_flags, 0u);
  rte_pktmbuf_free(m);
}

TEST_F(Reassembly6, AnyOrder) {  // RFC 8200 section 4.5
  std::array<std::size_t, 3> order{0, 1, 2};
  do {
    const Packets f = three();
    EXPECT_EQ(put6({f[order[0]], f[order[1]], f[order[2]]}), Packets{plain6({}, payload)});
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(drops(), Drops{});
}

TEST_F(Reassembly6, HeadersInFrontOfTheFragmentHeaderStay) {
  const Packet hop_by_hop{44, 0, 1, 4, 0, 0, 0, 0};
  const auto with = [&](std::uint8_t next, PacketBytes rest) {
    Packet p{hop_by_hop};
    p[0] = next;
    p.insert(p.end(), rest.begin(), rest.end());
    return plain6({.next_header = 0}, p);
  };
  const Packet one = ip6_fragment({.offset = 0, .more = true}, PacketBytes{payload}.first(48));
  const Packet two = ip6_fragment({.offset = 48}, PacketBytes{payload}.subspan(48));
  EXPECT_EQ(put6({with(44, two), with(44, one)}, 48), Packets{with(17, payload)});
}

TEST_F(Reassembly6, AFragmentThatIsAllPassesByItself) {  // RFC 6946 section 4
  put6(part6({}, payload, 0, 48));
  EXPECT_EQ(put6(part6({}, PacketBytes{payload}.first(60), 0, 60)),
            Packets{plain6({}, PacketBytes{payload}.first(60))});
  EXPECT_EQ(put6(part6({}, payload, 48, 52)), Packets{plain6({}, payload)})
      << "the other with its Identification is not disturbed";
  EXPECT_EQ(drops(), Drops{});
}

TEST_F(Reassembly6, WrongLengthsAreTold) {  // RFC 8200 section 4.5
  put6(plain6({.next_header = 44}, ip6_fragment({.more = true}, pattern(12))));
  put6(plain6({.next_header = 44}, ip6_fragment({.offset = 65'528}, pattern(8))));
  put6(plain6({.next_header = 44}, ip6_fragment({.offset = 8}, {})));
  EXPECT_EQ(told, (std::vector<std::string>{"FragmentBadLength 0/4", "FragmentTooLong 0/42"}));
  EXPECT_EQ(drops(), (Drops{{"FragmentBadLength", 2}, {"FragmentTooLong", 1}}));
}

TEST_F(Reassembly6, TheFirstFragmentMustHoldAllHeaders) {  // RFC 7112 section 5
  const Packet tcp = pattern(40);
  put6(part6({.next_header = 6}, tcp, 0, 16));
  put6(part6({.next_header = 60}, Packet{6, 4, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 8));
  EXPECT_EQ(told, (std::vector<std::string>{"FragmentTiny 3/0", "FragmentTiny 3/0"}));
  EXPECT_EQ(put6({part6({.next_header = 6}, tcp, 24, 16), part6({.next_header = 6}, tcp, 0, 24)}),
            Packets{plain6({.next_header = 6}, tcp)});
}

TEST_F(Reassembly6, AnOverlapEndsTheDatagramSilently) {  // RFC 5722 section 4
  const Packets f = three();
  put6({f[0], f[1], part6({}, payload, 40, 16), f[2], f[0]});
  EXPECT_EQ(drops(), (Drops{{"FragmentOverlap", 5}}));
  EXPECT_TRUE(told.empty());
  pass(60 * kSecond);
  EXPECT_TRUE(late.empty());
  EXPECT_EQ(put6(f).size(), 1u);
}

TEST_F(Reassembly6, LinkLocalAddressesAreOfTheirLink) {  // RFC 4007
  const Plain6 f{.src = {1, true}, .dst = {2, true}};
  const Packets parts = three(f);
  put6({parts[0]}, 40, 1);
  EXPECT_EQ(put6({parts[1], parts[2]}, 40, 2), Packets{});
  EXPECT_EQ(put6({parts[1], parts[2]}, 40, 1).size(), 1u);
  const Packets global = three();
  put6({global[0]}, 40, 1);
  EXPECT_EQ(put6({global[1], global[2]}, 40, 2).size(), 1u) << "global ones by whatever link";
}

TEST_F(Reassembly6, WhatDoesNotBecomeWholeIsGivenUpAfterAMinute) {  // RFC 8200 section 4.5
  const Plain6 f{.src = {1, true}, .dst = {2, true}};
  put6({three(f)[0]}, 40, 3);
  pass(60 * kSecond - 1);
  EXPECT_TRUE(late.empty());
  pass(1);
  EXPECT_EQ(late, Packets{three(f)[0]});
  EXPECT_EQ(late_links, std::vector<core::InterfaceId>{3});
}

TEST_F(Reassembly6, Ecn) {  // RFC 3168 section 5.3
  const Packets parts{part6({.traffic_class = 0xba}, payload, 0, 48),
                      part6({.traffic_class = 0xbb}, payload, 48, 52)};
  EXPECT_EQ(put6(parts), Packets{plain6({.traffic_class = 0xbb}, payload)});
  EXPECT_EQ(put6({parts[0], part6({.traffic_class = 0xb8}, payload, 48, 52)}), Packets{});
  EXPECT_EQ(drops(), (Drops{{"FragmentBadEcn", 2}}));
}

TEST_F(Reassembly6, TheLongest) {
  const Packet longest = pattern(65'535);
  Packets parts;
  for (std::size_t at = 0; at < longest.size(); at += 1448)
    parts.push_back(part6({}, longest, at, std::min<std::size_t>(1448, longest.size() - at)));
  EXPECT_EQ(put6(parts), Packets{plain6({}, longest)});
}

TEST_F(Reassembly6, FamiliesHaveLimitsOfTheirOwn) {
  limits.ip4_datagrams = 0;
  limits.ip6_datagrams = 16;
  for (std::uint8_t n = 1; n <= 20; ++n) put6(three({.src = {n}})[0]);
  put4(part4({}, payload, 0, 48));
  EXPECT_EQ(drops(), (Drops{{"FragmentEvicted", 5}}));
}
}  // namespace
