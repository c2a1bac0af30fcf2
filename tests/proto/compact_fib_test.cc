// SPDX-License-Identifier: BSD-3-Clause
// The compact FIB against a naive longest-prefix match, under random changes.
#include "proto/compact_fib.hh"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/packet.hh"

namespace {
using proto::CompactFib;
using proto::IpPrefix;
using proto::NextHopId;

/// What is right, by trying every length.
class Model {
public:
  std::map<IpPrefix, NextHopId> routes;
  [[nodiscard]] NextHopId lookup(const core::IpAddress& a) const {
    for (int length = a.bits(); length >= 0; --length)
      if (const auto at = routes.find(IpPrefix{a, static_cast<std::uint8_t>(length)}.network());
          at != routes.end())
        return at->second;
    return 0;
  }
};

class CompactFibModel : public testing::TestWithParam<std::pair<bool, unsigned>> {
protected:
  /// Addresses with few different bits, so that prefixes lie in each other.
  core::IpAddress any_address() {
    core::IpAddress a = ip4_ ? core::IpAddress{0} : *proto::parse_ip6("2000::");
    for (std::size_t i = ip4_ ? 12 : 0; i < 16; ++i) {
      constexpr std::uint8_t kBytes[] = {0x20, 0x21, 0x00, 0xff, 0x80};
      a.bytes()[i] = kBytes[random_() % std::size(kBytes)];
    }
    return a;
  }
  IpPrefix any_prefix() {
    const core::IpAddress a = any_address();
    return IpPrefix{a, static_cast<std::uint8_t>(random_() % (a.bits() + 1u))}.network();
  }
  [[nodiscard]] NextHopId found(const core::IpAddress& a) const {
    return ip4_ ? fib_.lookup(a.ip4()) : fib_.lookup(a);
  }
  void add(const IpPrefix& p) {
    const auto next_hop = static_cast<NextHopId>(1 + random_() % 1000);
    if (fib_.set(p, next_hop)) {
      model_.routes[p] = next_hop;
    } else {
      ++refused_;
    }
  }
  void remove(const IpPrefix& p) {
    model_.routes.erase(p);
    fib_.remove(p, [&](const IpPrefix& covering) { return model_.routes.at(covering); });
  }
  void remove_any() {
    if (model_.routes.empty()) return;
    auto at = model_.routes.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % model_.routes.size()));
    remove(IpPrefix{at->first});
  }
  void compare(int step) {
    ASSERT_EQ(fib_.used(), model_.routes.size());
    for (int i = 0; i < 20; ++i) {
      const core::IpAddress a = any_address();
      ASSERT_EQ(found(a), model_.lookup(a)) << proto::to_string(a) << " step " << step;
    }
    for (const auto& [p, next_hop] : model_.routes)
      ASSERT_EQ(found(p.address), model_.lookup(p.address)) << proto::to_string(p);
  }

  bool ip4_ = GetParam().first;
  std::mt19937 random_{GetParam().second};
  core::Rcu rcu_{1};
  proto::FibBlocks blocks_{200, rcu_};
  CompactFib fib_{blocks_, ip4_ ? CompactFib::Family::Ip4 : CompactFib::Family::Ip6, 60};
  Model model_;
  int refused_ = 0;
};

TEST_P(CompactFibModel, SaysWhatTheNaiveOneSays) {
  for (int step = 0; step < 1500; ++step) {
    const bool filling = step / 200 % 2 == 0;
    if (random_() % 3 != 0 ? filling : !filling)
      add(any_prefix());
    else
      remove_any();
    ASSERT_NO_FATAL_FAILURE(compare(step));
  }
  EXPECT_GT(refused_, 0) << "the limits were reached, and nothing changed then";
  while (!model_.routes.empty()) remove_any();
  compare(-1);
  EXPECT_EQ(blocks_.used(), 0u) << "all memory comes back";
}
INSTANTIATE_TEST_SUITE_P(Random, CompactFibModel,
                         testing::Values(std::pair{true, 1u}, std::pair{true, 2u},
                                         std::pair{true, 3u}, std::pair{false, 4u},
                                         std::pair{false, 5u}, std::pair{false, 6u}));

class CompactFib4 : public testing::Test {
protected:
  static IpPrefix prefix(const char* text) { return *proto::parse_ip_prefix(text); }
  static std::uint32_t ip(const char* text) { return proto::parse_ip4(text).value(); }
  core::Rcu rcu_{1};
  proto::FibBlocks blocks_{4, rcu_};
  CompactFib fib_{blocks_, CompactFib::Family::Ip4, 100};
};

TEST_F(CompactFib4, EmptyOneAndOneWithADefaultRouteTakeNoBlock) {
  EXPECT_EQ(fib_.lookup(ip("10.0.0.1")), 0u);
  ASSERT_TRUE(fib_.set(prefix("0.0.0.0/0"), 7));
  EXPECT_EQ(fib_.lookup(ip("10.0.0.1")), 7u);
  EXPECT_EQ(blocks_.used(), 0u);
}

TEST_F(CompactFib4, WhereBlocksAreMissingNothingChanges) {
  ASSERT_TRUE(fib_.set(prefix("10.0.0.0/24"), 1));  // three blocks
  const auto refused = fib_.set(prefix("11.0.0.0/24"), 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  EXPECT_EQ(blocks_.used(), 3u);
  EXPECT_EQ(fib_.lookup(ip("11.0.0.1")), 0u);
  ASSERT_TRUE(fib_.set(prefix("10.0.0.1/32"), 3));
  EXPECT_EQ(fib_.lookup(ip("10.0.0.1")), 3u);
  EXPECT_EQ(fib_.lookup(ip("10.0.0.2")), 1u);
}

TEST_F(CompactFib4, FreedBlocksAreUsedAgain) {
  for (std::uint32_t n = 0; n < 1000; ++n) {
    const IpPrefix p{core::IpAddress{n << 12}, 32};
    ASSERT_TRUE(fib_.set(p, 5)) << n;
    EXPECT_EQ(fib_.lookup(n << 12), 5u);
    fib_.remove(p, [](const IpPrefix&) { return NextHopId{0}; });
    EXPECT_EQ(fib_.lookup(n << 12), 0u);
  }
}

TEST_F(CompactFib4, GoingLeavesTheMemoryToOthers) {
  {
    CompactFib other{blocks_, CompactFib::Family::Ip4, 100};
    ASSERT_TRUE(other.set(prefix("10.0.0.1/32"), 1));
    EXPECT_EQ(blocks_.used(), 4u);
  }
  EXPECT_EQ(blocks_.used(), 0u);
  ASSERT_TRUE(fib_.set(prefix("10.0.0.1/32"), 1));
}
}  // namespace
