// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip4.hh"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::Ip4View;

/// scapy 2.5: IP(src="192.0.2.1", dst="198.51.100.7", id=0x1234, tos=0x10, flags="DF", ttl=63) /
/// UDP(sport=53, dport=40000) / b"hello".
constexpr auto kUdp = test::hex(
    "45100021123440003f113d4cc0000201c6336407"
    "00359c40000d3350"
    "68656c6c6f");
constexpr auto kParsed = Ip4View::parse(kUdp);
static_assert(kParsed && kParsed->verify_checksum());
static_assert(kParsed->tos() == 0x10 && kParsed->id() == 0x1234 && kParsed->ttl() == 63);
static_assert(kParsed->total_length() == 33 && kParsed->header_len() == 20);
static_assert(kParsed->dont_fragment() && !kParsed->more_fragments() && !kParsed->is_fragment());
static_assert(kParsed->protocol() == proto::kProtocolUdp && kParsed->checksum() == 0x3d4c);
static_assert(kParsed->src() == 0xc0000201 && kParsed->dst() == 0xc6336407);
static_assert(kParsed->options().empty() && kParsed->payload().size() == 13);

/// scapy 2.5: an ICMP echo request with a Record Route option of 7 bytes, padded to 8.
constexpr auto kRecordRoute = test::hex(
    "47000025000100000101c094c0000201c6336407"
    "0707040000000000"
    "08007fff0000000078");
/// scapy 2.5: the fragment at byte 1480 (185 words of eight) with more to come.
constexpr auto kFragment = test::hex(
    "45000021000720b940116dd0c0000201c6336407"
    "00350035000dcf5b"
    "68656c6c6f");

test::Packet good() {
  return {kUdp.begin(), kUdp.end()};
}
test::Packet with(test::Packet p, std::size_t at, std::uint8_t value) {
  p.at(at) = value;
  return p;
}

TEST(Ip4View, Parses) {
  EXPECT_EQ(kParsed->payload().data(), kUdp.data() + 20);
  EXPECT_EQ(kParsed->header().size(), 20u);
}

TEST(Ip4View, ParsesOptions) {
  const auto view = Ip4View::parse(kRecordRoute);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->verify_checksum());
  EXPECT_EQ(view->header_len(), 28);
  ASSERT_EQ(view->options().size(), 8u);
  EXPECT_EQ(view->options()[0], 7);
  EXPECT_EQ(view->payload().size(), 9u);
}

TEST(Ip4View, ParsesFragments) {
  const auto view = Ip4View::parse(kFragment);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->is_fragment());
  EXPECT_TRUE(view->more_fragments());
  EXPECT_FALSE(view->dont_fragment());
  EXPECT_EQ(view->fragment_offset(), 1480u);
  const auto last = Ip4View::parse(kUdp);
  EXPECT_FALSE(last->is_fragment());
}

/// The last fragment has an offset and no more flag; DF alone is none.
TEST(Ip4View, KnowsFragmentsByFlagOrOffset) {
  const auto is_fragment = [](const test::Ip4& f) {
    const test::Packet p = test::ip4(f, {});
    return Ip4View::parse(p)->is_fragment();
  };
  EXPECT_FALSE(is_fragment({}));
  EXPECT_FALSE(is_fragment({.dont_fragment = true}));
  EXPECT_TRUE(is_fragment({.more_fragments = true}));
  EXPECT_TRUE(is_fragment({.fragment_offset = 8}));
  EXPECT_TRUE(is_fragment({.fragment_offset = 65528}));
}

TEST(Ip4View, CutsLinkPadding) {
  const test::Packet padded = test::pad(good(), 46);
  const auto view = Ip4View::parse(padded);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->total_length(), 33);
  EXPECT_EQ(view->payload().size(), 13u);
}

