// SPDX-License-Identifier: BSD-3-Clause
// Duplicate address detection in virtual time.
#include "proto/address_detection.hh"

#include <gtest/gtest.h>

#include <vector>

namespace {
using core::IpAddress;
using proto::AddressDetection;
constexpr core::InterfaceId kLink = 2;
const IpAddress kSix = *proto::parse_ip6("2001:db8::1"), kFour{0x0a000001};

class Detection : public testing::Test {
protected:
  /// Time goes on by `ms`, in steps of 10.
  void pass(std::uint64_t ms) {
    for (const std::uint64_t end = now_us + ms * 1000; now_us < end;)
      detection.poll(now_us += 10'000);
  }
  std::vector<std::uint64_t> asked_us;
  std::vector<IpAddress> unique;
  std::uint64_t now_us = 5'000'000;
  AddressDetection detection{
      {.probe = [this](core::InterfaceId, const IpAddress&) { asked_us.push_back(now_us); },
       .unique = [this](core::InterfaceId, const IpAddress& a) { unique.push_back(a); }}};
};

TEST_F(Detection, OneSolicitationAndASecondOfSilence) {  // RFC 4862 section 5.4.2
  const std::uint64_t start = now_us;
  detection.start(kLink, kSix, AddressDetection::ip6(1, 1000), now_us);
  pass(1020);
  ASSERT_EQ(asked_us.size(), 1u) << "within a second, MAX_RTR_SOLICITATION_DELAY";
  EXPECT_LE(asked_us[0] - start, 1'010'000u);
  EXPECT_TRUE(detection.running(kLink, kSix));
  pass(1020);
  EXPECT_EQ(unique, std::vector{kSix});
  EXPECT_EQ(asked_us.size(), 1u);
  EXPECT_FALSE(detection.running(kLink, kSix));
}

TEST_F(Detection, SeveralAreRetransTimerApart) {
  detection.start(kLink, kSix, AddressDetection::ip6(3, 300), now_us);
  pass(1000 + 3 * 320);
  ASSERT_EQ(asked_us.size(), 3u);
  EXPECT_EQ(asked_us[2] - asked_us[1], 300'000u);
  EXPECT_EQ(unique.size(), 1u);
}

TEST_F(Detection, ArpProbesAreOneToTwoSecondsApart) {  // RFC 5227 section 2.1.1
  detection.start(kLink, kFour, AddressDetection::ip4(3), now_us);
  pass(5030);
  ASSERT_EQ(asked_us.size(), 3u);
  for (std::size_t n = 1; n < 3; ++n) {
    EXPECT_GE(asked_us[n] - asked_us[n - 1], 1'000'000u);
    EXPECT_LE(asked_us[n] - asked_us[n - 1], 2'010'000u);
  }
  pass(2010);
  EXPECT_EQ(unique, std::vector{kFour});
}

TEST_F(Detection, ConflictEndsIt) {
  detection.start(kLink, kSix, AddressDetection::ip6(1, 1000), now_us);
  EXPECT_FALSE(detection.conflict(kLink + 1, kSix)) << "another link";
  EXPECT_TRUE(detection.conflict(kLink, kSix));
  EXPECT_FALSE(detection.conflict(kLink, kSix));
  pass(5000);
  EXPECT_TRUE(asked_us.empty());
  EXPECT_TRUE(unique.empty());
}

TEST_F(Detection, StopsWithTheLink) {
  detection.start(kLink, kSix, AddressDetection::ip6(1, 1000), now_us);
  detection.start(kLink, kFour, AddressDetection::ip4(1), now_us);
  detection.start(kLink + 1, kSix, AddressDetection::ip6(1, 1000), now_us);
  detection.stop_all(kLink);
  pass(5000);
  EXPECT_EQ(unique.size(), 1u) << "the other link's";
}
}  // namespace
