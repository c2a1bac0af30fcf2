// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/sa_table.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "crypto/sa_slot.hh"

namespace crypto {
/// Looks at a slot's memory, also after its SA has gone.
struct SaTableInspector {
  static std::span<const std::byte> memory(const SaTable& table, SaId id) {
    return std::as_bytes(std::span{table.slots_ + id, 1});
  }
};
}  // namespace crypto

namespace {
using core::Errc;
using crypto::Algorithm;
using crypto::Direction;
using crypto::SaId;
using crypto::SaSpec;
using crypto::SaTable;
using crypto::SaTableInspector;
using crypto::Secret;
using testing::HasSubstr;
using testing::Not;

const std::string kKey = "c0ffee00c0ffee11c0ffee22c0ffee33";
const std::string kSalt = "feedf00d";

SaSpec spec(std::uint32_t spi, Direction direction = Direction::In,
            Algorithm algorithm = Algorithm::AesGcm128) {
  SaSpec s;
  s.tunnel = "ipsec0";
  s.direction = direction;
  s.spi = spi;
  s.algorithm = algorithm;
  s.key = std::move(
      *Secret::from_hex(algorithm == Algorithm::AesGcm128 ? kKey + kSalt : kKey + kKey + kSalt));
  return s;
}

class Sad : public testing::Test {
protected:
  static constexpr std::uint32_t kSrc = 0xc0000201, kDst = 0xc6336401;
  auto add(const SaSpec& s) { return table->add(s, 3, kSrc, kDst); }
  void refused(const SaSpec& s, Errc code, const std::string& says) {
    const auto before = table->used();
    const auto id = add(s);
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code, code);
    EXPECT_THAT(id.error().context, HasSubstr(says));
    EXPECT_THAT(id.error().context, Not(HasSubstr("c0ffee")));
    EXPECT_EQ(table->used(), before);
  }
  [[nodiscard]] bool found(std::uint32_t spi, SaId expected) const {
    SaId id = 0;
    table->find_all({&spi, 1}, {&id, 1});
    return id == expected;
  }

  core::Rcu rcu{1};
  std::unique_ptr<SaTable> table = std::move(*SaTable::create(4, rcu));
};

TEST_F(Sad, CapacityIsChecked) {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{65535}, std::size_t{1} << 40}) {
    const auto none = SaTable::create(capacity, rcu);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::Invalid);
    EXPECT_THAT(none.error().context, HasSubstr("expected 1 to 65534"));
  }
}

TEST_F(Sad, AddsFindsAndShows) {
  SaSpec s = spec(0x1234, Direction::In, Algorithm::AesGcm256);
  s.replay_window = 1024;
  const auto id = add(s);
  ASSERT_TRUE(id);
  EXPECT_TRUE(found(0x1234, *id));
  EXPECT_EQ(table->used(), 1u);
  EXPECT_TRUE((*table)[*id].replay.commit(77));

  const auto list = table->list();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].id, *id);
  EXPECT_EQ(list[0].tunnel, "ipsec0");
  EXPECT_EQ(list[0].direction, Direction::In);
  EXPECT_EQ(list[0].spi, 0x1234u);
  EXPECT_EQ(list[0].src, kSrc);
  EXPECT_EQ(list[0].dst, kDst);
  EXPECT_EQ(list[0].algorithm, Algorithm::AesGcm256);
  EXPECT_EQ(list[0].replay_window, 1024u);
  EXPECT_EQ(list[0].sequence, 77u);
}

TEST_F(Sad, ReservedSpisAreRefused) {
  for (const std::uint32_t spi : {0u, 1u, 255u}) refused(spec(spi), Errc::Invalid, "is reserved");
  EXPECT_TRUE(add(spec(256)));
  EXPECT_TRUE(add(spec(0xffffffff)));
}

TEST_F(Sad, KeySizeMustFitTheAlgorithm) {
  SaSpec s = spec(1000);
  s.algorithm = Algorithm::AesGcm256;
  refused(s, Errc::Invalid, "aes-gcm-256 takes 36 bytes (key and 4 bytes of salt), the key has 20");
  s = spec(1000, Direction::In, Algorithm::AesGcm256);
  s.algorithm = Algorithm::AesGcm128;
  refused(s, Errc::Invalid, "aes-gcm-128 takes 20 bytes");
  s.key = Secret{};
  refused(s, Errc::Invalid, "the key has 0");
}

TEST_F(Sad, ReplayWindowHasALimit) {
  SaSpec s = spec(1000);
  s.replay_window = 4097;
  refused(s, Errc::Invalid, "replay window of 4097 packets, expected 0 to 4096");
  s.replay_window = 4096;
  EXPECT_TRUE(add(s));
}

TEST_F(Sad, AnInboundSpiIsTakenOnce) {
  ASSERT_TRUE(add(spec(1000)));
  refused(spec(1000), Errc::Exists, "inbound SPI 0x000003e8 is taken");
  EXPECT_TRUE(add(spec(1000, Direction::Out)));  // the peer chose it; no clash
  EXPECT_TRUE(add(spec(1000, Direction::Out)));  // another peer did
}

TEST_F(Sad, OutboundIsNotFoundBySpi) {
  ASSERT_TRUE(add(spec(1000, Direction::Out)));
  EXPECT_TRUE(found(1000, crypto::kNoSa));
}

TEST_F(Sad, FullIsRefused) {
  for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(add(spec(1000 + i)));
  refused(spec(2000), Errc::Full, "all 4 security associations are in use");
}

