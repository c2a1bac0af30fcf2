// SPDX-License-Identifier: BSD-3-Clause
#include "core/burst.hh"

#include <gtest/gtest.h>

#include <array>

namespace {
using core::Burst;

/// Packets that are only pointed at.
class BurstTest : public testing::Test {
protected:
  std::array<rte_mbuf, Burst::kCapacity + 1> mbufs_{};
  Burst burst_;
};
using NotedBurstTest = BurstTest;
using BurstDeathTest = BurstTest;

TEST_F(BurstTest, KeepsTheOrder) {
  for (std::size_t i = 0; i < 3; ++i) burst_.push(&mbufs_[i]);
  EXPECT_EQ(burst_.size(), 3);
  EXPECT_FALSE(burst_.empty());
  std::size_t i = 0;
  for (rte_mbuf* m : burst_.take()) EXPECT_EQ(m, &mbufs_[i++]);
  EXPECT_EQ(i, 3u);
}

TEST_F(BurstTest, TakeLeavesNothing) {
  burst_.push(&mbufs_[0]);
  EXPECT_EQ(burst_.packets().size(), 1u);
  EXPECT_EQ(burst_.size(), 1) << "packets() only shows";
  EXPECT_EQ(burst_.take().size(), 1u);
  EXPECT_TRUE(burst_.empty());
  EXPECT_TRUE(burst_.take().empty());
}

TEST_F(BurstTest, HoldsItsCapacity) {
  for (std::size_t i = 0; i < Burst::kCapacity; ++i) burst_.push(&mbufs_[i]);
  const auto taken = burst_.take();
  ASSERT_EQ(taken.size(), Burst::kCapacity);
  EXPECT_EQ(taken.back(), &mbufs_[Burst::kCapacity - 1]);
}

TEST_F(BurstTest, IsFilledInPlace) {
  burst_.fill([&](rte_mbuf** slots, std::uint16_t room) -> std::uint16_t {
    EXPECT_EQ(room, Burst::kCapacity);
    slots[0] = &mbufs_[5];
    slots[1] = &mbufs_[6];
    return 2;
  });
  const auto taken = burst_.take();
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1], &mbufs_[6]);
}

TEST_F(NotedBurstTest, KeepsEachNoteBesideItsPacket) {
  core::NotedBurst<std::uint32_t> noted;
  for (std::uint32_t round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < Burst::kCapacity; ++i) noted.push(&mbufs_[i], 1000 * round + i);
    EXPECT_EQ(noted.size(), Burst::kCapacity);
    const auto taken = noted.take();
    for (std::uint32_t i = 0; i < Burst::kCapacity; ++i) {
      EXPECT_EQ(taken[i], &mbufs_[i]);
      EXPECT_EQ(noted.notes()[i], 1000 * round + i);
    }
    EXPECT_TRUE(noted.empty());
  }
}

#ifndef NDEBUG
TEST_F(BurstDeathTest, LosingAPacketIsCaught) {
  EXPECT_DEATH(
      {
        Burst lost;
        lost.push(&mbufs_[0]);
      },
      "a stage lost packets");
}

TEST_F(BurstDeathTest, LosingANotedPacketIsCaught) {
  EXPECT_DEATH(
      {
        core::NotedBurst<int> lost;
        lost.push(&mbufs_[0], 1);
      },
      "a stage lost packets");
}

TEST_F(BurstDeathTest, OverflowIsCaught) {
  EXPECT_DEATH(
      {
        for (rte_mbuf& m : mbufs_) burst_.push(&m);
      },
      "kCapacity");
}

TEST_F(BurstDeathTest, FillingOverPacketsIsCaught) {
  EXPECT_DEATH(
      {
        burst_.push(&mbufs_[0]);
        burst_.fill([](rte_mbuf**, std::uint16_t) { return std::uint16_t{0}; });
      },
      "empty");
}
#endif
}  // namespace
