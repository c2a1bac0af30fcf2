// SPDX-License-Identifier: BSD-3-Clause
#include "proto/next_hop_group.hh"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "proto/wire/flow.hh"

namespace {
using proto::NextHopGroups;
using Member = NextHopGroups::Member;
constexpr std::size_t kBuckets = NextHopGroups::kBuckets;

class NextHopGroupTest : public testing::Test {
protected:
  std::map<std::uint64_t, proto::NextHopId> picks() const {
    std::map<std::uint64_t, proto::NextHopId> all;
    for (std::uint64_t flow = 0; flow < 2000; ++flow)
      all[flow] = groups_.pick(group_, proto::flow::mix(flow));
    return all;
  }
  std::size_t buckets(proto::NextHopId id) const { return groups_.buckets_of(group_, id); }
  void assign(const std::vector<Member>& members) { groups_.assign(group_, members); }

  NextHopGroups groups_{4};
  std::uint16_t group_ = groups_.allocate().value();
};

TEST_F(NextHopGroupTest, WithoutMembersThereIsNoRoute) {
  for (const auto& [flow, id] : picks()) EXPECT_EQ(id, proto::NextHopTable::kNoRoute);
  assign({{7, 1}});
  assign({});
  for (const auto& [flow, id] : picks()) EXPECT_EQ(id, proto::NextHopTable::kNoRoute);
}

TEST_F(NextHopGroupTest, SharesGoByWeight) {
  assign({{1, 1}, {2, 3}});
  EXPECT_EQ(buckets(1), kBuckets / 4);
  EXPECT_EQ(buckets(2), kBuckets / 4 * 3);
  assign({{1, 1}, {2, 1}, {3, 1}});
  for (proto::NextHopId id = 1; id <= 3; ++id) {
    EXPECT_GE(buckets(id), kBuckets / 3);
    EXPECT_LE(buckets(id), kBuckets / 3 + 1);
  }
  EXPECT_EQ(buckets(1) + buckets(2) + buckets(3), kBuckets);
}

TEST_F(NextHopGroupTest, OnlyTheFlowsOfAMemberThatGoesMove) {
  assign({{1, 1}, {2, 1}, {3, 1}, {4, 1}});
  const auto before = picks();
  assign({{1, 1}, {2, 1}, {4, 1}});
  for (const auto& [flow, id] : picks()) {
    EXPECT_NE(id, 3u);
    if (before.at(flow) != 3) {
      EXPECT_EQ(id, before.at(flow)) << "a flow of a member that stays moved";
    }
  }
}

TEST_F(NextHopGroupTest, AMemberThatComesTakesItsShareAndNoMore) {
  assign({{1, 1}, {2, 1}, {3, 1}});
  const auto before = picks();
  assign({{1, 1}, {2, 1}, {3, 1}, {4, 1}});
  EXPECT_EQ(buckets(4), kBuckets / 4);
  for (const auto& [flow, id] : picks())
    if (id != 4) { EXPECT_EQ(id, before.at(flow)); }
}

TEST_F(NextHopGroupTest, RandomMembersAlwaysGetTheirShares) {
  std::mt19937 random{1};
  for (int round = 0; round < 500; ++round) {
    std::vector<Member> members;
    std::uint64_t weights = 0;
    for (proto::NextHopId id = 1; id <= 12; ++id)
      if (random() % 2 != 0) members.push_back({id, static_cast<std::uint32_t>(1 + random() % 9)});
    for (const Member& m : members) weights += m.weight;
    assign(members);
    std::size_t all = 0;
    for (const Member& m : members) {
      const double due = static_cast<double>(kBuckets * m.weight) / static_cast<double>(weights);
      EXPECT_NEAR(static_cast<double>(buckets(m.id)), due, 1.0);
      all += buckets(m.id);
    }
    EXPECT_EQ(all, members.empty() ? 0 : kBuckets);
  }
}

TEST_F(NextHopGroupTest, IsFullAndGivesBack) {
  EXPECT_TRUE(groups_.allocate() && groups_.allocate() && groups_.allocate());
  EXPECT_FALSE(groups_.allocate());
  EXPECT_EQ(groups_.used(), 4u);
  assign({{1, 1}});
  groups_.release(group_);
  EXPECT_EQ(groups_.allocate(), group_);
  EXPECT_EQ(buckets(1), 0u) << "what it was is forgotten";
}
}  // namespace
