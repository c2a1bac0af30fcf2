// SPDX-License-Identifier: BSD-3-Clause
// The forwarding table against a model that tries every prefix length.
#include "proto/fib4.hh"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "tests/support/packet.hh"

namespace {
using proto::Fib4;
using proto::Ip4Prefix;
using proto::NextHopId;
using test::ip;

/// Longest-prefix match by asking for each length in turn.
class NaiveFib {
public:
  void set(Ip4Prefix p, NextHopId hop) { routes_[p.network()] = hop; }
  void remove(Ip4Prefix p) { routes_.erase(p.network()); }
  [[nodiscard]] bool holds(Ip4Prefix p) const { return routes_.contains(p.network()); }
  [[nodiscard]] std::size_t size() const { return routes_.size(); }
  [[nodiscard]] const std::map<Ip4Prefix, NextHopId>& all() const { return routes_; }
  [[nodiscard]] NextHopId lookup(std::uint32_t dst) const {
    for (int length = 32; length >= 0; --length) {
      const auto at = routes_.find(Ip4Prefix{dst, static_cast<std::uint8_t>(length)}.network());
      if (at != routes_.end()) return at->second;
    }
    return proto::NextHopTable::kNoRoute;
  }

private:
  std::map<Ip4Prefix, NextHopId> routes_;
};

class Fib4Test : public testing::Test {
protected:
  void make(Fib4::Limits limits) {
    fib_ = std::move(*Fib4::create("fib4_test", limits, rcu_));
    ASSERT_NE(fib_, nullptr);
  }
  bool set(Ip4Prefix p, NextHopId hop) {
    const bool done = static_cast<bool>(fib_->set(p, hop));
    if (done) model_.set(p, hop);
    return done;
  }
  void remove(Ip4Prefix p) {
    fib_->remove(p);
    model_.remove(p);
  }
  /// The first and last address of every prefix and those beside it, and some at random.
  void expect_same_answers(int random_addresses = 1000) {
    std::vector<std::uint32_t> asked;
    for (const auto& [p, hop] : model_.all())
      for (const std::uint32_t a : {p.address, p.broadcast()})
        for (const std::uint32_t b : {a - 1, a, a + 1}) asked.push_back(b);
    for (int i = 0; i < random_addresses; ++i) asked.push_back(address());
    while (asked.size() % 64 != 0) asked.push_back(0);
    std::uint64_t hops[64];
    for (std::size_t at = 0; at < asked.size(); at += 64) {
      fib_->lookup(asked.data() + at, hops, 64);
      for (std::size_t i = 0; i < 64; ++i)
        ASSERT_EQ(hops[i], model_.lookup(asked[at + i])) << proto::to_string(asked[at + i]);
    }
    EXPECT_EQ(fib_->used(), model_.size());
  }
  std::uint32_t number(std::uint32_t below) {
    return static_cast<std::uint32_t>(random_() % below);
  }
  /// From few networks, so that prefixes cover each other; now and then from anywhere.
  std::uint32_t address() {
    const auto any = static_cast<std::uint32_t>(random_());
    return number(8) == 0 ? any : ip("10.0.0.0") | (any & 0x000303ff);
  }
  Ip4Prefix prefix() {
    return Ip4Prefix{address(), static_cast<std::uint8_t>(number(33))}.network();
  }