TEST(Ip4View, SeesTheBeginningOfALongerPacket) {
  const test::Packet whole = good();
  for (std::size_t seen = 20; seen <= whole.size(); ++seen) {
    const test::Packet front{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(seen)};
    const auto view = Ip4View::parse(front, whole.size() + 13);  // link padding behind
    ASSERT_TRUE(view) << seen;
    EXPECT_EQ(view->total_length(), 33);
    EXPECT_EQ(view->payload_length(), 13);
    EXPECT_EQ(view->payload().size(), seen - 20);
  }
  EXPECT_EQ(Ip4View::parse(std::span{whole}.first(25), 32).error(), DropReason::Ip4BadLength);
  EXPECT_EQ(Ip4View::parse(std::span{whole}.first(19), 33).error(), DropReason::Ip4Truncated);
  const std::span<const std::uint8_t> options{kRecordRoute};
  const std::size_t ihl = (options[0] & 0xfu) * 4;
  EXPECT_EQ(Ip4View::parse(options.first(ihl - 1), options.size()).error(),
            DropReason::Ip4Truncated);
  EXPECT_TRUE(Ip4View::parse(options.first(ihl), options.size()));
}

TEST(Ip4View, EmitsTheLengthOfALongerPacket) {
  test::Packet out(20);
  proto::emit(proto::Ip4Fields{.protocol = 1, .src = 1, .dst = 2}, out, 4028);
  const auto view = Ip4View::parse(out, 4028);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->total_length(), 4028);
  EXPECT_TRUE(view->verify_checksum());
}

TEST(Ip4View, Emits) {
  test::Packet out = good();
  for (std::size_t i = 0; i < 20; ++i) out[i] = 0xee;
  proto::emit(proto::Ip4Fields{.tos = 0x10,
                               .id = 0x1234,
                               .dont_fragment = true,
                               .ttl = 63,
                               .protocol = 17,
                               .src = 0xc0000201,
                               .dst = 0xc6336407},
              out);
  EXPECT_EQ(out, good());
}

TEST(Ip4View, RoundTrips) {
  std::mt19937 random{1};
  for (int i = 0; i < 1000; ++i) {
    const auto r = [&] { return static_cast<std::uint32_t>(random()); };
    const proto::Ip4Fields f{.tos = static_cast<std::uint8_t>(r()),
                             .id = static_cast<std::uint16_t>(r()),
                             .dont_fragment = r() % 2 == 0,
                             .ttl = static_cast<std::uint8_t>(r()),
                             .protocol = static_cast<std::uint8_t>(r()),
                             .src = r(),
                             .dst = r()};
    test::Packet out(20 + r() % 1481);
    proto::emit(f, out);
    const auto view = Ip4View::parse(out);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->verify_checksum());
    EXPECT_EQ(view->total_length(), out.size());
    EXPECT_EQ(view->tos(), f.tos);
    EXPECT_EQ(view->id(), f.id);
    EXPECT_EQ(view->dont_fragment(), f.dont_fragment);
    EXPECT_EQ(view->ttl(), f.ttl);
    EXPECT_EQ(view->protocol(), f.protocol);
    EXPECT_EQ(view->src(), f.src);
    EXPECT_EQ(view->dst(), f.dst);
    EXPECT_FALSE(view->is_fragment());
  }
}

TEST(Ip4View, EmitsTheLargestPacket) {
  test::Packet out(65535);
  proto::emit(proto::Ip4Fields{.protocol = 1}, out);
  const auto view = Ip4View::parse(out);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->total_length(), 65535);
}

TEST(Ip4View, RejectsEachTruncation) {
  const auto expected = [](std::size_t length) {
    return length < 20 ? DropReason::Ip4Truncated : DropReason::Ip4BadLength;
  };
  test::expect_each_truncation_refused<Ip4View>(kUdp, expected);
  test::expect_each_truncation_refused<Ip4View>(kRecordRoute, expected);
}

TEST(Ip4View, RejectsEachBadIhl) {
  for (std::uint8_t ihl = 0; ihl < 16; ++ihl) {
    const auto why = test::refusal<Ip4View>(test::ip4({.ihl = ihl}, test::pattern(8)));
    if (ihl >= 5 && ihl <= 7)
      EXPECT_EQ(why, std::nullopt) << unsigned{ihl};
    else
      EXPECT_EQ(why, DropReason::Ip4BadIhl) << unsigned{ihl};
  }
}

