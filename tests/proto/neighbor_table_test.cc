// SPDX-License-Identifier: BSD-3-Clause
// ARP's states and timers in virtual time. Neighbour Discovery's: neighbor_discovery_test.cc.
#include "proto/neighbor_table.hh"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "tests/support/packet.hh"

namespace {
using core::MacAddress;
using proto::NeighborState;
using proto::NeighborTable;
using proto::NextHopKind;
using test::ip;
using test::mac;
constexpr std::uint64_t kSecond_us = 1'000'000;
constexpr core::InterfaceId kLink = 3;
constexpr NeighborTable::Timers kTimers{.keep_s = 100, .refresh_s = 10, .down_s = 20};
constexpr std::uint32_t kHost = 0xc0000209;  // 192.0.2.9

/// Who was asked for, and whom: nobody's MAC means everybody.
struct Asked {
  core::IpAddress address;
  std::optional<MacAddress> to;
  friend bool operator==(const Asked&, const Asked&) = default;
};

class NeighborTableTest : public testing::Test {
protected:
  static constexpr std::size_t kLimit = 4;
  NeighborTableTest() { table_.set_timers(kTimers); }

  /// The clock moves to `s` seconds, a poll every 100 ms. @return what was asked on the way.
  std::vector<Asked> at(double s) {
    asked_.clear();
    const auto end_us = static_cast<std::uint64_t>(s * kSecond_us);
    while (now_us_ < end_us) table_.poll(now_us_ += kSecond_us / 10);
    return asked_;
  }
  void wanted(std::uint32_t address = kHost, core::InterfaceId interface = kLink) {
    table_.wanted({.kind = core::EventKind::NeighborWanted,
                   .interface = interface,
                   .address = address,
                   .at_us = now_us_},
                  now_us_);
  }
  /// An ARP packet of `address`; a request to us may create an entry, anything else may not.
  void seen(const MacAddress& from, std::uint32_t address = kHost, bool asks_us = false) {
    table_.seen({.kind = core::EventKind::NeighborSeen,
                 .may_create = asks_us,
                 .interface = kLink,
                 .address = address,
                 .mac = from,
                 .at_us = now_us_},
                now_us_);
  }
  void send_packet(std::uint32_t address = kHost) { ++packets_[fib_->lookup(address)]; }
  [[nodiscard]] std::optional<NeighborState> state(std::uint32_t address = kHost,
                                                   core::InterfaceId interface = kLink) const {
    for (const auto& n : table_.list(now_us_))
      if (n.address == address && n.interface == interface) return n.state;
    return std::nullopt;
  }
  /// What a packet to `address` meets.
  [[nodiscard]] NextHopKind kind(std::uint32_t address = kHost) const {
    return next_hops_[fib_->lookup(address)].kind.load();
  }
  [[nodiscard]] MacAddress header_mac(std::uint32_t address = kHost) const {
    MacAddress m{};
    const auto& ether = next_hops_[fib_->lookup(address)].ether;
    std::copy_n(ether.begin() + 10, m.size(), m.begin());  // 14 bytes, right-aligned in 24
    return m;
  }
  void reachable(const MacAddress& m = mac(9)) {
    wanted();
    seen(m);
    ASSERT_EQ(state(), NeighborState::Reachable);
    asked_.clear();
  }

