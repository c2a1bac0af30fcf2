// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/neighbor.hh"

#include <gtest/gtest.h>

#include <array>

#include "proto/wire/arp.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip_address.hh"
#include "proto/wire/nd.hh"

namespace gen {
namespace {
using Buffer = std::array<std::uint8_t, NeighborSpeaker::kMaxFrame>;

constexpr core::MacAddress kMine{2, 0, 0, 0, 0, 1}, kTheirs{2, 0, 0, 0, 0, 9};

PortPlan port(std::string_view address, std::string_view gateway) {
  PortPlan p;
  p.addresses = {*proto::parse_ip_prefix(address)};
  p.gateways = {*proto::parse_ip(gateway)};
  return p;
}

/// Two speakers on one link: the one asks, the other answers.
struct Pair {
  explicit Pair(std::string_view mine, std::string_view theirs)
      : asking{port(mine, theirs.substr(0, theirs.find('/'))), kMine},
        answering{port(theirs, mine.substr(0, mine.find('/'))), kTheirs} {}
  /// @return whether the gateway is known after a question and its answer.
  bool resolve(std::size_t cut = 0) {
    Buffer question{}, answer{};
    const std::size_t asked = asking.question(0, question);
    EXPECT_GE(asked, 60u);
    const std::size_t said = answering.answer(proto::Bytes{question}.first(asked - cut), answer);
    if (said == 0) return false;
    asking.learn(proto::Bytes{answer}.first(said));
    return asking.gateways()[0].mac == kTheirs;
  }
  NeighborSpeaker asking, answering;
};

TEST(NeighborSpeaker, ResolvesByArp) {
  Pair pair{"10.1.0.2/24", "10.1.0.1/24"};
  EXPECT_TRUE(pair.resolve());
}

TEST(NeighborSpeaker, ResolvesByNeighborDiscovery) {
  Pair pair{"2001:db8::2/64", "2001:db8::1/64"};
  EXPECT_TRUE(pair.resolve());
  ASSERT_EQ(pair.asking.groups().size(), 1u);
  EXPECT_EQ(pair.asking.groups()[0], (core::MacAddress{0x33, 0x33, 0xff, 0, 0, 2}));
}

TEST(NeighborSpeaker, ATruncatedQuestionHasNoAnswer) {
  Pair pair{"2001:db8::2/64", "2001:db8::1/64"};
  EXPECT_FALSE(pair.resolve(1));
}

TEST(NeighborSpeaker, TagsOfTheQuestionComeBack) {
  PortPlan plan = port("10.1.0.2/24", "10.1.0.1");
  plan.vlans = {{.pcp = 3, .id = FieldPlan::fixed(100)}};
  const NeighborSpeaker asking{plan, kMine};
  const NeighborSpeaker answering{port("10.1.0.1/24", "10.1.0.2"), kTheirs};
  Buffer question{}, answer{};
  const std::size_t asked = asking.question(0, question);
  EXPECT_EQ(proto::load_be16(question, 12), proto::kTpidC);
  EXPECT_EQ(proto::load_be16(question, 14), 3 << 13 | 100);
  ASSERT_GT(answering.answer(proto::Bytes{question}.first(asked), answer), 0u);
  EXPECT_EQ(proto::load_be32(answer, 12), proto::load_be32(question, 12));
  EXPECT_EQ(proto::load_mac(answer, 0), kMine);
}

TEST(NeighborSpeaker, StandsForTheHostsBehindIt) {
  PortPlan plan = port("10.1.0.2/24", "10.1.0.1");
  plan.answers = {*proto::parse_ip_prefix("10.1.0.0/24")};
  const NeighborSpeaker speaker{plan, kMine};
  const auto asked = [&](std::uint32_t target) {
    Buffer question{}, answer{};
    emit(proto::EtherFields{core::kBroadcastMac, kTheirs, proto::kEtherTypeArp}, question);
    emit(proto::ArpFields{proto::ArpView::kRequest, kTheirs, 0x0a010001, {}, target},
         proto::MutBytes{question}.subspan(14));
    return speaker.answer(question, answer);
  };
  EXPECT_GT(asked(0x0a010002), 0u);  // itself
  EXPECT_GT(asked(0x0a0100c8), 0u);  // one of them
  EXPECT_EQ(asked(0x0a010001), 0u);  // the gateway answers for itself
  EXPECT_EQ(asked(0x0a020002), 0u);
}

TEST(NeighborSpeaker, LearnsOnlyTheGateway) {
  NeighborSpeaker speaker{port("10.1.0.2/24", "10.1.0.1"), kMine};
  Buffer frame{};
  const auto said = [&](std::uint32_t sender, core::MacAddress mac) {
    emit(proto::EtherFields{kMine, kTheirs, proto::kEtherTypeArp}, frame);
    emit(proto::ArpFields{proto::ArpView::kReply, mac, sender, kMine, 0x0a010002},
         proto::MutBytes{frame}.subspan(14));
    speaker.learn(frame);
    return speaker.gateways()[0].mac.has_value();
  };
  EXPECT_FALSE(said(0x0a010003, kTheirs));
  EXPECT_FALSE(said(0x0a010001, core::kBroadcastMac));
  EXPECT_TRUE(said(0x0a010001, kTheirs));
}
}  // namespace
}  // namespace gen
