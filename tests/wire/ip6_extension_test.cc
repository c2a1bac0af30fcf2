// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip6_extension.hh"

#include <gtest/gtest.h>

#include "tests/support/packet6.hh"

namespace {
using core::DropReason;
using proto::Ip6Refusal;
using proto::Ip6Upper;
using proto::Ip6View;
using test::Extension6;
using test::Ip6;
using test::Packet;

constexpr unsigned kMax = 8;

core::Result<Ip6Upper, Ip6Refusal> walk(const Packet& p, unsigned max = kMax) {
  return proto::walk_extensions(*Ip6View::parse(p), max);
}
Packet with(std::vector<Extension6> extensions, std::uint8_t next_header = 58,
            core::IpAddress dst = test::kOurIp6) {
  return test::ip6({.next_header = next_header, .dst = dst, .extensions = std::move(extensions)},
                   test::pattern(8));
}

TEST(Ip6Extensions, PassedOverInTheirOrder) {  // RFC 8200 section 4.1
  struct Line {
    const char* name;
    std::vector<Extension6> extensions;
    std::uint32_t at, named_at;
  };
  const Packet sixteen = Packet(12, 0);
  for (const Line& l : std::vector<Line>{
           {"None", {}, 40, 6},
           {"HopByHop", {{0, {1, 4, 0, 0, 0, 0}}}, 48, 40},
           {"LongDestinationOptions", {{60, sixteen}}, 56, 40},
           {"RoutingUsedUp", {{43, {0, 0, 0, 0, 0, 0}}}, 48, 40},
           {"AtomicFragment", {test::fragment6(0, false)}, 48, 40},
           {"All",
            {{0, {}}, {60, {}}, {43, {2, 0}}, test::fragment6(0, false), {60, sixteen}},
            88,
            72},
           {"DestinationOptionsTwice", {{60, {}}, {60, {}}}, 56, 48},
       }) {
    SCOPED_TRACE(l.name);
    const auto upper = walk(with(l.extensions));
    ASSERT_TRUE(upper);
    EXPECT_EQ(upper->protocol, 58);
    EXPECT_EQ(upper->at, l.at);
    EXPECT_EQ(upper->named_at, l.named_at);
    EXPECT_FALSE(upper->router_alert);
  }
}

TEST(Ip6Extensions, WhatIsNoExtensionEndsTheWalk) {
  for (const std::uint8_t protocol : Packet{6, 17, 50, 51, 59, 58, 135, 255}) {
    const auto upper = walk(with({{60, {}}}, protocol));
    ASSERT_TRUE(upper) << unsigned{protocol};
    EXPECT_EQ(upper->protocol, protocol);
    EXPECT_EQ(upper->at, 48u);
  }
}

TEST(Ip6Extensions, FragmentsEndTheWalk) {  // RFC 8200 section 4.5
  for (const auto& fragment : {test::fragment6(0, true), test::fragment6(8, false)}) {
    const auto upper = walk(with({{60, {}}, fragment, {60, {}}}));
    ASSERT_TRUE(upper);
    EXPECT_EQ(upper->protocol, proto::kProtocolFragment);
    EXPECT_EQ(upper->at, 48u);
    EXPECT_EQ(upper->named_at, 40u);
    EXPECT_TRUE(upper->fragmented);
  }
  EXPECT_TRUE(walk(with({test::fragment6(0, false)}))->fragmented) << "RFC 6946, RFC 6980";
}

TEST(Ip6Extensions, RouterAlertIsSeenInHopByHopOptionsOnly) {  // RFC 2711
  EXPECT_TRUE(walk(with({{0, {5, 2, 0, 0, 1, 0}}}))->router_alert);
  EXPECT_TRUE(walk(with({{0, {1, 0, 5, 2, 0, 0}}}))->router_alert);
  EXPECT_FALSE(walk(with({{60, {5, 2, 0, 0, 1, 0}}}))->router_alert);
}

TEST(Ip6Extensions, RefusedTable) {
  struct Line {
    const char* name;
    Packet packet;
    DropReason reason;
    std::uint8_t code = Ip6Refusal::kSilent;
    std::uint32_t pointer = 0;
  };
  const core::IpAddress group = test::addr6("ff02::1");
  const auto option = [](std::uint8_t type) { return Packet{1, 0, type, 2, 0, 0}; };
  const Extension6 routing_with_segments{43, {4, 1, 0, 0, 0, 0}};
  std::vector<Extension6> nine(9, Extension6{60, {}});
  for (const Line& l : std::vector<Line>{
           // RFC 8200 section 4.2: action bits 00, 01, 10, 11.
           {"Discard", with({{60, option(0x41)}}), DropReason::Ip6UnknownOption},
           {"DiscardAndTell", with({{60, option(0x81)}}), DropReason::Ip6UnknownOption, 2, 44},
           {"TellOfGroup", with({{60, option(0x81)}}, 58, group), DropReason::Ip6UnknownOption, 2,
            44},
           {"TellUnlessGroup", with({{0, option(0xc1)}}), DropReason::Ip6UnknownOption, 2, 44},
           {"GroupNotTold", with({{0, option(0xc1)}}, 58, group), DropReason::Ip6UnknownOption},
           {"JumboPayload", with({{0, {0xc2, 4, 0, 1, 0, 0}}}), DropReason::Ip6UnknownOption, 2,
            42},
           {"SecondHeader", with({{0, {}}, {60, option(0x9e)}}), DropReason::Ip6UnknownOption, 2,
            52},
           {"OptionPastItsHeader", with({{60, {1, 5, 0, 0, 0, 0}}}), DropReason::Ip6BadOption},
           {"OptionWithoutLength", with({{60, {1, 3, 0, 0, 0, 1}}}), DropReason::Ip6BadOption},
           // RFC 8200 section 4.4, RFC 5095 section 3.
           {"Routing", with({routing_with_segments}), DropReason::Ip6RoutingHeader, 0, 42},
           {"RoutingType0", with({{60, {}}, {43, {0, 2, 0, 0, 0, 0}}}),
            DropReason::Ip6RoutingHeader, 0, 50},
           // RFC 8200 section 4.1: the same as for a header that is unknown.
           {"HopByHopSecond", with({{60, {}}, {0, {}}}), DropReason::Ip6HopByHopPlace, 1, 40},
           {"HopByHopTwice", with({{0, {}}, {0, {}}}), DropReason::Ip6HopByHopPlace, 1, 40},
           {"TooMany", with(nine), DropReason::Ip6TooManyExtensions},
           {"TooManyOptions", with({{60, Packet(38, 0)}}), DropReason::Ip6TooManyExtensions},
           {"LengthPastThePacket", with({{60, {}, std::uint8_t{2}}}), DropReason::Ip6BadExtension},
           {"NothingBehind", test::ip6({.next_header = 60}, {}), DropReason::Ip6BadExtension},
           {"CutHeader", test::ip6({.next_header = 43}, test::pattern(7)),
            DropReason::Ip6BadExtension},
           {"CutFragment", test::ip6({.next_header = 44}, test::pattern(7)),
            DropReason::Ip6BadExtension},
       }) {
    SCOPED_TRACE(l.name);
    const auto upper = walk(l.packet);
    ASSERT_FALSE(upper);
    EXPECT_EQ(upper.error().reason, l.reason) << core::info(upper.error().reason).name;
    EXPECT_EQ(upper.error().code, l.code);
    EXPECT_EQ(upper.error().pointer, l.pointer);
  }
  EXPECT_TRUE(walk(with({{60, option(0x01)}}))) << "action 00: passed over";
  EXPECT_TRUE(walk(with(std::vector<Extension6>(8, Extension6{60, {}}))));
  EXPECT_TRUE(walk(with({{60, {}}}), 1));
  EXPECT_FALSE(walk(with({{60, {}}}), 0));
  EXPECT_TRUE(walk(with({{60, Packet(30, 0)}}))) << "as many options as are read";
}

/// Each beginning of a packet: refused, or the walk ended within what is seen.
TEST(Ip6Extensions, StayWithinWhatIsSeen) {
  const Packet whole =
      with({{0, {1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, {43, {2, 0}}, {60, {}}});
  for (std::size_t seen = 40; seen <= whole.size(); ++seen) {
    const Packet front{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(seen)};
    const auto ip = Ip6View::parse(front, whole.size());
    ASSERT_TRUE(ip);
    const auto upper = proto::walk_extensions(*ip, kMax);
    EXPECT_EQ(static_cast<bool>(upper), seen >= 72) << seen;
    if (!upper) { EXPECT_EQ(upper.error().reason, DropReason::Ip6BadExtension); }
    const auto glance = proto::glance_at_upper(*ip);
    EXPECT_EQ(glance.has_value(), seen >= 72) << seen;
  }
}

TEST(Ip6Extensions, HopByHopAlone) {  // RFC 8200 section 4.3
  const auto judge = [](const Packet& p) { return proto::judge_hop_by_hop(*Ip6View::parse(p)); };
  EXPECT_FALSE(judge(with({{0, {5, 2, 0, 0, 1, 0}}})));
  EXPECT_FALSE(judge(with({{0, {}}, {43, {0, 9}}}))) << "what is behind is not read";
  EXPECT_EQ(judge(with({{0, {0x80, 0}}}))->pointer, 42u);
  EXPECT_EQ(judge(test::ip6({.next_header = 0}, {}))->reason, DropReason::Ip6BadExtension);
}

TEST(Ip6Extensions, GlancePassesOverAll) {
  const auto glance = [](const Packet& p) { return proto::glance_at_upper(*Ip6View::parse(p)); };
  const auto all = glance(with(
      {{0, {0x41, 0}}, {60, {}}, {43, {0, 9}}, {51, Packet(10, 1)}, test::fragment6(0, true)}));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->protocol, 58);
  EXPECT_FALSE(all->later_fragment);
  EXPECT_EQ(all->at, 40u + 8 + 8 + 8 + 16 + 8);
  EXPECT_TRUE(glance(with({test::fragment6(8, false)}))->later_fragment);
  EXPECT_FALSE(glance(with(std::vector<Extension6>(9, Extension6{60, {}}))));
}

TEST(Ip6FragmentView, ParsesAndEmits) {
  const Packet p = with({test::fragment6(1480, true, 0xdeadbeef)});
  const auto view = proto::Ip6FragmentView::parse(std::span{p}.subspan(40));
  ASSERT_TRUE(view);
  EXPECT_EQ(view->next_header(), 58);
  EXPECT_EQ(view->offset(), 1480u);
  EXPECT_TRUE(view->more());
  EXPECT_EQ(view->id(), 0xdeadbeefu);
  EXPECT_FALSE(view->is_atomic());
  Packet out(8, 0xee);
  proto::emit(proto::Ip6FragmentFields{58, 1480, true, 0xdeadbeef}, out);
  EXPECT_EQ(out, (Packet{p.begin() + 40, p.begin() + 48}));
}
}  // namespace
