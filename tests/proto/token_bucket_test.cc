// SPDX-License-Identifier: BSD-3-Clause
#include "proto/token_bucket.hh"

#include <gtest/gtest.h>

namespace {
constexpr std::uint64_t kSecond_us = 1'000'000;

int taken(proto::TokenBucket& bucket, std::uint64_t now_us, std::uint32_t rate_per_s, int tries) {
  int n = 0;
  for (int i = 0; i < tries; ++i) n += bucket.take(now_us, rate_per_s) ? 1 : 0;
  return n;
}

TEST(TokenBucket, StartsFullAndFillsAtItsRate) {
  proto::TokenBucket bucket;
  EXPECT_EQ(taken(bucket, 5, 10, 100), 10);
  EXPECT_EQ(taken(bucket, 5 + kSecond_us / 2, 10, 100), 5);
  EXPECT_EQ(taken(bucket, 5 + kSecond_us / 2, 10, 100), 0);
  EXPECT_EQ(taken(bucket, 5 + kSecond_us / 2 + 99'999, 10, 100), 0);
  EXPECT_EQ(taken(bucket, 5 + kSecond_us / 2 + 100'000, 10, 100), 1);
}

TEST(TokenBucket, LosesNothingToRounding) {
  proto::TokenBucket bucket;
  (void)taken(bucket, 0, 3, 100);
  int n = 0;
  for (std::uint64_t now = 1; now <= 10 * kSecond_us; now += 7) n += bucket.take(now, 3) ? 1 : 0;
  EXPECT_GE(n, 29);
  EXPECT_LE(n, 30);
}

TEST(TokenBucket, HoldsOneSecondsWorthAtMost) {
  proto::TokenBucket bucket;
  (void)taken(bucket, 0, 10, 100);
  EXPECT_EQ(taken(bucket, 3600 * kSecond_us, 10, 100), 10);
  EXPECT_EQ(taken(bucket, ~std::uint64_t{0} / 2, 10, 100), 10);
}

TEST(TokenBucket, RateZeroGivesNothingAndANewRateFills) {
  proto::TokenBucket bucket;
  EXPECT_EQ(taken(bucket, 1, 0, 100), 0);
  EXPECT_EQ(taken(bucket, 9 * kSecond_us, 0, 100), 0);
  EXPECT_EQ(taken(bucket, 9 * kSecond_us, 4, 100), 0);
  EXPECT_EQ(taken(bucket, 10 * kSecond_us, 4, 100), 4);
  // A lower rate at once means a smaller bucket.
  EXPECT_EQ(taken(bucket, 20 * kSecond_us, 2, 100), 2);
}
}  // namespace
