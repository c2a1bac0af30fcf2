// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/checksum.hh"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/hex.hh"
#include "tests/support/packet.hh"

namespace {
using proto::internet_checksum;

/// RFC 1071 section 3: the sum is ddf2.
constexpr auto kRfc1071 = test::hex("0001f203f4f5f6f7");
static_assert(proto::fold_checksum(proto::sum_words(kRfc1071)) == 0xddf2);
static_assert(internet_checksum(kRfc1071) == 0x220d);

/// RFC 1624 section 4: HC 0xdd2f, m 0x5555 becomes m' 0x3285; equation 3 gives 0x0000 where
/// RFC 1141's gave 0xffff.
static_assert(proto::update_checksum(0xdd2f, 0x5555, 0x3285) == 0x0000);

static_assert(proto::fold_checksum(0) == 0);
static_assert(proto::fold_checksum(0x1ffff) == 1);
static_assert(proto::fold_checksum(~std::uint64_t{0}) == 0xffff);

TEST(Checksum, OfNothingIsAllOnes) {
  EXPECT_EQ(internet_checksum({}), 0xffff);
}

TEST(Checksum, OfZerosIsAllOnes) {
  EXPECT_EQ(internet_checksum(test::Packet(20)), 0xffff);
}

TEST(Checksum, OfAllOnesIsZero) {
  EXPECT_EQ(internet_checksum(test::Packet(20, 0xff)), 0);
}

/// An odd last byte is the high half of a word (RFC 1071 section 4.1).
TEST(Checksum, PadsAnOddByteWithZero) {
  EXPECT_EQ(internet_checksum(test::Packet{0x12}), 0xffff ^ 0x1200);
  EXPECT_EQ(internet_checksum(test::Packet{0, 1, 0x12}), 0xffff ^ 0x1201);
}

TEST(Checksum, EqualsTheReferenceForEachLength) {
  std::mt19937 random{1};
  for (std::size_t length = 0; length < 300; ++length) {
    test::Packet p(length);
    for (int i = 0; i < 20; ++i) {
      for (std::uint8_t& b : p) b = static_cast<std::uint8_t>(random());
      ASSERT_EQ(internet_checksum(p), test::reference_checksum(p)) << length;
    }
  }
}

TEST(Checksum, HoldsForTheLargestPacket) {
  const test::Packet p(65535, 0xff);
  EXPECT_EQ(internet_checksum(p), test::reference_checksum(p));
}

TEST(Checksum, IsZeroOverDataThatContainsIt) {
  test::Packet p = test::pattern(40);
  p[10] = p[11] = 0;
  const std::uint16_t sum = internet_checksum(p);
  p[10] = static_cast<std::uint8_t>(sum >> 8);
  p[11] = static_cast<std::uint8_t>(sum);
  EXPECT_EQ(internet_checksum(p), 0);
}

/// RFC 1624 equation 3 against making the checksum anew, for any word of any data.
TEST(UpdateChecksum, EqualsFullRecomputation) {
  std::mt19937 random{2};
  for (int i = 0; i < 20000; ++i) {
    test::Packet p(20);
    for (std::uint8_t& b : p) b = static_cast<std::uint8_t>(random());
    const std::uint16_t before = internet_checksum(p);
    const std::size_t at = random() % 10 * 2;
    const std::uint16_t was = proto::load_be16(p, at);
    const auto is = static_cast<std::uint16_t>(random());
    proto::store_be16(p, at, is);
    ASSERT_EQ(proto::update_checksum(before, was, is), test::reference_checksum(p));
  }
}

TEST(UpdateChecksum, ChangesNothingForTheSameWord) {
  for (std::uint32_t sum = 0; sum < 0xffff; ++sum) {
    const auto checksum = static_cast<std::uint16_t>(sum);
    ASSERT_EQ(proto::update_checksum(checksum, 0x1234, 0x1234), checksum);
  }
}
}  // namespace
