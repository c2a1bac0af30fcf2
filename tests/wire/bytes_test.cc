// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/bytes.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/packet.hh"

namespace {
constexpr auto kBytes = test::hex("0123456789abcdef80");
static_assert(proto::load_be16(kBytes, 0) == 0x0123);
static_assert(proto::load_be16(kBytes, 7) == 0xef80);
static_assert(proto::load_be32(kBytes, 1) == 0x23456789);
static_assert(proto::load_be64(kBytes, 1) == 0x23456789abcdef80);

TEST(Bytes, StoresWhatItLoads) {
  test::Packet p(8, 0xee);
  proto::store_be64(p, 0, 0xfedcba9876543210);
  EXPECT_EQ(p, test::from_hex("fedcba9876543210"));
  proto::store_be32(p, 2, 0x80000001);
  EXPECT_EQ(p, test::from_hex("fedc800000013210"));
  proto::store_be16(p, 6, 0xffff);
  EXPECT_EQ(p, test::from_hex("fedc80000001ffff"));
}

TEST(Bytes, CopiesAllOfTheSource) {
  test::Packet p(4, 0xee);
  proto::copy(test::from_hex("010203"), p);
  EXPECT_EQ(p, test::from_hex("010203ee"));
}
}  // namespace
