// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/spi_index.hh"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace {
using crypto::kNoSa;
using crypto::SaId;
using crypto::SpiIndex;

TEST(SpiIndex, FindsWholeBursts) {
  SpiIndex index{8};
  index.insert(256, 0);
  index.insert(0xffffffff, 7);
  const std::array<std::uint32_t, 4> spi{0xffffffff, 256, 257, 0};
  std::array<SaId, 4> id{};
  index.find_all(spi, id);
  EXPECT_EQ(id, (std::array<SaId, 4>{7, 0, kNoSa, kNoSa}));
}

TEST(SpiIndex, HoldsItsWholeCapacity) {
  for (const std::size_t capacity : {1u, 2u, 3u, 256u, 65534u}) {
    SpiIndex index{capacity};
    for (std::size_t i = 0; i < capacity; ++i)
      index.insert(static_cast<std::uint32_t>(256 + i), static_cast<SaId>(i));
    for (std::size_t i = 0; i < capacity; ++i)
      ASSERT_EQ(index.find(static_cast<std::uint32_t>(256 + i)), i);
    EXPECT_EQ(index.find(static_cast<std::uint32_t>(256 + capacity)), kNoSa);
  }
}

TEST(SpiIndex, AgainstAMap) {
  constexpr std::size_t kCapacity = 64;
  SpiIndex index{kCapacity};
  std::map<std::uint32_t, SaId> model;
  std::mt19937 random{1};
  for (int step = 0; step < 50000; ++step) {
    // Few SPIs, so that insertions and deletions meet; equal high bits, so that homes collide.
    const auto spi = static_cast<std::uint32_t>(256 + random() % 200 * 0x10000);
    if (model.contains(spi)) {
      index.erase(spi);
      model.erase(spi);
    } else if (model.size() < kCapacity) {
      const auto id = static_cast<SaId>(random() % kCapacity);
      index.insert(spi, id);
      model[spi] = id;
    }
    const auto asked = static_cast<std::uint32_t>(256 + random() % 200 * 0x10000);
    ASSERT_EQ(index.find(asked), model.contains(asked) ? model[asked] : kNoSa);
  }
}
}  // namespace
