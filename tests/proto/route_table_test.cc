// SPDX-License-Identifier: BSD-3-Clause
#include "proto/route_table.hh"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>

#include "tests/support/packet.hh"

namespace {
using proto::Ip4Prefix;
using proto::NextHopId;
using proto::Route;
using proto::RouteOrigin;
using proto::RouteTable;
using test::ip;
constexpr RouteOrigin kOrigins[] = {RouteOrigin::Local, RouteOrigin::Connected, RouteOrigin::Static,
                                    RouteOrigin::Neighbor, RouteOrigin::Builtin};

class RouteTableTest : public testing::Test {
protected:
  void make(proto::Fib4::Limits limits) {
    routes_.reset();
    fib_.reset();
    fib_ = std::move(*proto::Fib4::create("route_table_test", limits, rcu_));
    fib6_.reset();
    fib6_ = std::move(*proto::Fib6::create("route_table_test", {.routes = 64, .groups = 64}, rcu_));
    routes_ = std::make_unique<RouteTable>(*fib_, *fib6_);
  }
  void SetUp() override { make({.routes = 256, .groups = 64}); }
  [[nodiscard]] std::optional<core::Errc> add(Ip4Prefix p, RouteOrigin o, NextHopId hop) {
    const auto added = routes_->add(p, o, {.next_hop = hop, .interface = 3, .gateway = {}});
    return added ? std::nullopt : std::optional{added.error().code};
  }
  /// RIB and FIB must say the same.
  void expect_goes_to(std::uint32_t dst, NextHopId hop) {
    EXPECT_EQ(fib_->lookup(dst), hop) << proto::to_string(dst);
    const auto match = routes_->lookup(dst);
    EXPECT_EQ(match ? match->route.next_hop : proto::NextHopTable::kNoRoute, hop)
        << proto::to_string(dst);
  }

  core::Rcu rcu_{1};
  std::unique_ptr<proto::Fib4> fib_;
  std::unique_ptr<proto::Fib6> fib6_;
  std::unique_ptr<RouteTable> routes_;
};

TEST_F(RouteTableTest, TheFirstOriginWinsWhateverTheOrder) {
  const Ip4Prefix p{ip("10.1.0.0"), 16};
  // Added worst first, each takes over; removed best first, each gives back.
  for (int o = 4; o >= 0; --o) {
    ASSERT_EQ(add(p, kOrigins[o], static_cast<NextHopId>(10 + o)), std::nullopt);
    expect_goes_to(ip("10.1.2.3"), static_cast<NextHopId>(10 + o));
  }
  EXPECT_EQ(fib_->used(), 1u);
  for (int o = 0; o < 5; ++o) {
    expect_goes_to(ip("10.1.2.3"), static_cast<NextHopId>(10 + o));
    const auto gone = routes_->remove(p, kOrigins[o]);
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->next_hop, 10 + o);
  }
  expect_goes_to(ip("10.1.2.3"), 0);
  EXPECT_EQ(fib_->used(), 0u);
}

TEST_F(RouteTableTest, AWorseOriginChangesNothing) {
  const Ip4Prefix p{ip("10.1.0.0"), 16};
  ASSERT_EQ(add(p, RouteOrigin::Static, 5), std::nullopt);
  ASSERT_EQ(add(p, RouteOrigin::Builtin, 6), std::nullopt);
  expect_goes_to(ip("10.1.2.3"), 5);
  ASSERT_TRUE(routes_->remove(p, RouteOrigin::Builtin));
  expect_goes_to(ip("10.1.2.3"), 5);
}

TEST_F(RouteTableTest, SaysWhyNot) {
  const Ip4Prefix p{ip("10.1.0.0"), 16};
  ASSERT_EQ(add(p, RouteOrigin::Static, 5), std::nullopt);
  EXPECT_EQ(add(p, RouteOrigin::Static, 6), core::Errc::Exists);
  EXPECT_EQ(add({ip("10.1.2.3"), 16}, RouteOrigin::Static, 6), core::Errc::Exists);
  expect_goes_to(ip("10.1.2.3"), 5);
  for (const Ip4Prefix absent : {Ip4Prefix{ip("10.1.0.0"), 17}, Ip4Prefix{ip("10.2.0.0"), 16}}) {
    const auto gone = routes_->remove(absent, RouteOrigin::Static);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, core::Errc::NotFound);
  }
  EXPECT_FALSE(routes_->remove(p, RouteOrigin::Local));
  EXPECT_EQ(routes_->list().size(), 1u);
}

