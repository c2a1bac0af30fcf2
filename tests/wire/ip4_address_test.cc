// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip4_address.hh"

#include <gtest/gtest.h>

#include <random>

namespace {
using namespace std::string_view_literals;
using proto::Ip4Prefix;
using proto::parse_ip4;
using proto::parse_ip4_prefix;
using proto::parse_mac;

TEST(Ip4Address, Parses) {
  EXPECT_EQ(parse_ip4("192.0.2.1"), 0xc0000201u);
  EXPECT_EQ(parse_ip4("0.0.0.0"), 0u);
  EXPECT_EQ(parse_ip4("255.255.255.255"), 0xffffffffu);
}

TEST(Ip4Address, RoundTrips) {
  std::mt19937 random{1};
  for (int i = 0; i < 1000; ++i) {
    const auto address = static_cast<std::uint32_t>(random());
    EXPECT_EQ(parse_ip4(proto::to_string(address)), address);
  }
}

TEST(Ip4Address, RejectsWhatIsNotFourDecimalOctets) {
  for (const std::string_view text : {""sv,
                                      "1"sv,
                                      "1.2.3"sv,
                                      "1.2.3."sv,
                                      "1.2.3.4."sv,
                                      ".1.2.3.4"sv,
                                      "1.2.3.4.5"sv,
                                      "1..2.3"sv,
                                      "256.0.0.1"sv,
                                      "1.2.3.256"sv,
                                      "01.2.3.4"sv,
                                      "1.2.3.04"sv,
                                      "00.0.0.0"sv,
                                      "1.2.3.4 "sv,
                                      " 1.2.3.4"sv,
                                      "1. 2.3.4"sv,
                                      "-1.2.3.4"sv,
                                      "+1.2.3.4"sv,
                                      "0x1.2.3.4"sv,
                                      "1.2.3.4/24"sv,
                                      "1,2,3,4"sv,
                                      "a.b.c.d"sv,
                                      "1.2.3.4\n"sv,
                                      "1.2.3.4\0"sv,
                                      "1.2.3\0.4"sv,
                                      "::1"sv,
                                      "1.2.3.1e1"sv,
                                      "1.2.3.4294967297"sv,
                                      "1.2.3.99999999999999999999999999"sv})
    EXPECT_EQ(parse_ip4(text), std::nullopt) << '"' << text << '"';
}

TEST(Ip4Address, ReadsNotPastTheEndOfTheText) {
  EXPECT_EQ(parse_ip4("192.0.2.123"sv.substr(0, 9)), 0xc0000201u);
  EXPECT_EQ(parse_ip4_prefix("192.0.2.0/245"sv.substr(0, 12)), (Ip4Prefix{0xc0000200, 24}));
}

TEST(Ip4Prefix, Parses) {
  EXPECT_EQ(parse_ip4_prefix("192.0.2.0/24"), (Ip4Prefix{0xc0000200, 24}));
  EXPECT_EQ(parse_ip4_prefix("0.0.0.0/0"), (Ip4Prefix{0, 0}));
  EXPECT_EQ(parse_ip4_prefix("192.0.2.1/32"), (Ip4Prefix{0xc0000201, 32}));
  EXPECT_EQ(parse_ip4_prefix("192.0.2.1"), (Ip4Prefix{0xc0000201, 32}));
  EXPECT_EQ(parse_ip4_prefix("192.0.2.1/24"), (Ip4Prefix{0xc0000201, 24}));  // an interface's
}

TEST(Ip4Prefix, RoundTripsEachLength) {
  for (unsigned length = 0; length <= 32; ++length) {
    const Ip4Prefix prefix{0xc0000201, static_cast<std::uint8_t>(length)};
    EXPECT_EQ(parse_ip4_prefix(proto::to_string(prefix)), prefix);
  }
}

TEST(Ip4Prefix, RejectsMalformedTexts) {
  for (const std::string_view text :
       {""sv, "/"sv, "/24"sv, "192.0.2/24"sv, "192.0.2.0/"sv, "192.0.2.0/33"sv, "192.0.2.0/-1"sv,
        "192.0.2.0/024"sv, "192.0.2.0/00"sv, "192.0.2.0/24 "sv, "192.0.2.0 /24"sv,
        "192.0.2.0/24/24"sv, "192.0.2.0/255.255.255.0"sv, "192.0.2.0/24\0"sv,
        "192.0.2.0/4294967320"sv, "192.0.2.0/0x18"sv})
    EXPECT_EQ(parse_ip4_prefix(text), std::nullopt) << '"' << text << '"';
}

constexpr Ip4Prefix kSubnet{0xc0000281, 25};
static_assert(kSubnet.mask() == 0xffffff80);
static_assert(kSubnet.network() == Ip4Prefix{0xc0000280, 25});
static_assert(kSubnet.broadcast() == 0xc00002ff);
static_assert(kSubnet.contains(0xc0000280) && kSubnet.contains(0xc00002ff));
static_assert(!kSubnet.contains(0xc000027f) && !kSubnet.contains(0xc0000300));

TEST(Ip4Prefix, HoldsAtBothEndsOfLength) {
  constexpr Ip4Prefix all{0, 0}, host{0xc0000201, 32};
  EXPECT_EQ(all.mask(), 0u);
  EXPECT_TRUE(all.contains(0xffffffff));
  EXPECT_EQ(all.broadcast(), 0xffffffff);
  EXPECT_EQ(host.mask(), 0xffffffff);
  EXPECT_TRUE(host.contains(0xc0000201));
  EXPECT_FALSE(host.contains(0xc0000200));
}

TEST(MacAddress, ParsesAndFormats) {
  EXPECT_EQ(parse_mac("02:00:00:00:00:01"), (core::MacAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(parse_mac("AB:cd:Ef:01:23:45"), (core::MacAddress{0xab, 0xcd, 0xef, 0x01, 0x23, 0x45}));
  EXPECT_EQ(proto::to_string(core::MacAddress{0xab, 0, 0xef, 1, 0x23, 0x45}), "ab:00:ef:01:23:45");
}

TEST(MacAddress, RejectsMalformedTexts) {
  for (const std::string_view text :
       {""sv, "02"sv, "02:00:00:00:00"sv, "02:00:00:00:00:01:"sv, "02:00:00:00:00:01:02"sv,
        "2:0:0:0:0:1"sv, "02-00-00-00-00-01"sv, "02:00:00:00:00:0g"sv, "02:00:00:00:00: 1"sv,
        "02:00:00:00:00:-1"sv, "02:00:00:00:00:0x"sv, "0200:00:00:00:001"sv, "02:00:00:00:00:1\0"sv,
        "02.00.00.00.00.01"sv})
    EXPECT_EQ(parse_mac(text), std::nullopt) << '"' << text << '"';
}
}  // namespace
