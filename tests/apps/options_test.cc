// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/options.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using polluxd::Leave;
using polluxd::Options;
using testing::HasSubstr;

std::variant<Options, Leave> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "polluxd");
  return polluxd::parse_options(static_cast<int>(words.size()), words.data());
}
Options good(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  if (const auto* leave = std::get_if<Leave>(&parsed)) {
    ADD_FAILURE() << leave->text;
    return {};
  }
  return std::get<Options>(parsed);
}
Leave bad(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  if (const auto* leave = std::get_if<Leave>(&parsed)) return *leave;
  ADD_FAILURE() << "was taken";
  return {};
}

TEST(OptionsOfPolluxd, DefaultsAreSmall) {
  const Options o = good({});
  EXPECT_TRUE(o.devices.empty());
  EXPECT_FALSE(o.forward);
  EXPECT_EQ(o.instance, 0u);
  EXPECT_FALSE(o.workers);
  EXPECT_FALSE(o.config);
  EXPECT_FALSE(o.owner);
  EXPECT_EQ(o.verbose, 0u);
}

TEST(OptionsOfPolluxd, TakesEachInIoPktsWords) {
  const Options o = good({"-d", "af_xdp,iface=veth0,name=wan0", "-d", "memif,id=1", "-p",
                          "tcpip,forward", "-i", "3", "-t", "2", "-c", "c.toml", "-vv", "-v",
                          "--eal=--no-huge", "--eal", "--log-level=8"});
  EXPECT_EQ(o.devices, (std::vector<std::string>{"af_xdp,iface=veth0,name=wan0", "memif,id=1"}));
  EXPECT_TRUE(o.forward);
  EXPECT_EQ(o.instance, 3u);
  EXPECT_EQ(o.workers, 2u);
  EXPECT_EQ(o.config, "c.toml");
  EXPECT_EQ(o.verbose, 3u);
  EXPECT_EQ(o.eal, (std::vector<std::string>{"--no-huge", "--log-level=8"}));
}

TEST(OptionsOfPolluxd, TakesAProtocolWithoutOptions) {
  EXPECT_FALSE(good({"-p", "tcpip"}).forward);
}

TEST(OptionsOfPolluxd, NamesTheProtocolsAndOptionsThereAre) {
  EXPECT_THAT(bad({"-p", "ipx"}).text, HasSubstr("unknown protocol \"ipx\", expected tcpip"));
  EXPECT_THAT(bad({"-p", "tcpip,fast"}).text,
              HasSubstr("unknown option \"fast\" of tcpip, expected forward"));
  EXPECT_EQ(bad({"-p", "tcpip,"}).status, 2);
  EXPECT_EQ(bad({"-p", ""}).status, 2);
}

TEST(OptionsOfPolluxd, ResolvesTheOwner) {
  const Options named = good({"-U", "root:root"});
  ASSERT_TRUE(named.owner);
  EXPECT_EQ(named.owner->user, 0u);
  EXPECT_EQ(named.owner->group, 0u);
  const Options numbers = good({"-U", "1234:5678"});
  ASSERT_TRUE(numbers.owner);
  EXPECT_EQ(numbers.owner->user, 1234u);
  EXPECT_EQ(numbers.owner->group, 5678u);
  EXPECT_TRUE(good({"-U", "root"}).owner);
}

TEST(OptionsOfPolluxd, RefusesAnUnknownOwner) {
  EXPECT_THAT(bad({"-U", "no-such-user"}).text, HasSubstr("no user \"no-such-user\""));
  EXPECT_THAT(bad({"-U", "root:no-such-group"}).text, HasSubstr("no group \"no-such-group\""));
  EXPECT_EQ(bad({"-U", "root:"}).status, 2);
  EXPECT_EQ(bad({"-U", ""}).status, 2);
}

TEST(OptionsOfPolluxd, UsageErrorsLeaveWithTwo) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"-i", "256"},
                                                                 {"-i", "x"},
                                                                 {"-i", "-1"},
                                                                 {"-t", "0"},
                                                                 {"-t", "65"},
                                                                 {"-d"},
                                                                 {"--bogus"},
                                                                 {"word"},
                                                                 {"-c", "a", "b"}}) {
    const Leave leave = bad(words);
    EXPECT_EQ(leave.status, 2) << leave.text;
    EXPECT_THAT(leave.text, HasSubstr("polluxd: "));
  }
}

TEST(OptionsOfPolluxd, VersionNamesEveryPart) {
  const Leave leave = bad({"--version"});
  EXPECT_EQ(leave.status, 0);
  EXPECT_THAT(leave.text, HasSubstr("DPDK "));
  EXPECT_THAT(leave.text, HasSubstr("IPsec-MB "));
}

TEST(OptionsOfPolluxd, HelpLeavesWithZero) {
  const Leave leave = bad({"--help"});
  EXPECT_EQ(leave.status, 0);
  EXPECT_THAT(leave.text, HasSubstr("--device"));
}
}  // namespace
