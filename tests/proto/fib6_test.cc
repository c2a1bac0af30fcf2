// SPDX-License-Identifier: BSD-3-Clause
// The IPv6 forwarding table against a model that tries every prefix length.
#include "proto/fib6.hh"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/packet6.hh"

namespace {
using core::IpAddress;
using proto::Fib6;
using proto::IpPrefix;
using proto::NextHopId;
using test::addr6;

/// Longest-prefix match by asking for each length in turn.
class NaiveFib {
public:
  void set(const IpPrefix& p, NextHopId hop) { routes_[p.network()] = hop; }
  void remove(const IpPrefix& p) { routes_.erase(p.network()); }
  [[nodiscard]] bool holds(const IpPrefix& p) const { return routes_.contains(p.network()); }
  [[nodiscard]] std::size_t size() const { return routes_.size(); }
  [[nodiscard]] const std::map<IpPrefix, NextHopId>& all() const { return routes_; }
  [[nodiscard]] NextHopId lookup(const IpAddress& dst) const {
    for (int length = 128; length >= 0; --length) {
      const auto at = routes_.find(IpPrefix{dst, static_cast<std::uint8_t>(length)}.network());
      if (at != routes_.end()) return at->second;
    }
    return proto::NextHopTable::kNoRoute;
  }

private:
  std::map<IpPrefix, NextHopId> routes_;
};

IpAddress last_of(const IpPrefix& p) {
  IpAddress a = p.network().address;
  for (unsigned bit = p.length; bit < 128; ++bit)
    a.bytes()[bit / 8] = static_cast<std::uint8_t>(a.bytes()[bit / 8] | 0x80u >> bit % 8);
  return a;
}
/// The address one higher or lower, round the end of the address space.
IpAddress beside(IpAddress a, bool up) {
  for (std::size_t i = 16; i-- > 0;) {
    a.bytes()[i] = static_cast<std::uint8_t>(a.bytes()[i] + (up ? 1 : -1));
    if (a.bytes()[i] != (up ? 0x00 : 0xff)) break;
  }
  return a;
}

class Fib6Test : public testing::Test {
protected:
  void make(Fib6::Limits limits) {
    fib_ = std::move(*Fib6::create("fib6_test", limits, rcu_));
    ASSERT_NE(fib_, nullptr);
  }
  bool set(const IpPrefix& p, NextHopId hop) {
    const bool done = static_cast<bool>(fib_->set(p, hop));
    if (done) model_.set(p, hop);
    return done;
  }
  bool set(const char* address, std::uint8_t length, NextHopId hop) {
    return set({addr6(address), length}, hop);
  }
  void remove(const IpPrefix& p) {
    fib_->remove(p);
    model_.remove(p);
  }
  void remove(const char* address, std::uint8_t length) { remove({addr6(address), length}); }
  /// The first and last address of every prefix and those beside it, and some at random.
  void expect_same_answers(int random_addresses = 200) {
    std::vector<IpAddress> asked;
    for (const auto& [p, hop] : model_.all())
      for (const IpAddress& a : {p.address, last_of(p)})
        for (const IpAddress& b : {beside(a, false), a, beside(a, true)}) asked.push_back(b);
    for (int i = 0; i < random_addresses; ++i) asked.push_back(address());
    // IPv4-mapped addresses are none of this family's, and no packet has them (ip6_input).
    std::erase_if(asked, [](const IpAddress& a) { return a.is_ip4(); });
    while (asked.size() % 64 != 0) asked.emplace_back();
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
  IpAddress address() {
    IpAddress a = addr6("2001:db8::");
    if (number(8) == 0)
      for (auto& b : a.bytes()) b = static_cast<std::uint8_t>(random_());
    for (std::size_t i = 4; i < 16; ++i) a.bytes()[i] = static_cast<std::uint8_t>(number(3));
    return a;
  }
  /// Near both ends of the address space: a run of ones or zeros, then a few other bits.
  IpAddress address_at_the_end() {
    const std::uint8_t fill = number(2) == 0 ? 0xff : 0x00;
    IpAddress a;
    for (auto& b : a.bytes()) b = fill;
    const unsigned bit = number(128);
    for (unsigned i = bit; i < std::min(bit + 4, 128u); ++i)
      a.bytes()[i / 8] = static_cast<std::uint8_t>(a.bytes()[i / 8] ^ (number(2) << (7 - i % 8)));
    return a;
  }
  IpPrefix prefix_of(const IpAddress& a) {
    static constexpr std::uint8_t kUsual[] = {0, 1, 3, 8, 10, 16, 24, 32, 48, 56, 64, 96, 127, 128};
    const std::uint8_t length =
        number(2) == 0 ? kUsual[number(std::size(kUsual))] : static_cast<std::uint8_t>(number(129));
    const IpPrefix p = IpPrefix{a.is_ip4() ? addr6("2001:db8::") : a, length}.network();
    return p.is_ip4() ? IpPrefix{addr6("2001:db8::"), length}.network() : p;
  }
  template <class Draw>
  void change(Draw&& draw, int steps, int check_every) {
    for (int step = 0; step < steps; ++step) {
      const IpPrefix p = prefix_of(draw());
      if (number(3) != 0) {
        ASSERT_TRUE(set(p, static_cast<NextHopId>(number(5)))) << step << ' ' << to_string(p);
      } else if (model_.size() != 0) {  // most draws miss: take one that is there
        auto at = model_.all().lower_bound(p);
        if (at == model_.all().end()) at = model_.all().begin();
        const IpPrefix gone = at->first;
        remove(gone);
      }
      if (step % check_every == 0) expect_same_answers(10);
      if (HasFatalFailure()) FAIL() << step << ' ' << to_string(p);
    }
  }

  core::Rcu rcu_{1};
  std::unique_ptr<Fib6> fib_;
  NaiveFib model_;
  std::mt19937 random_{20240101};
};

TEST_F(Fib6Test, EmptyTableHasNoRoute) {
  make({});
  expect_same_answers();
  EXPECT_EQ(fib_->lookup(addr6("2001:db8::1")), proto::NextHopTable::kNoRoute);
}

TEST_F(Fib6Test, LongestPrefixWins) {
  make({});
  ASSERT_TRUE(set("::", 0, 1));
  ASSERT_TRUE(set("2001:db8::", 32, 2));
  ASSERT_TRUE(set("2001:db8:1::", 48, 3));
  ASSERT_TRUE(set("2001:db8:1::7", 128, 4));
  EXPECT_EQ(fib_->lookup(addr6("2001:db8:1::7")), 4u);
  EXPECT_EQ(fib_->lookup(addr6("2001:db8:1::8")), 3u);
  EXPECT_EQ(fib_->lookup(addr6("2001:db8:2::7")), 2u);
  EXPECT_EQ(fib_->lookup(addr6("2001:db9::")), 1u);
  expect_same_answers();
}

TEST_F(Fib6Test, EachLengthByItself) {
  make({});
  const IpAddress a = addr6("2001:db8:5555:aaaa:1234:5678:9abc:def1");
  for (unsigned length = 0; length <= 128; ++length) {
    const IpPrefix p = IpPrefix{a, static_cast<std::uint8_t>(length)}.network();
    ASSERT_TRUE(set(p, 7)) << length;
    expect_same_answers(10);
    remove(p);
    expect_same_answers(10);
  }
}

TEST_F(Fib6Test, AllLengthsInEachOtherBothWays) {
  make({});
  const IpAddress a = addr6("2001:db8:5555:aaaa:1234:5678:9abc:def1");
  for (const bool up : {true, false}) {
    for (unsigned n = 0; n <= 128; ++n)
      ASSERT_TRUE(set(IpPrefix{a, static_cast<std::uint8_t>(up ? n : 128 - n)}.network(), n % 7));
    expect_same_answers();
    for (unsigned n = 0; n <= 128; ++n) {
      remove(IpPrefix{a, static_cast<std::uint8_t>(up ? n : 128 - n)}.network());
      if (n % 8 == 0) expect_same_answers(10);
    }
  }
}

TEST_F(Fib6Test, BitsBelowTheLengthDoNotMatter) {
  make({});
  ASSERT_TRUE(fib_->set({addr6("2001:db8::77"), 64}, 3));
  ASSERT_TRUE(fib_->set({addr6("2001:db8::99"), 64}, 5));
  EXPECT_EQ(fib_->used(), 1u);
  EXPECT_EQ(fib_->lookup(addr6("2001:db8::1")), 5u);
  fib_->remove({addr6("2001:db8::1"), 64});
  EXPECT_EQ(fib_->used(), 0u);
}

TEST_F(Fib6Test, LargestNextHopIsKept) {
  make({});
  ASSERT_TRUE(set("2001:db8::", 32, 32766));
  ASSERT_TRUE(set("2001:db8::1", 128, 32765));
  expect_same_answers();
}

TEST_F(Fib6Test, DefaultRouteComesAndGoesOverWhatEveryTableHas) {
  make({});
  ASSERT_TRUE(set("::", 128, 1));
  ASSERT_TRUE(set("::1", 128, 1));
  ASSERT_TRUE(set("fe80::", 10, 1));
  ASSERT_TRUE(set("fe80:1::", 64, 2));
  ASSERT_TRUE(set("ff00::", 8, 3));
  ASSERT_TRUE(set("ff02:1::1", 128, 4));
  for (const NextHopId hop : {7u, 8u, 7u}) {
    ASSERT_TRUE(set("::", 0, hop));
    expect_same_answers();
  }
  ASSERT_TRUE(set("8000::", 1, 9));
  expect_same_answers();
  ASSERT_TRUE(set("fec0::", 10, 6)) << "beside fe80::/10 and ff00::/8";
  expect_same_answers();
  ASSERT_TRUE(set("::", 0, 9));
  expect_same_answers();
  remove("::", 0);
  expect_same_answers();
  remove("8000::", 1);
  expect_same_answers();
}

TEST_F(Fib6Test, BehavesAsTheModelThroughThousandsOfChanges) {
  make({.routes = 4096, .groups = 16384});
  change([&] { return address(); }, 3600, 200);
  if (HasFatalFailure()) return;
  expect_same_answers(20'000);
  while (model_.size() != 0) {
    const IpPrefix first = model_.all().begin()->first;
    remove(first);
  }
  expect_same_answers();
}

TEST_F(Fib6Test, BehavesAsTheModelAtTheEndsOfTheAddressSpace) {
  make({.routes = 4096, .groups = 16384});
  change([&] { return address_at_the_end(); }, 2000, 20);
}

TEST_F(Fib6Test, FullTableIsRefusedWithNothingChanged) {
  make({.routes = 4, .groups = 64});
  for (const char* a : {"2001:db8::", "2001:db9::", "2001:dba::", "2001:dbb::"})
    ASSERT_TRUE(set(a, 32, 7));
  const auto refused = fib_->set({addr6("2001:dbc::"), 32}, 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  expect_same_answers();
  // What is there may still be changed, and what goes makes room.
  ASSERT_TRUE(set("2001:db8::", 32, 9));
  remove("2001:db9::", 32);
  ASSERT_TRUE(set("2001:dbc::", 32, 9));
  expect_same_answers();
}

/// A worker that looks up while prefixes around its own come and go sees the one answer that holds
/// all the time.
TEST_F(Fib6Test, AnswersStandWhileOthersChange) {
  make({.routes = 1024, .groups = 8192});
  ASSERT_TRUE(set("::", 0, 1));
  ASSERT_TRUE(set("2001:db8:7::", 48, 2));
  ASSERT_TRUE(set("2001:db8:7::1", 128, 3));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, looked{0};
  std::thread worker{[&] {
    rcu_.enter(0);
    const IpAddress asked[] = {addr6("2001:db8:7:ffff::"), addr6("2001:db8:7::1"),
                               addr6("4000::1")};
    constexpr std::uint64_t kExpected[] = {2, 3, 1};
    while (!stop.load()) {
      std::uint64_t hops[3];
      fib_->lookup(asked, hops, 3);
      for (std::size_t i = 0; i < 3; ++i) wrong += hops[i] != kExpected[i];
      ++looked;
      rcu_.quiescent(0);
    }
    rcu_.leave(0);
  }};
  while (looked == 0) std::this_thread::yield();
  for (int step = 0; step < 3000; ++step) {
    IpAddress a = addr6("2001:db8:7::");
    a.bytes()[7] = static_cast<std::uint8_t>(number(8));
    a.bytes()[15] = static_cast<std::uint8_t>(2 + number(8));
    static constexpr std::uint8_t kLengths[] = {64, 96, 128};
    const IpPrefix p = IpPrefix{a, kLengths[number(3)]}.network();
    if (p.contains(addr6("2001:db8:7:ffff::")) || p.length != 128)
      (void)set({addr6("2001:db8:8::"), p.length}, 5);
    else if (model_.holds(p))
      remove(p);
    else
      ASSERT_TRUE(set(p, static_cast<NextHopId>(4 + number(3))));
  }
  stop = true;
  worker.join();
  EXPECT_EQ(wrong.load(), 0u) << "of " << looked.load();
  expect_same_answers();
}

TEST_F(Fib6Test, LimitsOutOfRangeAreRefused) {
  EXPECT_FALSE(Fib6::create("fib6_none", {.routes = 0, .groups = 4}, rcu_));
  EXPECT_FALSE(Fib6::create("fib6_none", {.routes = 4, .groups = 0}, rcu_));
}
}  // namespace
