// SPDX-License-Identifier: BSD-3-Clause
#include "core/spsc_ring.hh"

#include <gtest/gtest.h>

namespace {
using core::SpscRing;

TEST(SpscRing, IsFirstInFirstOut) {
  SpscRing<int, 4> ring;
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(ring.empty());
  int out = 0;
  EXPECT_TRUE(ring.pop(out));
  EXPECT_EQ(out, 1);
  EXPECT_TRUE(ring.pop(out));
  EXPECT_EQ(out, 2);
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, PopOfNothingTouchesNothing) {
  SpscRing<int, 4> ring;
  int out = 7;
  EXPECT_FALSE(ring.pop(out));
  EXPECT_EQ(out, 7);
}

TEST(SpscRing, RefusesWhenFullAndGoesOn) {
  SpscRing<int, 4> ring;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(99));
  int out = -1;
  EXPECT_TRUE(ring.pop(out));
  EXPECT_EQ(out, 0);
  EXPECT_TRUE(ring.push(4));
  EXPECT_FALSE(ring.push(99));
  for (int i = 1; i <= 4; ++i) {
    EXPECT_TRUE(ring.pop(out));
    EXPECT_EQ(out, i);
  }
  EXPECT_FALSE(ring.pop(out));
}

TEST(SpscRing, WrapsAtEachFill) {
  SpscRing<unsigned, 8> ring;
  unsigned in = 0, expected = 0;
  for (unsigned round = 0; round < 100; ++round) {
    const unsigned n = round % 9;
    for (unsigned i = 0; i < n; ++i) ASSERT_TRUE(ring.push(in++));
    if (n == 8) { ASSERT_FALSE(ring.push(0)); }
    unsigned out = 0;
    for (unsigned i = 0; i < n; ++i) {
      ASSERT_TRUE(ring.pop(out));
      ASSERT_EQ(out, expected++);
    }
    ASSERT_TRUE(ring.empty());
  }
}

TEST(SpscRing, HoldsOne) {
  SpscRing<int, 1> ring;
  int out = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ring.push(i));
    EXPECT_FALSE(ring.push(i));
    EXPECT_TRUE(ring.pop(out));
    EXPECT_EQ(out, i);
  }
}
}  // namespace