TEST_F(RouteTableTest, WhatTheFibRefusesLeavesNoTrace) {
  make({.routes = 2, .groups = 4});
  ASSERT_EQ(add({ip("10.1.0.0"), 16}, RouteOrigin::Static, 5), std::nullopt);
  ASSERT_EQ(add({ip("10.2.0.0"), 16}, RouteOrigin::Builtin, 6), std::nullopt);
  EXPECT_EQ(add({ip("10.3.0.0"), 16}, RouteOrigin::Static, 7), core::Errc::Full);
  EXPECT_EQ(routes_->list().size(), 2u);
  EXPECT_EQ(routes_->find({ip("10.3.0.0"), 16}, RouteOrigin::Static), nullptr);
  EXPECT_FALSE(routes_->lookup(ip("10.3.0.1")));
  // A second origin of a prefix that is there needs no further place.
  EXPECT_EQ(add({ip("10.2.0.0"), 16}, RouteOrigin::Static, 8), std::nullopt);
  expect_goes_to(ip("10.2.0.1"), 8);
}

TEST_F(RouteTableTest, FindsAndListsWhatWasGiven) {
  const Route via{.next_hop = 9, .interface = 2, .gateway = ip("192.0.2.254")};
  ASSERT_TRUE(routes_->add({ip("10.1.0.0"), 16}, RouteOrigin::Static, via));
  ASSERT_EQ(add({ip("10.1.0.0"), 16}, RouteOrigin::Local, 4), std::nullopt);
  ASSERT_EQ(add({ip("10.0.0.0"), 8}, RouteOrigin::Static, 3), std::nullopt);
  const Route* found = routes_->find({ip("10.1.0.0"), 16}, RouteOrigin::Static);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->next_hop, 9);
  EXPECT_EQ(found->interface, 2);
  EXPECT_EQ(found->gateway, ip("192.0.2.254"));
  const auto all = routes_->list();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].prefix, (Ip4Prefix{ip("10.0.0.0"), 8}));
  EXPECT_EQ(all[1].origin, RouteOrigin::Local);
  EXPECT_EQ(all[2].origin, RouteOrigin::Static);
  const auto match = routes_->lookup(ip("10.1.9.9"));
  ASSERT_TRUE(match);
  EXPECT_EQ(match->prefix, (Ip4Prefix{ip("10.1.0.0"), 16}));
  EXPECT_EQ(match->origin, RouteOrigin::Local);
}

TEST_F(RouteTableTest, BehavesAsTheModel) {
  // Prefix and origin -> next hop; the answer is the longest prefix's first origin.
  std::map<std::tuple<Ip4Prefix, RouteOrigin>, NextHopId> model;
  std::mt19937 random{7};
  const auto number = [&](std::uint32_t below) {
    return static_cast<std::uint32_t>(random() % below);
  };
  const auto expected = [&](std::uint32_t dst) -> NextHopId {
    for (int length = 32; length >= 0; --length)
      for (const RouteOrigin o : kOrigins) {
        const Ip4Prefix p = Ip4Prefix{dst, static_cast<std::uint8_t>(length)}.network();
        if (const auto at = model.find({p, o}); at != model.end()) return at->second;
      }
    return 0;
  };
  for (int step = 0; step < 4000; ++step) {
    const std::uint32_t address = ip("10.0.0.0") + number(4) * 256 + number(8);
    const auto length = static_cast<std::uint8_t>(20 + number(13));
    const Ip4Prefix p = Ip4Prefix{address, length}.network();
    const RouteOrigin origin = kOrigins[number(5)];
    if (number(2) == 0) {
      const auto hop = static_cast<NextHopId>(1 + number(30));
      const bool fresh = model.try_emplace({p, origin}, hop).second;
      ASSERT_EQ(add(p, origin, hop) == std::nullopt, fresh) << step;
    } else {
      const bool there = model.erase({p, origin}) != 0;
      ASSERT_EQ(static_cast<bool>(routes_->remove(p, origin)), there) << step;
    }
    const std::uint32_t dst = ip("10.0.0.0") + number(4) * 256 + number(256);
    expect_goes_to(dst, expected(dst));
    ASSERT_EQ(routes_->list().size(), model.size()) << step;
    if (HasFailure()) FAIL() << step;
  }
}
}  // namespace