  core::Rcu rcu_{1};
  std::unique_ptr<Fib4> fib_;
  NaiveFib model_;
  std::mt19937 random_{20240101};
};

TEST_F(Fib4Test, EmptyTableHasNoRoute) {
  make({});
  expect_same_answers();
  EXPECT_EQ(fib_->lookup(ip("192.0.2.1")), proto::NextHopTable::kNoRoute);
}

TEST_F(Fib4Test, LongestPrefixWins) {
  make({});
  ASSERT_TRUE(set({0, 0}, 1));
  ASSERT_TRUE(set({ip("10.0.0.0"), 8}, 2));
  ASSERT_TRUE(set({ip("10.1.2.0"), 24}, 3));
  ASSERT_TRUE(set({ip("10.1.2.3"), 32}, 4));
  EXPECT_EQ(fib_->lookup(ip("10.1.2.3")), 4);
  EXPECT_EQ(fib_->lookup(ip("10.1.2.4")), 3);
  EXPECT_EQ(fib_->lookup(ip("10.1.3.3")), 2);
  EXPECT_EQ(fib_->lookup(ip("11.1.2.3")), 1);
  expect_same_answers();
}

TEST_F(Fib4Test, BitsBelowTheLengthDoNotMatter) {
  make({});
  ASSERT_TRUE(fib_->set({ip("10.1.2.77"), 24}, 3));
  ASSERT_TRUE(fib_->set({ip("10.1.2.99"), 24}, 5));
  EXPECT_EQ(fib_->used(), 1u);
  EXPECT_EQ(fib_->lookup(ip("10.1.2.1")), 5);
  fib_->remove({ip("10.1.2.1"), 24});
  EXPECT_EQ(fib_->used(), 0u);
}

TEST_F(Fib4Test, LargestNextHopIsKept) {
  make({});
  ASSERT_TRUE(set({ip("10.0.0.0"), 8}, 32766));
  ASSERT_TRUE(set({ip("10.0.0.1"), 32}, 32765));
  expect_same_answers();
}

TEST_F(Fib4Test, BehavesAsTheModelThroughThousandsOfChanges) {
  make({.routes = 4096, .groups = 256});
  for (int step = 0; step < 6000; ++step) {
    const Ip4Prefix p = prefix();
    if (number(3) != 0) {
      ASSERT_TRUE(set(p, static_cast<NextHopId>(1 + number(6)))) << step;
    } else if (model_.holds(p)) {
      remove(p);
    } else if (model_.size() != 0) {  // most draws miss: take one that is there
      auto at = model_.all().lower_bound(p);
      if (at == model_.all().end()) at = model_.all().begin();
      remove(at->first);
    }
    if (step % 200 == 0) expect_same_answers();
    if (HasFatalFailure()) return;
  }
  expect_same_answers(20'000);
  while (model_.size() != 0) remove(model_.all().begin()->first);
  expect_same_answers();
}

TEST_F(Fib4Test, FullTableIsRefusedWithNothingChanged) {
  make({.routes = 8, .groups = 4});
  for (std::uint32_t n = 0; n < 8; ++n) ASSERT_TRUE(set({ip("10.0.0.0") + (n << 16), 16}, 7));
  const auto refused = fib_->set({ip("10.99.0.0"), 16}, 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  expect_same_answers();
  // What is there may still be changed, and what goes makes room.
  ASSERT_TRUE(set({ip("10.0.0.0"), 16}, 9));
  remove({ip("10.1.0.0"), 16});
  ASSERT_TRUE(set({ip("10.99.0.0"), 16}, 9));
  expect_same_answers();
}

TEST_F(Fib4Test, PrefixesBeyond24AreRefusedWhenTheGroupsAreUsed) {
  constexpr std::uint32_t kGroups = 64;  // DPDK counts them in steps of 64
  make({.routes = 256, .groups = kGroups});
  std::uint32_t net = 0;
  while (net < 100 && set({ip("10.0.0.1") + (net << 8), 32}, 7)) ++net;
  // One of DPDK's groups may be set aside.
  ASSERT_GE(net, kGroups - 1);
  ASSERT_LE(net, kGroups);

  expect_same_answers();
  // A group is there for all long prefixes of its /24; a /24 needs none.
  ASSERT_TRUE(set({ip("10.0.0.2"), 32}, 8));
  ASSERT_TRUE(set({ip("10.0.200.0"), 24}, 8));
  EXPECT_FALSE(set({ip("10.0.201.0"), 25}, 8));
  expect_same_answers();
  // Both prefixes of the first group go: the next group can be had.
  remove({ip("10.0.0.1"), 32});
  remove({ip("10.0.0.2"), 32});
  ASSERT_TRUE(set({ip("10.0.201.0"), 25}, 8));
  expect_same_answers();
}

TEST_F(Fib4Test, GroupsComeBackWhateverTheNextHops) {
  // A host route with the next hop of the route that covers it looks like no route at all to
  // DPDK, which must not lose count of its groups over it.
  make({.routes = 64, .groups = 4});
  ASSERT_TRUE(set({ip("10.0.0.0"), 8}, 7));
  for (int round = 0; round < 50; ++round) {
    for (std::uint32_t n = 0; n < 3; ++n) {
      ASSERT_TRUE(set({ip("10.0.0.1") + (n << 8), 32}, round % 2 == 0 ? 7 : 8)) << round;
      ASSERT_TRUE(set({ip("10.0.0.0") + (n << 8), 32}, 7)) << round;
      ASSERT_TRUE(set({ip("10.0.0.255") + (n << 8), 32}, 7)) << round;
    }
    expect_same_answers(100);
    for (std::uint32_t n = 0; n < 3; ++n)
      for (const std::uint32_t host : {0u, 1u, 255u})
        remove({ip("10.0.0.0") + (n << 8) + host, 32});
    expect_same_answers(100);
  }
}

TEST_F(Fib4Test, GroupsAreCountedWhateverCoversTheirPrefixes) {
  // A /24 that comes before its hosts and goes before them, or after.
  make({.routes = 256, .groups = 64});
  for (std::uint32_t round = 0; round < 200; ++round) {
    const std::uint32_t net = ip("10.0.0.0") + (round << 8);
    ASSERT_TRUE(set({net, 24}, 1));
    ASSERT_TRUE(set({net + 5, 32}, 2)) << round;
    remove({net, 24});
    remove({net + 5, 32});
    ASSERT_TRUE(set({net + 5, 32}, 2)) << round;
    ASSERT_TRUE(set({net, 24}, 1));
    remove({net + 5, 32});
    remove({net, 24});
  }
  expect_same_answers();
}

TEST_F(Fib4Test, DefaultRouteComesAndGoesBesideTouchingPrefixesAtTheEnd) {
  make({});
  ASSERT_TRUE(set({ip("224.0.0.0"), 4}, 1));
  ASSERT_TRUE(set({ip("240.0.0.0"), 4}, 2));
  ASSERT_TRUE(set({ip("255.255.255.255"), 32}, 3));
  ASSERT_TRUE(set({ip("10.1.2.3"), 32}, 4));
  for (const NextHopId hop : {NextHopId{7}, NextHopId{8}, NextHopId{7}}) {
    ASSERT_TRUE(set({0, 0}, hop));
    expect_same_answers();
  }
  ASSERT_TRUE(set({ip("128.0.0.0"), 1}, 9));
  expect_same_answers();
  remove({0, 0});
  expect_same_answers();
  remove({ip("128.0.0.0"), 1});
  expect_same_answers();
}

TEST_F(Fib4Test, BehavesAsTheModelAtTheEndOfTheAddressSpace) {
  make({.routes = 512, .groups = 64});
  for (int step = 0; step < 4000; ++step) {
    const auto length = static_cast<std::uint8_t>(number(33));
    const std::uint32_t any = ~std::uint32_t{0} << number(32) | number(8);
    const Ip4Prefix p = Ip4Prefix{any, length}.network();
    if (model_.holds(p) && number(2) == 0)
      remove(p);
    else
      ASSERT_TRUE(set(p, static_cast<NextHopId>(number(4)))) << step;
    if (step % 10 == 0) expect_same_answers(10);
    if (HasFatalFailure()) return;
  }
}

TEST_F(Fib4Test, LimitsOutOfRangeAreRefused) {
  const auto none = Fib4::create("fib4_none", {.routes = 0, .groups = 4}, rcu_);
  EXPECT_FALSE(none);
}
}  // namespace