TEST(Ip4View, RejectsEachBadLength) {
  for (std::uint32_t total = 0; total <= 0xffff; ++total) {
    test::Packet p = with(good(), 2, static_cast<std::uint8_t>(total >> 8));
    p[3] = static_cast<std::uint8_t>(total);
    const auto why = test::refusal<Ip4View>(p);
    if (total < 20)
      ASSERT_EQ(why, DropReason::Ip4BadIhl) << total;
    else if (total <= 33)
      ASSERT_EQ(why, std::nullopt) << total;
    else
      ASSERT_EQ(why, DropReason::Ip4BadLength) << total;
  }
}

TEST(Ip4View, RejectsEachOtherVersion) {
  for (std::uint8_t version = 0; version < 16; ++version) {
    const auto why = test::refusal<Ip4View>(test::ip4({.version = version}, {}));
    if (version == 4)
      EXPECT_EQ(why, std::nullopt);
    else
      EXPECT_EQ(why, DropReason::Ip4BadVersion) << unsigned{version};
  }
}

/// One flipped bit anywhere in the header breaks the checksum or the lengths (RFC 1071 section 2).
TEST(Ip4View, SeesEachFlippedBit) {
  for (std::size_t bit = 0; bit < 20 * 8; ++bit) {
    test::Packet p = good();
    p[bit / 8] = static_cast<std::uint8_t>(p[bit / 8] ^ 1u << bit % 8);
    const auto view = Ip4View::parse(p);
    EXPECT_FALSE(view && view->verify_checksum()) << bit;
  }
}

// ---- rewriting in place (RFC 1624) ----

test::Packet random_header(std::mt19937& random, std::uint8_t ttl, std::uint32_t src) {
  const auto r = [&] { return static_cast<std::uint32_t>(random()); };
  return test::ip4({.tos = static_cast<std::uint8_t>(r()),
                    .id = static_cast<std::uint16_t>(r()),
                    .ttl = ttl,
                    .protocol = static_cast<std::uint8_t>(r()),
                    .src = src,
                    .dst = r(),
                    .total_length = static_cast<std::uint16_t>(r())},
                   {});
}
/// The header with its checksum made anew.
test::Packet recomputed(test::Packet header) {
  header[10] = header[11] = 0;
  const std::uint16_t sum = test::reference_checksum(header);
  header[10] = static_cast<std::uint8_t>(sum >> 8);
  header[11] = static_cast<std::uint8_t>(sum);
  return header;
}

TEST(DecrementTtl, EqualsFullRecomputationForEachTtl) {
  std::mt19937 random{2};
  for (std::uint32_t ttl = 1; ttl < 256; ++ttl) {
    for (int i = 0; i < 200; ++i) {
      test::Packet header = random_header(random, static_cast<std::uint8_t>(ttl),
                                          static_cast<std::uint32_t>(random()));
      test::Packet expected = header;
      --expected[8];
      proto::decrement_ttl(header);
      ASSERT_EQ(header, recomputed(expected)) << "ttl " << ttl;
    }
  }
}

/// Every checksum once, so the carries at 0xfeff and 0xffff too.
TEST(DecrementTtl, EqualsFullRecomputationForEachChecksum) {
  for (std::uint32_t id = 0; id <= 0xffff; ++id) {
    test::Packet header = test::ip4({.id = static_cast<std::uint16_t>(id)}, {});
    test::Packet expected = header;
    --expected[8];
    proto::decrement_ttl(header);
    ASSERT_EQ(header, recomputed(expected)) << "id " << id;
  }
}

TEST(SetSource, EqualsFullRecomputation) {
  std::mt19937 random{3};
  for (int i = 0; i < 20000; ++i) {
    const auto src = static_cast<std::uint32_t>(random());
    test::Packet header = random_header(random, 64, 0);
    test::Packet expected = header;
    for (std::size_t at = 0; at < 4; ++at)
      expected[12 + at] = static_cast<std::uint8_t>(src >> (24 - 8 * at));
    proto::set_source(header, src);
    ASSERT_EQ(header, recomputed(expected));
  }
}
}  // namespace
