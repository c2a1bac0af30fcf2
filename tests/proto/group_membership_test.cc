// SPDX-License-Identifier: BSD-3-Clause
// A listener's reports in virtual time: MLD (RFC 3810) and IGMP (RFC 3376) alike.
#include "proto/group_membership.hh"

#include <gtest/gtest.h>

#include <vector>

namespace {
using core::IpAddress;
using proto::GroupMembership;
using proto::GroupRecord;
using Type = GroupRecord::Type;
using Version = GroupMembership::Version;
constexpr core::InterfaceId kLink = 2;
const IpAddress kA = *proto::parse_ip6("ff02::1:ff00:1"), kB = *proto::parse_ip6("ff05::2");

struct Report {
  Version version;
  std::vector<GroupRecord> records;
  friend bool operator==(const Report&, const Report&) = default;
};

class Membership : public testing::Test {
protected:
  /// What is reported within the next `ms`.
  std::vector<Report> within(std::uint64_t ms) {
    reports.clear();
    for (const std::uint64_t end = now_us + ms * 1000; now_us < end;) groups.poll(now_us += 10'000);
    return reports;
  }
  void quiet() { (void)within(5000); }
  void query(const IpAddress& group, std::uint32_t ms, Version v = Version::Latest) {
    groups.queried(kLink, {.version = v, .ip4 = false, .group = group, .max_response_ms = ms},
                   now_us);
  }
  std::vector<Report> reports;
  std::uint64_t now_us = 5'000'000;
  GroupMembership groups{
      {.report = [this](core::InterfaceId, Version v, const std::vector<GroupRecord>& r) {
        reports.push_back({v, r});
      }}};
};

TEST_F(Membership, JoiningIsSaidTwice) {  // RFC 3810 section 6.1
  groups.join(kLink, kA, now_us);
  const Report join{Version::Latest, {{Type::ToExclude, kA}}};
  EXPECT_EQ(within(1030), (std::vector{join, join}));
  EXPECT_TRUE(within(5000).empty());
}

TEST_F(Membership, LeavingIsSaidTwiceAndForgotten) {
  groups.join(kLink, kA, now_us);
  quiet();
  groups.leave(kLink, kA, now_us);
  const Report leave{Version::Latest, {{Type::ToInclude, kA}}};
  EXPECT_EQ(within(1030), (std::vector{leave, leave}));
  query({}, 100);
  EXPECT_TRUE(within(1000).empty());
}

TEST_F(Membership, GeneralQueryIsAnsweredOnceForAll) {  // RFC 3810 section 6.2
  groups.join(kLink, kA, now_us);
  groups.join(kLink, kB, now_us);
  quiet();
  query({}, 1000);
  EXPECT_EQ(within(1020),
            (std::vector{Report{Version::Latest, {{Type::IsExclude, kA}, {Type::IsExclude, kB}}}}));
  EXPECT_TRUE(within(5000).empty());
}

TEST_F(Membership, GroupQueryIsAnsweredForTheGroup) {
  groups.join(kLink, kA, now_us);
  groups.join(kLink, kB, now_us);
  quiet();
  query(kB, 1000);
  EXPECT_EQ(within(1020), (std::vector{Report{Version::Latest, {{Type::IsExclude, kB}}}}));
  query(*proto::parse_ip6("ff05::77"), 1000);
  EXPECT_TRUE(within(1020).empty()) << "not listened to";
}

TEST_F(Membership, OlderQuerierIsFollowedForAWhile) {  // RFC 3810 section 8.2.1
  groups.join(kLink, kA, now_us);
  quiet();
  query({}, 1000, Version::Old);
  EXPECT_EQ(groups.version(kLink, false), Version::Old);
  EXPECT_EQ(groups.version(kLink, true), Version::Latest) << "the other family's are others";
  EXPECT_EQ(within(1020), (std::vector{Report{Version::Old, {{Type::IsExclude, kA}}}}));
  (void)within(248'000);
  EXPECT_EQ(groups.version(kLink, false), Version::Old);
  (void)within(4'000);
  EXPECT_EQ(groups.version(kLink, false), Version::Latest);
}

TEST_F(Membership, NewLinkHearsItAgain) {
  groups.join(kLink, kA, now_us);
  quiet();
  groups.leave(kLink, kA, now_us);
  groups.join(kLink, kB, now_us);
  groups.link_up(kLink, now_us);
  const Report join{Version::Latest, {{Type::ToExclude, kB}}};
  EXPECT_EQ(within(1030), (std::vector{join, join})) << "what has been left was the old link's";
}
}  // namespace