  core::Rcu rcu_{1};
  proto::NextHopTable next_hops_{16, rcu_};
  std::unique_ptr<proto::Fib4> fib_ =
      std::move(*proto::Fib4::create("neighbor_test", {.routes = 64, .groups = 16}, rcu_));
  std::unique_ptr<proto::Fib6> fib6_ =
      std::move(*proto::Fib6::create("neighbor_test", {.routes = 64, .groups = 256}, rcu_));
  proto::RouteTable routes_{*fib_, *fib6_};
  std::map<std::size_t, std::uint64_t> packets_;
  std::vector<Asked> asked_;
  std::uint64_t now_us_ = 0;
  NeighborTable table_{
      {.next_hops = next_hops_,
       .routes = [this](core::InterfaceId) -> proto::RouteTable& { return routes_; },
       .limit = kLimit,
       .link =
           [](core::InterfaceId id, const core::IpAddress& address) {
             return proto::NextHopFields{.interface = id,
                                         .mtu = 1500,
                                         .gateway = address,
                                         .source = ip("192.0.2.1"),
                                         .src_mac = mac(1)};
           },
       .request =
           [this](core::InterfaceId, const core::IpAddress& address, auto to) {
             asked_.push_back({address, to});
           },
       .packets = [this](proto::NextHopId id) { return packets_[id]; }}};
};

TEST_F(NeighborTableTest, AskedForThreeTimesASecondApartThenFailedThenForgotten) {
  wanted();
  EXPECT_EQ(asked_, (std::vector<Asked>{{kHost, {}}}));
  EXPECT_EQ(state(), NeighborState::Incomplete);
  EXPECT_EQ(kind(), NextHopKind::Incomplete);
  EXPECT_TRUE(at(0.9).empty());
  EXPECT_EQ(at(1.0), (std::vector<Asked>{{kHost, {}}}));
  EXPECT_TRUE(at(1.9).empty());
  EXPECT_EQ(at(2.0), (std::vector<Asked>{{kHost, {}}}));
  EXPECT_TRUE(at(2.9).empty());
  EXPECT_EQ(state(), NeighborState::Incomplete);
  EXPECT_TRUE(at(3.0).empty());
  EXPECT_EQ(state(), NeighborState::Failed);
  EXPECT_EQ(kind(), NextHopKind::Failed);
  wanted();  // left alone for down_s
  EXPECT_TRUE(asked_.empty());
  EXPECT_TRUE(at(22.9).empty());
  EXPECT_EQ(state(), NeighborState::Failed);
  at(23.0);
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(kind(), NextHopKind::NoRoute);
  EXPECT_EQ(next_hops_.used(), 1u);
  EXPECT_TRUE(routes_.list().empty());
  wanted();  // and then it may be asked again
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(NeighborTableTest, AskedOnceHoweverManyWorkersWantIt) {
  wanted();
  wanted();
  wanted();
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(NeighborTableTest, AnswerMakesItReachable) {
  wanted();
  at(1.5);
  seen(mac(9));
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
  EXPECT_EQ(header_mac(), mac(9));
  EXPECT_TRUE(at(50).empty()) << "no retry after the answer";
  const auto all = table_.list(now_us_);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].age_us, 48'500'000u);
  EXPECT_EQ(all[0].mac, mac(9));
}

TEST_F(NeighborTableTest, FailedOneThatSpeaksIsReachableAgain) {
  wanted();
  at(4);
  ASSERT_EQ(state(), NeighborState::Failed);
  seen(mac(9));
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
}

TEST_F(NeighborTableTest, UnusedOneExpires) {
  reachable();
  EXPECT_TRUE(at(89.9).empty());
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_TRUE(at(90).empty()) << "nothing was sent to it, so it is not asked";
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(next_hops_.used(), 1u);
}

TEST_F(NeighborTableTest, UsedOneIsProbedByUnicastAndStaysWhileItAnswers) {
  reachable();
  send_packet();
  EXPECT_EQ(at(90), (std::vector<Asked>{{kHost, mac(9)}}));
  EXPECT_EQ(state(), NeighborState::Probe);
  EXPECT_EQ(kind(), NextHopKind::Reachable) << "still used while probed";
  const auto generation = next_hops_.generation();
  seen(mac(9));
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(next_hops_.generation(), generation) << "nothing has changed for workers";
  EXPECT_TRUE(at(179).empty());
  at(180.1);
  EXPECT_EQ(state(), std::nullopt) << "not used since the last answer";
}

TEST_F(NeighborTableTest, UsedOneThatIsSilentIsAskedForByAllMeansThenFails) {
  reachable();
  send_packet();
  at(89.9);
  std::vector<Asked> asked = at(95.9);
  const Asked unicast{kHost, mac(9)}, broadcast{kHost, {}};
  EXPECT_EQ(asked,
            (std::vector<Asked>{unicast, unicast, unicast, broadcast, broadcast, broadcast}));
  EXPECT_EQ(state(), NeighborState::Incomplete);
  EXPECT_EQ(kind(), NextHopKind::Incomplete);
  EXPECT_TRUE(at(96.1).empty());
  EXPECT_EQ(state(), NeighborState::Failed);
  at(116.1);
  EXPECT_EQ(state(), std::nullopt);
}

TEST_F(NeighborTableTest, AnswerToTheBroadcastBringsItBackAtItsNewMac) {
  reachable();
  send_packet();
  at(93.5);
  ASSERT_EQ(state(), NeighborState::Incomplete);
  seen(mac(10));
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(header_mac(), mac(10));
  EXPECT_TRUE(at(150).empty());
}

TEST_F(NeighborTableTest, MacChangeIsTakenOver) {
  reachable(mac(9));
  const auto generation = next_hops_.generation();
  seen(mac(10));
  EXPECT_EQ(header_mac(), mac(10));
  EXPECT_EQ(kind(), NextHopKind::Reachable);
  EXPECT_NE(next_hops_.generation(), generation);
}

TEST_F(NeighborTableTest, AnyArpPacketOfItRenewsIt) {
  reachable();
  at(60);
  seen(mac(9));
  at(149);
  EXPECT_EQ(state(), NeighborState::Reachable);
  at(151);
  EXPECT_EQ(state(), std::nullopt);
}

TEST_F(NeighborTableTest, UnaskedRepliesCreateNothing) {
  seen(mac(9));
  EXPECT_EQ(table_.used(), 0u);
  EXPECT_EQ(next_hops_.used(), 1u);
  EXPECT_TRUE(routes_.list().empty());
}

TEST_F(NeighborTableTest, WhoAsksUsIsKnown) {
  seen(mac(9), kHost, /*asks_us=*/true);
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(header_mac(), mac(9));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(NeighborTableTest, GatewayIsIdleUntilItIsWantedAndAfterItIsForgotten) {
  const auto hop = table_.use(kLink, kHost);
  ASSERT_TRUE(hop);
  EXPECT_EQ(state(), NeighborState::Idle);
  EXPECT_EQ(next_hops_[*hop].kind.load(), NextHopKind::Incomplete) << "packets wait";
  EXPECT_TRUE(at(1000).empty()) << "nobody has sent to it yet";
  wanted();
  EXPECT_EQ(asked_.size(), 1u);
  at(1004);
  EXPECT_EQ(state(), NeighborState::Failed);
  at(1024);
  EXPECT_EQ(state(), NeighborState::Idle) << "its route still names it";
  EXPECT_EQ(next_hops_[*hop].kind.load(), NextHopKind::Incomplete);
  wanted();
  seen(mac(9));
  EXPECT_EQ(next_hops_[*hop].kind.load(), NextHopKind::Reachable);
  at(1200);
  EXPECT_EQ(state(), NeighborState::Idle) << "unused for keep_s";
  table_.let_go(kLink, kHost);
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(next_hops_.used(), 1u);
}

TEST_F(NeighborTableTest, GatewayOfTwoRoutesStaysForTheSecond) {
  const auto one = table_.use(kLink, kHost), two = table_.use(kLink, kHost);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(*one, *two);
  table_.let_go(kLink, kHost);
  EXPECT_EQ(state(), NeighborState::Idle);
  table_.let_go(kLink, kHost);
  EXPECT_EQ(state(), std::nullopt);
  table_.let_go(kLink, kHost);  // nobody's: nothing happens
}

TEST_F(NeighborTableTest, GatewayThatIsLetGoWhileReachableExpiresAsAnyHost) {
  ASSERT_TRUE(table_.use(kLink, kHost));
  reachable();
  table_.let_go(kLink, kHost);
  EXPECT_EQ(state(), NeighborState::Reachable);
  at(91);
  EXPECT_EQ(state(), std::nullopt);
}

TEST_F(NeighborTableTest, PermanentOneStays) {
  ASSERT_TRUE(table_.add_permanent(kLink, kHost, mac(7), now_us_));
  EXPECT_EQ(state(), NeighborState::Permanent);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
  send_packet();
  EXPECT_TRUE(at(2000).empty());
  seen(mac(8));
  EXPECT_EQ(header_mac(), mac(7)) << "ARP does not change what an administrator has set";
  wanted();
  EXPECT_TRUE(asked_.empty());
  ASSERT_TRUE(table_.add_permanent(kLink, kHost, mac(6), now_us_)) << "but they may";
  EXPECT_EQ(header_mac(), mac(6));
  ASSERT_TRUE(table_.remove(kLink, kHost));
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_EQ(kind(), NextHopKind::NoRoute);
}

TEST_F(NeighborTableTest, PermanentGatewayBecomesIdleWhenRemoved) {
  ASSERT_TRUE(table_.use(kLink, kHost));
  ASSERT_TRUE(table_.add_permanent(kLink, kHost, mac(7), now_us_));
  ASSERT_TRUE(table_.remove(kLink, kHost));
  EXPECT_EQ(state(), NeighborState::Idle);
  EXPECT_EQ(kind(), NextHopKind::Incomplete);
  const auto again = table_.remove(kLink, kHost);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, core::Errc::NotFound);
}

TEST_F(NeighborTableTest, RefusesWhatIsNoHost) {
  for (const MacAddress& bad : {core::kBroadcastMac, MacAddress{1, 0, 0x5e, 0, 0, 1}, MacAddress{}})
    EXPECT_EQ(table_.add_permanent(kLink, kHost, bad, now_us_).error().code, core::Errc::Invalid);
  EXPECT_EQ(table_.remove(kLink, kHost).error().code, core::Errc::NotFound);
  EXPECT_EQ(table_.used(), 0u);
}

TEST_F(NeighborTableTest, FullTableKeepsWhatIsOfUseAndForgetsWhatIsNot) {
  const std::uint32_t silent = ip("192.0.2.20"), silent_later = ip("192.0.2.21");
  wanted(silent);
  at(0.5);
  wanted(silent_later);
  ASSERT_TRUE(table_.use(kLink, ip("192.0.2.22")));
  ASSERT_TRUE(table_.add_permanent(kLink, ip("192.0.2.23"), mac(7), now_us_));
  ASSERT_EQ(table_.used(), kLimit);
  wanted();  // takes the place of the one that has been silent for longest
  EXPECT_EQ(state(silent), std::nullopt);
  EXPECT_EQ(state(silent_later), NeighborState::Incomplete);
  seen(mac(9));
  wanted(ip("192.0.2.30"));
  EXPECT_EQ(state(silent_later), std::nullopt);
  seen(mac(10), ip("192.0.2.30"));
  // All are of use now: nobody goes, nobody comes.
  const std::size_t hops = next_hops_.used();
  wanted(ip("192.0.2.31"));
  seen(mac(11), ip("192.0.2.31"), /*asks_us=*/true);
  EXPECT_EQ(table_.use(kLink, ip("192.0.2.31")).error().code, core::Errc::Full);
  EXPECT_EQ(table_.add_permanent(kLink, ip("192.0.2.31"), mac(9), now_us_).error().code,
            core::Errc::Full);
  EXPECT_EQ(table_.used(), kLimit);
  EXPECT_EQ(next_hops_.used(), hops);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
}

/// Whoever asks us gets an entry, but has not answered us: those who have, and gateways, stay.
TEST_F(NeighborTableTest, OnesThatOnlySpeakToUsGiveWay) {
  reachable();
  for (std::uint32_t n = 1; n <= 3 * kLimit; ++n)
    seen(mac(static_cast<std::uint8_t>(n)), 0xc0000280 + n, /*asks_us=*/true);
  EXPECT_EQ(state(), NeighborState::Reachable) << "it has answered";
  EXPECT_LE(table_.used(), kLimit);
  EXPECT_EQ(state(0xc0000281), std::nullopt) << "the oldest have gone";
  ASSERT_TRUE(table_.use(kLink, ip("192.0.2.77"))) << "a route's gateway finds room";
  EXPECT_EQ(state(ip("192.0.2.77")), NeighborState::Idle);
}

TEST_F(NeighborTableTest, NextHopTableFullIsRefusedWithNothingChanged) {
  while (next_hops_.allocate({})) {}
  const auto refused = table_.add_permanent(kLink, kHost, mac(9), now_us_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  EXPECT_EQ(table_.used(), 0u);
  EXPECT_TRUE(routes_.list().empty());
}

TEST_F(NeighborTableTest, RouteTableFullIsRefusedWithNothingChanged) {
  for (std::uint32_t n = 0;
       routes_.add({ip("10.0.0.0") + (n << 8), 24}, proto::RouteOrigin::Static, {}); ++n) {}
  const std::size_t hops = next_hops_.used();
  const auto refused = table_.add_permanent(kLink, kHost, mac(9), now_us_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::Full);
  EXPECT_EQ(table_.used(), 0u);
  EXPECT_EQ(next_hops_.used(), hops);
}

TEST_F(NeighborTableTest, LinkChangesReachAllNextHopsOfTheLink) {
  reachable();
  const auto generation = next_hops_.generation();
  table_.refresh_link(kLink + 1);
  EXPECT_EQ(next_hops_.generation(), generation);
  table_.refresh_link(kLink);
  EXPECT_NE(next_hops_.generation(), generation);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
  EXPECT_EQ(header_mac(), mac(9));
}

TEST_F(NeighborTableTest, RemoveUnlessKeepsGatewaysAndWhatIsWanted) {
  ASSERT_TRUE(table_.use(kLink, ip("192.0.2.22")));
  wanted(ip("192.0.2.23"));
  wanted();
  table_.remove_unless(kLink + 1, [](const auto&) { return false; });
  EXPECT_EQ(table_.used(), 3u);
  table_.remove_unless(kLink, [](const core::IpAddress& a) { return a == kHost; });
  EXPECT_EQ(state(ip("192.0.2.22")), NeighborState::Idle);
  EXPECT_EQ(state(ip("192.0.2.23")), std::nullopt);
  EXPECT_EQ(state(), NeighborState::Incomplete);
}

TEST_F(NeighborTableTest, SameAddressOnTwoLinksIsTwoNeighbors) {
  ASSERT_TRUE(table_.use(kLink, kHost));
  ASSERT_TRUE(table_.use(kLink + 1, kHost));
  EXPECT_EQ(table_.used(), 2u);
  table_.let_go(kLink + 1, kHost);
  EXPECT_EQ(state(), NeighborState::Idle);
  EXPECT_EQ(kind(), NextHopKind::Incomplete) << "the first one's host route stays";
}

TEST(NeighborState, HasAName) {
  for (const auto s : {NeighborState::Idle, NeighborState::Incomplete, NeighborState::Reachable,
                       NeighborState::Stale, NeighborState::Delay, NeighborState::Probe,
                       NeighborState::Failed, NeighborState::Permanent})
    EXPECT_NE(proto::to_string(s), "?");
}
}  // namespace
