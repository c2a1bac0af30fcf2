// SPDX-License-Identifier: BSD-3-Clause
// The groups of the IPv6 trie: those of prefixes that are gone can be used again.
#include <gtest/gtest.h>

#include <memory>

#include "proto/fib6.hh"
#include "tests/support/packet.hh"

namespace {
using proto::IpPrefix;

IpPrefix numbered(std::uint32_t n, std::uint8_t length) {
  core::IpAddress a = *proto::parse_ip6("2001:db8::");
  for (std::size_t i = 0; i < 4; ++i)
    a.bytes()[4 + i] = static_cast<std::uint8_t>(n >> (24 - 8 * i));
  return {a, length};
}

class Fib6Groups : public testing::Test {
protected:
  core::Rcu rcu_{1};
  std::unique_ptr<proto::Fib6> fib_ =
      std::move(*proto::Fib6::create("groups_test", {.routes = 1024, .groups = 64}, rcu_));
};

TEST_F(Fib6Groups, HostsComeAndGoWithoutEnd) {
  for (std::uint32_t n = 0; n < 5000; ++n) {
    ASSERT_TRUE(fib_->set(numbered(n, 128), 5)) << n;
    EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 5u);
    fib_->remove(numbered(n, 128));
    EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 0u);
  }
  EXPECT_EQ(fib_->used(), 0u);
}

TEST_F(Fib6Groups, SubnetsWithHostsInThemToo) {
  for (std::uint32_t n = 0; n < 2000; ++n) {
    ASSERT_TRUE(fib_->set(numbered(n, 64), 4)) << n;
    ASSERT_TRUE(fib_->set(numbered(n, 128), 5)) << n;
    ASSERT_TRUE(fib_->set(numbered(n, 64), 6)) << n;
    EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 5u);
    fib_->remove(numbered(n, n % 2 == 0 ? 64 : 128));
    fib_->remove(numbered(n, n % 2 == 0 ? 128 : 64));
  }
}

TEST_F(Fib6Groups, FullOneRefusesAndHasRoomAgainWhenOneGoes) {
  std::uint32_t n = 0;
  while (fib_->set(numbered(n, 128), 5)) ++n;
  EXPECT_EQ(n, 64u / 13);
  const auto refused = fib_->set(numbered(n, 128), 5);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 0u);
  EXPECT_TRUE(fib_->set(numbered(0, 128), 6)) << "another next hop for one that is there";
  fib_->remove(numbered(1, 128));
  EXPECT_TRUE(fib_->set(numbered(n, 128), 7));
  EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 7u);
  EXPECT_EQ(fib_->lookup(numbered(0, 128).address), 6u);
}
}  // namespace