TEST_F(Sad, RemovedIsNotFoundAndItsSpiIsFree) {
  const auto id = add(spec(1000));
  ASSERT_TRUE(id);
  ASSERT_TRUE(table->remove(*id));
  EXPECT_TRUE(found(1000, crypto::kNoSa));
  EXPECT_EQ(table->used(), 0u);
  EXPECT_TRUE(table->list().empty());
  const auto again = table->remove(*id);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::NotFound);
  ASSERT_FALSE(table->remove(crypto::kNoSa));
  EXPECT_TRUE(add(spec(1000)));
}

TEST_F(Sad, TheKeyIsWipedWithTheSa) {
  const auto zero = [](std::byte b) { return b == std::byte{0}; };
  for (const Direction d : {Direction::In, Direction::Out}) {
    const auto id = add(spec(1000, d));
    ASSERT_TRUE(id);
    const auto memory = SaTableInspector::memory(*table, *id);
    // The first round key of AES is the key itself: it is there now.
    const std::byte start[] = {std::byte{0xc0}, std::byte{0xff}, std::byte{0xee}, std::byte{0x00}};
    EXPECT_NE(std::search(memory.begin(), memory.end(), std::begin(start), std::end(start)),
              memory.end());
    ASSERT_TRUE(table->remove(*id));
    EXPECT_TRUE(std::all_of(memory.begin(), memory.end(), zero));
  }
}

TEST_F(Sad, NoTwoSasShareIvs) {
  // The same key, twice and once more after a removal: the IVs' high halves differ.
  const auto first = add(spec(1000, Direction::Out)), second = add(spec(1001, Direction::Out));
  ASSERT_TRUE(first && second);
  const std::uint64_t births[] = {(*table)[*first].birth, (*table)[*second].birth};
  ASSERT_TRUE(table->remove(*second));
  const auto third = add(spec(1001, Direction::Out));
  ASSERT_TRUE(third);
  EXPECT_LT(births[0], births[1]);
  EXPECT_LT(births[1], (*table)[*third].birth);
  for (const std::uint64_t b : {births[0], births[1], (*table)[*third].birth})
    EXPECT_EQ(b & 0xffffffff, 0u);
  EXPECT_EQ(table->list()[0].sequence, 0u);
}

TEST_F(Sad, ParkedIsNotFoundAndComesBackAsItWas) {
  const SaId id = *add(spec(0x1000));
  EXPECT_TRUE((*table)[id].replay.commit(7));
  ASSERT_TRUE(table->park(id));
  EXPECT_TRUE(found(0x1000, crypto::kNoSa));
  EXPECT_TRUE(table->list().empty());
  EXPECT_EQ(table->used(), 1u);
  EXPECT_EQ(table->park(id).error().code, Errc::NotFound);

  const SaId other = *add(spec(0x1000));
  EXPECT_EQ(table->unpark(id, 3, kSrc, kDst).error().code, Errc::Exists);
  ASSERT_TRUE(table->remove(other));
  ASSERT_TRUE(table->unpark(id, 4, kSrc, kDst + 1));
  EXPECT_TRUE(found(0x1000, id));
  EXPECT_EQ((*table)[id].tunnel, 4u);
  EXPECT_EQ(table->list().at(0).dst, kDst + 1);
  EXPECT_FALSE((*table)[id].replay.check(7)) << "it has been received before";
}

TEST_F(Sad, ParkedCanBeForgotten) {
  const SaId id = *add(spec(0x1000));
  ASSERT_TRUE(table->park(id));
  ASSERT_TRUE(table->remove(id));
  EXPECT_EQ(table->used(), 0u);
  const auto memory = SaTableInspector::memory(*table, id);
  EXPECT_TRUE(std::ranges::all_of(memory, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(Sad, KnowsItsKeyAgain) {
  for (const Algorithm algorithm : {Algorithm::AesGcm128, Algorithm::AesGcm256}) {
    const SaSpec s =
        spec(algorithm == Algorithm::AesGcm128 ? 0x1000 : 0x1001, Direction::In, algorithm);
    const SaId id = *add(s);
    EXPECT_TRUE(table->has_key(id, s.key));
    const auto key = table->key(id);
    ASSERT_TRUE(key);
    EXPECT_TRUE(std::ranges::equal(key->bytes(), s.key.bytes()));
    for (std::size_t at = 0; at < s.key.bytes().size(); ++at) {  // salt included
      std::vector<std::uint8_t> other{s.key.bytes().begin(), s.key.bytes().end()};
      other[at] ^= 1;
      EXPECT_FALSE(table->has_key(id, *Secret::from_bytes(other))) << at;
    }
    EXPECT_FALSE(table->has_key(id, Secret{}));
  }
}

TEST(Algorithm, Names) {
  EXPECT_EQ(crypto::parse_algorithm("aes-gcm-128"), Algorithm::AesGcm128);
  EXPECT_EQ(crypto::parse_algorithm("aes-gcm-256"), Algorithm::AesGcm256);
  for (const char* bad : {"", "aes-gcm", "AES-GCM-128", "aes-gcm-192", "aes-gcm-128 "})
    EXPECT_EQ(crypto::parse_algorithm(bad), std::nullopt) << bad;
  EXPECT_EQ(crypto::keymat_size(Algorithm::AesGcm128), 20u);
  EXPECT_EQ(crypto::keymat_size(Algorithm::AesGcm256), 36u);
}
}  // namespace
