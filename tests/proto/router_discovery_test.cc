// SPDX-License-Identifier: BSD-3-Clause
// Routers and hosts finding each other in virtual time: RFC 4861 section 6, RFC 4862 section 5.5.
#include "proto/router_discovery.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "proto/ip6_scope.hh"
#include "proto/router_advertiser.hh"
#include "proto/wire/nd.hh"

namespace {
using core::IpAddress;
using proto::RouterAdvertiser;
using proto::RouterDiscovery;
constexpr core::InterfaceId kLink = 2;
constexpr std::uint64_t kSecond_us = 1'000'000;
const IpAddress kRouter = proto::scoped(*proto::parse_ip6("fe80::1"), kLink);
const IpAddress kOther = proto::scoped(*proto::parse_ip6("fe80::2"), kLink);

class Discovery : public testing::Test {
protected:
  void pass(std::uint64_t ms) {
    for (const std::uint64_t end = now_us + ms * 1000; now_us < end;)
      discovery.poll(now_us += 50'000);
  }
  void advertise(std::uint32_t lifetime_s, const IpAddress& router = kRouter,
                 std::uint8_t flags = 0) {
    discovery.advertised({.kind = core::EventKind::RouterAdvertised,
                          .flags = flags,
                          .interface = kLink,
                          .address = router,
                          .lifetime_s = lifetime_s},
                         now_us);
  }
  void prefix(const char* text, std::uint32_t valid_s, std::uint32_t preferred_s,
              std::uint8_t flags = 0xc0) {
    const auto p = *proto::parse_ip_prefix(text);
    discovery.prefix_advertised({.kind = core::EventKind::PrefixAdvertised,
                                 .flags = flags,
                                 .interface = kLink,
                                 .address = kRouter,
                                 .length = p.length,
                                 .other = p.address,
                                 .lifetime_s = valid_s,
                                 .preferred_s = preferred_s},
                                now_us);
  }
  std::vector<std::uint64_t> asked_us;
  unsigned changes = 0;
  bool ready = true;
  std::uint64_t now_us = 5 * kSecond_us;
  RouterDiscovery discovery{{.solicit =
                                 [this](core::InterfaceId) {
                                   if (ready) asked_us.push_back(now_us);
                                   return ready;
                                 },
                             .changed = [this] { ++changes; }}};
};

TEST_F(Discovery, AsksThreeTimes) {  // RFC 4861 section 6.3.7
  discovery.start(kLink, now_us);
  const std::uint64_t start_us = now_us;
  pass(60'000);
  ASSERT_EQ(asked_us.size(), 3u);
  EXPECT_LE(asked_us[0] - start_us, kSecond_us + 50'000);
  EXPECT_EQ(asked_us[2] - asked_us[1], 4 * kSecond_us);
}

TEST_F(Discovery, WaitsForAnAddressToAskFrom) {
  ready = false;
  discovery.start(kLink, now_us);
  pass(10'000);
  ready = true;
  pass(300);
  EXPECT_EQ(asked_us.size(), 1u);
}

TEST_F(Discovery, AnswerEndsAsking) {
  discovery.start(kLink, now_us);
  pass(1100);
  advertise(0);
  pass(4000);
  EXPECT_EQ(asked_us.size(), 2u) << "one without a lifetime is no router for us";
  advertise(30);
  pass(10'000);
  EXPECT_EQ(asked_us.size(), 2u);
}

TEST_F(Discovery, RouterLivesAsLongAsItSays) {  // section 6.3.5
  advertise(30);
  EXPECT_TRUE(discovery.routers().empty()) << "nobody listens";
  discovery.start(kLink, now_us);
  advertise(30);
  pass(20'000);
  advertise(30);
  pass(20'000);
  ASSERT_EQ(discovery.routers().size(), 1u);
  EXPECT_EQ(discovery.routers()[0].address, kRouter);
  pass(11'000);
  EXPECT_TRUE(discovery.routers().empty());
  EXPECT_EQ(changes, 2u);
  advertise(30);
  advertise(0);
  EXPECT_TRUE(discovery.routers().empty()) << "it says that it stops";
  advertise(30);
  discovery.no_router(kLink, kRouter);
  EXPECT_TRUE(discovery.routers().empty()) << "it says that it is a host";
}

TEST_F(Discovery, PreferenceIsRead) {  // RFC 4191 section 2.2
  discovery.start(kLink, now_us);
  const std::pair<std::uint8_t, int> all[] = {{0x08, 1}, {0x18, -1}, {0x10, 0}, {0, 0}};
  for (const auto& [flags, preference] : all) {
    advertise(30, kOther, flags);
    EXPECT_EQ(discovery.routers()[0].preference, preference);
  }
}

TEST_F(Discovery, BoundedRoutersAndPrefixes) {
  discovery.start(kLink, now_us);
  for (std::uint8_t n = 0; n < 200; ++n) {
    IpAddress a = kRouter;
    a.bytes()[14] = n;
    advertise(30, a);
    IpAddress p = *proto::parse_ip6("2001:db8::");
    p.bytes()[6] = n;
    prefix((proto::to_string(p) + "/64").c_str(), 100, 100);
  }
  EXPECT_EQ(discovery.routers().size(), RouterDiscovery::kMaxRouters);
  EXPECT_EQ(discovery.prefixes().size(), RouterDiscovery::kMaxPrefixes);
}

TEST_F(Discovery, PrefixesThatAreTaken) {  // section 6.3.4, RFC 4862 section 5.5.3
  discovery.start(kLink, now_us);
  prefix("fe80::/64", 100, 100);
  prefix("ff05::/64", 100, 100);
  prefix("2001:db8:1::/64", 100, 101);
  prefix("2001:db8:2::/64", 0, 0);
  EXPECT_TRUE(discovery.prefixes().empty());
  prefix("2001:db8:3::5/64", 100, 50, 0x80);
  ASSERT_EQ(discovery.prefixes().size(), 1u);
  EXPECT_EQ(discovery.prefixes()[0].prefix, *proto::parse_ip_prefix("2001:db8:3::/64"));
  EXPECT_TRUE(discovery.prefixes()[0].on_link);
  prefix("2001:db8:3::/64", 100, 50, 0x40);
  EXPECT_TRUE(discovery.prefixes()[0].on_link) << "as long as it lives";
  EXPECT_TRUE(discovery.prefixes()[0].autonomous);
  pass(101'000);
  EXPECT_TRUE(discovery.prefixes().empty());
  prefix("2001:db8:3::/64", UINT32_MAX, UINT32_MAX);
  pass(101'000);
  EXPECT_EQ(discovery.prefixes().size(), 1u);
  discovery.stop(kLink);
  EXPECT_TRUE(discovery.prefixes().empty());
}

TEST(TwoHours, Rule) {  // RFC 4862 section 5.5.3 (e)
  constexpr std::uint64_t kNow = 100 * kSecond_us, kHour = 3600 * kSecond_us;
  const auto left = [](std::uint64_t had, std::uint32_t advertised_s) {
    return RouterDiscovery::valid_until(kNow, kNow + had, advertised_s) - kNow;
  };
  EXPECT_EQ(left(5 * kHour, 3 * 3600), 3 * kHour) << "more than two hours: taken";
  EXPECT_EQ(left(kHour / 2, 3600), kHour) << "longer than what is left: taken";
  EXPECT_EQ(left(kHour, 60), kHour) << "less than two hours left: stays";
  EXPECT_EQ(left(5 * kHour, 60), 2 * kHour) << "else two hours";
  EXPECT_EQ(RouterDiscovery::valid_until(kNow, UINT64_MAX, 60), kNow + 2 * kHour);
  EXPECT_EQ(RouterDiscovery::valid_until(kNow, kNow, UINT32_MAX), UINT64_MAX);
}

class Advertiser : public testing::Test {
protected:
  void pass(std::uint64_t ms) {
    for (const std::uint64_t end = now_us + ms * 1000; now_us < end;)
      advertiser.poll(now_us += 50'000);
  }
  std::vector<std::uint64_t> sent_us;
  unsigned last = 0;
  bool ready = true;
  std::uint64_t now_us = 5 * kSecond_us;
  RouterAdvertiser advertiser{{.send = [this](core::InterfaceId, bool final) {
    if (!ready) return false;
    if (final)
      ++last;
    else
      sent_us.push_back(now_us);
    return true;
  }}};
};

TEST_F(Advertiser, FirstOnesAreClose) {  // RFC 4861 section 6.2.4
  advertiser.start(kLink, {200, 600}, now_us);
  pass(33'000);
  EXPECT_EQ(sent_us.size(), 3u);
  pass(3'000'000);
  ASSERT_GT(sent_us.size(), 4u);
  for (std::size_t n = 4; n < sent_us.size(); ++n) {
    EXPECT_GE(sent_us[n] - sent_us[n - 1], 200 * kSecond_us);
    EXPECT_LE(sent_us[n] - sent_us[n - 1], 600 * kSecond_us + 50'000);
  }
}

TEST_F(Advertiser, AnswersSoonButNotTooOften) {  // section 6.2.6
  advertiser.start(kLink, {200, 600}, now_us);
  pass(40'000);
  sent_us.clear();
  advertiser.solicited(kLink, now_us);
  pass(550);
  EXPECT_EQ(sent_us.size(), 1u);
  for (int i = 0; i < 20; ++i) advertiser.solicited(kLink, now_us);
  pass(2400);
  EXPECT_EQ(sent_us.size(), 1u);
  pass(1200);
  EXPECT_EQ(sent_us.size(), 2u) << "three seconds apart";
  advertiser.solicited(kLink + 1, now_us);
  pass(4000);
  EXPECT_EQ(sent_us.size(), 2u) << "another link's business";
}

TEST_F(Advertiser, SaysThatItStops) {  // section 6.2.5
  advertiser.start(kLink, {200, 600}, now_us);
  pass(1000);
  advertiser.stop(kLink);
  advertiser.stop(kLink);
  EXPECT_EQ(last, 1u);
  sent_us.clear();
  pass(700'000);
  EXPECT_TRUE(sent_us.empty());
}

TEST_F(Advertiser, WaitsForAnAddress) {
  ready = false;
  advertiser.start(kLink, {200, 600}, now_us);
  pass(3000);
  ready = true;
  pass(600);
  EXPECT_EQ(sent_us.size(), 1u);
}
}  // namespace
