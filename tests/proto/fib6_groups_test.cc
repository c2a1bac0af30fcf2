// SPDX-License-Identifier: BSD-3-Clause
// The groups of the IPv6 trie: those of prefixes that are gone can be used again.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>

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
  EXPECT_EQ(n, 7u) << "13 groups for the first; 8 for the others, which have its first 5 too";
  EXPECT_EQ(fib_->groups_used(), 13u + 6 * 8);
  const auto refused = fib_->set(numbered(n, 128), 5);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  EXPECT_NE(refused.error().context.find("(limits.route_groups6)"), std::string::npos);
  EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 0u);
  EXPECT_EQ(fib_->groups_used(), 13u + 6 * 8);
  EXPECT_TRUE(fib_->set(numbered(0, 128), 6)) << "another next hop for one that is there";
  fib_->remove(numbered(1, 128));
  EXPECT_TRUE(fib_->set(numbered(n, 128), 7));
  EXPECT_EQ(fib_->lookup(numbered(n, 128).address), 7u);
  EXPECT_EQ(fib_->lookup(numbered(0, 128).address), 6u);
}
TEST_F(Fib6Groups, HostsOfOneSubnetShareTheirs) {
  IpPrefix host = numbered(1, 128);
  for (unsigned n = 0; n < 256; ++n) {
    host.address.bytes()[15] = static_cast<std::uint8_t>(n);
    ASSERT_TRUE(fib_->set(host, 5)) << n;
  }
  EXPECT_EQ(fib_->groups_used(), 13u);
  for (unsigned n = 0; n < 256; ++n) {
    host.address.bytes()[15] = static_cast<std::uint8_t>(n);
    fib_->remove(host);
  }
  EXPECT_EQ(fib_->groups_used(), 0u);
}

/// What the table says of its groups against a plain set of them, and that a prefix is refused when
/// it would need one too many, and only then: the trie never runs out before the count does.
TEST_F(Fib6Groups, AreCountedAsTheyAreNeeded) {
  std::mt19937 random{6};
  std::set<IpPrefix> there;
  std::uint32_t refused = 0;
  const auto needed = [](const std::set<IpPrefix>& prefixes) {
    std::set<IpPrefix> groups;
    for (const IpPrefix& p : prefixes)
      for (unsigned length = 24; length < p.length; length += 8)
        groups.insert(IpPrefix{p.address, static_cast<std::uint8_t>(length)}.network());
    return groups.size();
  };
  for (int round = 0; round < 20'000; ++round) {
    const auto length = static_cast<std::uint8_t>(20 + random() % 50);
    const IpPrefix p = numbered(random() & 0x07030301, length).network();
    if (there.contains(p) && random() % 2 == 0) {
      fib_->remove(p);
      there.erase(p);
    } else {
      std::set<IpPrefix> with = there;
      with.insert(p);
      const bool fits = needed(with) <= 64;
      ASSERT_EQ(static_cast<bool>(fib_->set(p, static_cast<proto::NextHopId>(1 + random() % 3))),
                fits)
          << round;
      if (fits)
        there = std::move(with);
      else
        ++refused;
    }
    ASSERT_EQ(fib_->groups_used(), needed(there)) << round;
  }
  EXPECT_GT(refused, 100u);
}
}  // namespace
