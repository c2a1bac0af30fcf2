// SPDX-License-Identifier: BSD-3-Clause
// The states of RFC 4861 section 7.3.2 in virtual time, and what gives way in a full table.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "proto/ip6_scope.hh"
#include "proto/neighbor_table.hh"
#include "proto/wire/nd.hh"
#include "tests/support/packet.hh"

namespace {
using core::IpAddress;
using core::MacAddress;
using proto::NeighborState;
using proto::NeighborTable;
using proto::NextHopKind;
using test::mac;
using Flags = proto::nd::NeighborAdvertisementView;
constexpr std::uint64_t kSecond_us = 1'000'000;
constexpr core::InterfaceId kLink = 3, kOther = 4;
constexpr NeighborTable::LinkTimers kTimers{.reachable_ms = 20'000, .retrans_ms = 1000};

IpAddress host(std::uint16_t n) {
  IpAddress a = *proto::parse_ip6("2001:db8::");
  a.bytes()[14] = static_cast<std::uint8_t>(n >> 8);
  a.bytes()[15] = static_cast<std::uint8_t>(n);
  return a;
}

struct Asked {
  IpAddress address;
  std::optional<MacAddress> to;  ///< none: everybody
  friend bool operator==(const Asked&, const Asked&) = default;
};

class NeighborDiscovery : public testing::Test {
protected:
  static constexpr std::size_t kLimit = 64;
  NeighborDiscovery() {
    table_.set_timers(kLink, kTimers);
    table_.set_timers(kOther, kTimers);
  }

  /// The clock moves to `s` seconds, a poll every 100 ms. @return what was asked on the way.
  std::vector<Asked> at(double s) {
    asked_.clear();
    const auto end_us = static_cast<std::uint64_t>(s * kSecond_us);
    while (now_us_ < end_us) table_.poll(now_us_ += kSecond_us / 10);
    return asked_;
  }
  [[nodiscard]] double now_s() const { return static_cast<double>(now_us_) / kSecond_us; }
  std::vector<Asked> after(double s) { return at(now_s() + s); }
  void wanted(const IpAddress& a = host(9), core::InterfaceId link = kLink) {
    table_.wanted({.kind = core::EventKind::NeighborWanted, .interface = link, .address = a},
                  now_us_);
  }
  /// A solicitation for us, with where its sender is.
  void asks_us(const MacAddress& from, const IpAddress& a = host(9),
               core::InterfaceId link = kLink) {
    table_.seen({.kind = core::EventKind::NeighborSeen,
                 .may_create = true,
                 .interface = link,
                 .address = a,
                 .mac = from},
                now_us_);
  }
  /// Zero: an advertisement without the option.
  void advertises(const MacAddress& at, unsigned flags, const IpAddress& a = host(9),
                  core::InterfaceId link = kLink) {
    table_.advertised({.kind = core::EventKind::NeighborAdvertised,
                       .flags = static_cast<std::uint8_t>(flags),
                       .interface = link,
                       .address = a,
                       .mac = at},
                      now_us_);
  }
  void send_packet(const IpAddress& a = host(9)) { ++packets_[fib6_->lookup(a)]; }
  [[nodiscard]] const proto::NeighborInfo* find(const IpAddress& a = host(9),
                                                core::InterfaceId link = kLink) {
    list_ = table_.list(now_us_);
    for (const auto& n : list_)
      if (n.address == a && n.interface == link) return &n;
    return nullptr;
  }
  [[nodiscard]] std::optional<NeighborState> state(const IpAddress& a = host(9),
                                                   core::InterfaceId link = kLink) {
    const auto* n = find(a, link);
    return n == nullptr ? std::nullopt : std::optional{n->state};
  }
  [[nodiscard]] NextHopKind kind(const IpAddress& a = host(9)) const {
    return next_hops_[fib6_->lookup(a)].kind.load();
  }
  [[nodiscard]] MacAddress header_mac(const IpAddress& a = host(9)) const {
    MacAddress m{};
    const auto& ether = next_hops_[fib6_->lookup(a)].ether;
    std::copy_n(ether.begin() + 10, m.size(), m.begin());  // 14 bytes, right-aligned in 24
    return m;
  }
  void reachable(const MacAddress& m = mac(9)) {
    wanted();
    advertises(m, Flags::kSolicited | Flags::kOverride);
    ASSERT_EQ(state(), NeighborState::Reachable);
    asked_.clear();
  }
  void stale() {
    reachable();
    after(31);
    ASSERT_EQ(state(), NeighborState::Stale);
  }

  core::Rcu rcu_{1};
  proto::NextHopTable next_hops_{256, rcu_};
  std::unique_ptr<proto::Fib4> fib_ =
      std::move(*proto::Fib4::create("discovery_test", {.routes = 64, .groups = 16}, rcu_));
  std::unique_ptr<proto::Fib6> fib6_ =
      std::move(*proto::Fib6::create("discovery_test", {.routes = 512, .groups = 4096}, rcu_));
  proto::RouteTable routes_{*fib_, *fib6_};
  std::map<std::size_t, std::uint64_t> packets_;
  std::vector<Asked> asked_;
  std::vector<IpAddress> no_router_;
  std::vector<proto::NeighborInfo> list_;
  std::uint64_t now_us_ = 0;
  NeighborTable table_{
      {.next_hops = next_hops_,
       .routes = [this](core::InterfaceId) -> proto::RouteTable& { return routes_; },
       .limit = kLimit,
       .link =
           [](core::InterfaceId id, const IpAddress& address) {
             return proto::NextHopFields{.interface = id,
                                         .mtu = 1500,
                                         .ether_type = proto::kEtherTypeIp6,
                                         .gateway = address,
                                         .src_mac = mac(1)};
           },
       .request =
           [this](core::InterfaceId, const IpAddress& address, auto to) {
             asked_.push_back({address, to});
           },
       .packets = [this](proto::NextHopId id) { return packets_[id]; },
       .no_router = [this](core::InterfaceId,
                           const IpAddress& address) { no_router_.push_back(address); }}};
};

// --- RFC 4861 section 7.2.2

TEST_F(NeighborDiscovery, AskedThreeTimesThenFailedThenForgotten) {
  wanted();
  EXPECT_EQ(kind(), NextHopKind::Incomplete);
  const Asked everybody{host(9), {}};
  EXPECT_EQ(asked_, (std::vector<Asked>{everybody}));
  EXPECT_EQ(at(2.9), (std::vector<Asked>{everybody, everybody}));
  EXPECT_EQ(state(), NeighborState::Incomplete);
  EXPECT_TRUE(at(3.0).empty());
  EXPECT_EQ(state(), NeighborState::Failed);
  EXPECT_EQ(kind(), NextHopKind::Failed) << "what waits is refused";
  at(6.1);
  EXPECT_EQ(state(), std::nullopt);
  EXPECT_TRUE(routes_.list().empty());
  EXPECT_EQ(next_hops_.used(), 1u);
}

TEST_F(NeighborDiscovery, RetransTimerIsTheLinks) {
  table_.set_timers(kLink, {.reachable_ms = 20'000, .retrans_ms = 200});
  wanted();
  EXPECT_EQ(at(0.5).size(), 2u);
  at(0.7);
  EXPECT_EQ(state(), NeighborState::Failed);
}

// --- Section 7.2.3, 7.2.5: what neighbours say

TEST_F(NeighborDiscovery, WhoAsksUsIsStaleAndUsed) {
  asks_us(mac(9));
  EXPECT_EQ(state(), NeighborState::Stale);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
  EXPECT_EQ(header_mac(), mac(9));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(NeighborDiscovery, SolicitationWithTheKnownMacChangesNothing) {
  reachable();
  asks_us(mac(9));
  EXPECT_EQ(state(), NeighborState::Reachable);
}

TEST_F(NeighborDiscovery, SolicitationFromAnotherMacMakesItStale) {
  reachable();
  asks_us(mac(10));
  EXPECT_EQ(state(), NeighborState::Stale);
  EXPECT_EQ(header_mac(), mac(10));
}

TEST_F(NeighborDiscovery, AdvertisementOfAStrangerIsIgnored) {
  advertises(mac(9), Flags::kSolicited | Flags::kOverride);
  EXPECT_EQ(table_.used(), 0u);
}

TEST_F(NeighborDiscovery, IncompleteTakesAnyAdvertisementWithAMac) {
  wanted();
  advertises({}, Flags::kSolicited);
  EXPECT_EQ(state(), NeighborState::Incomplete) << "without the option there is nothing to take";
  advertises(mac(9), 0);  // the override flag is not asked for here
  EXPECT_EQ(state(), NeighborState::Stale) << "not solicited";
  EXPECT_EQ(header_mac(), mac(9));
  EXPECT_TRUE(after(3).empty()) << "not used: not asked";
}

TEST_F(NeighborDiscovery, IncompleteAndSolicitedIsReachable) {
  wanted();
  advertises(mac(9), Flags::kSolicited);
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
}

TEST_F(NeighborDiscovery, AdvertisementsOfAKnownOneFollowTheTable) {
  // Appendix C's table: state before, flags, another MAC?, state after, MAC taken over?
  struct Case {
    const char* name;
    bool from_stale;
    unsigned flags;
    MacAddress at;
    NeighborState after;
    MacAddress header;
  };
  const NeighborState reachable_state = NeighborState::Reachable,
                      stale_state = NeighborState::Stale;
  const Case cases[] = {
      {"other MAC, no override, reachable", false, Flags::kSolicited, mac(10), stale_state, mac(9)},
      {"other MAC, no override, stale", true, Flags::kSolicited, mac(10), stale_state, mac(9)},
      {"other MAC, override, solicited", true, Flags::kSolicited | Flags::kOverride, mac(10),
       reachable_state, mac(10)},
      {"other MAC, override, unsolicited", false, Flags::kOverride, mac(10), stale_state, mac(10)},
      {"same MAC, solicited", true, Flags::kSolicited, mac(9), reachable_state, mac(9)},
      {"same MAC, unsolicited, reachable", false, Flags::kOverride, mac(9), reachable_state,
       mac(9)},
      {"same MAC, unsolicited, stale", true, 0, mac(9), stale_state, mac(9)},
      {"no MAC, solicited", true, Flags::kSolicited, {}, reachable_state, mac(9)},
      {"no MAC, unsolicited", true, Flags::kOverride, {}, stale_state, mac(9)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    if (c.from_stale)
      stale();
    else
      reachable();
    advertises(c.at, c.flags);
    EXPECT_EQ(state(), c.after);
    EXPECT_EQ(header_mac(), c.header);
    ASSERT_TRUE(table_.remove(kLink, host(9)));
  }
}

TEST_F(NeighborDiscovery, RouterFlagFollowsAdvertisementsAndItsLossIsTold) {
  reachable();
  EXPECT_FALSE(find()->is_router);
  advertises({}, Flags::kSolicited | Flags::kRouter);
  EXPECT_TRUE(find()->is_router);
  asks_us(mac(9));
  EXPECT_TRUE(find()->is_router) << "a solicitation does not tell";
  EXPECT_TRUE(no_router_.empty());
  advertises({}, Flags::kSolicited);
  EXPECT_FALSE(find()->is_router);
  EXPECT_EQ(no_router_, std::vector{host(9)});
  // Section 7.2.5: where the advertisement is ignored, so is its flag.
  advertises({}, Flags::kSolicited | Flags::kRouter);
  advertises(mac(10), Flags::kSolicited);
  EXPECT_TRUE(find()->is_router);
}

TEST_F(NeighborDiscovery, RouterMessagesSayWhoIsARouter) {
  table_.seen({.kind = core::EventKind::RouterAdvertised,
               .may_create = true,
               .interface = kLink,
               .address = host(9),
               .mac = mac(9)},
              now_us_, true);
  EXPECT_TRUE(find()->is_router);
  EXPECT_EQ(state(), NeighborState::Stale);
  table_.seen({.kind = core::EventKind::RouterSolicited, .interface = kLink, .address = host(9)},
              now_us_, false);
  EXPECT_FALSE(find()->is_router);
}

// --- Section 7.3: unreachability detection

TEST_F(NeighborDiscovery, ReachableForHalfToOneAndAHalfTimesTheBase) {
  reachable();
  EXPECT_TRUE(at(9.9).empty());
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_TRUE(at(30.1).empty());
  EXPECT_EQ(state(), NeighborState::Stale);
  EXPECT_EQ(kind(), NextHopKind::Reachable);
}

TEST_F(NeighborDiscovery, UnusedOneIsNotAskedAndForgottenAfterADay) {
  stale();
  EXPECT_TRUE(after(80'000).empty());
  EXPECT_EQ(state(), NeighborState::Stale);
  EXPECT_TRUE(after(7'000).empty());
  EXPECT_EQ(state(), std::nullopt);
}

TEST_F(NeighborDiscovery, UsedOneIsDelayedThenProbedByUnicastThenReachable) {
  stale();
  send_packet();
  EXPECT_TRUE(after(1.1).empty());
  EXPECT_EQ(state(), NeighborState::Delay);
  EXPECT_TRUE(after(3.8).empty()) << "5 s, DELAY_FIRST_PROBE_TIME";
  while (asked_.empty() && now_s() < 60) after(0.1);
  EXPECT_EQ(asked_, (std::vector<Asked>{{host(9), mac(9)}}));
  EXPECT_EQ(state(), NeighborState::Probe);
  EXPECT_EQ(kind(), NextHopKind::Reachable) << "used while probed";
  const auto generation = next_hops_.generation();
  advertises(mac(9), Flags::kSolicited);
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_EQ(next_hops_.generation(), generation) << "nothing has changed for workers";
  EXPECT_TRUE(after(9).empty());
}

TEST_F(NeighborDiscovery, ProofDuringTheDelaySavesTheProbe) {
  stale();
  send_packet();
  after(2);
  ASSERT_EQ(state(), NeighborState::Delay);
  advertises({}, Flags::kSolicited);
  EXPECT_EQ(state(), NeighborState::Reachable);
  EXPECT_TRUE(after(8).empty());
}

TEST_F(NeighborDiscovery, SilentOneIsForgottenAfterThreeProbesAndAskedForAnew) {
  stale();
  send_packet();
  const std::vector<Asked> asked = after(9.5);
  EXPECT_EQ(asked, std::vector(3, Asked{host(9), mac(9)}));
  EXPECT_EQ(state(), std::nullopt);
  asked_.clear();
  wanted();
  EXPECT_EQ(asked_, (std::vector<Asked>{{host(9), {}}}));
  advertises(mac(10), Flags::kSolicited | Flags::kOverride);
  EXPECT_EQ(header_mac(), mac(10));
}

TEST_F(NeighborDiscovery, SilentGatewayWaitsForThePacketThatWantsIt) {
  const auto hop = table_.use(kLink, host(9));
  ASSERT_TRUE(hop);
  stale();
  ++packets_[*hop];
  after(9.5);
  EXPECT_EQ(state(), NeighborState::Idle);
  EXPECT_EQ(next_hops_[*hop].kind.load(), NextHopKind::Incomplete);
  wanted();
  EXPECT_EQ(state(), NeighborState::Incomplete);
}

TEST_F(NeighborDiscovery, PermanentOneHearsNothing) {
  ASSERT_TRUE(table_.add_permanent(kLink, host(9), mac(7), now_us_));
  send_packet();
  asks_us(mac(8));
  advertises(mac(8), Flags::kSolicited | Flags::kOverride);
  EXPECT_TRUE(at(200).empty());
  EXPECT_EQ(state(), NeighborState::Permanent);
  EXPECT_EQ(header_mac(), mac(7));
}

TEST_F(NeighborDiscovery, LinkLocalOnesAreNeighborsOfTheirLinkAndShownWithoutIt) {
  const IpAddress a = *proto::parse_ip6("fe80::9");
  wanted(proto::scoped(a, kLink), kLink);
  wanted(proto::scoped(a, kOther), kOther);
  EXPECT_EQ(table_.used(), 2u);
  EXPECT_EQ(state(a, kLink), NeighborState::Incomplete);
  advertises(mac(9), Flags::kSolicited, proto::scoped(a, kLink), kLink);
  EXPECT_EQ(state(a, kLink), NeighborState::Reachable);
  EXPECT_EQ(state(a, kOther), NeighborState::Incomplete);
  EXPECT_EQ(kind(proto::scoped(a, kLink)), NextHopKind::Reachable);
  EXPECT_EQ(kind(proto::scoped(a, kOther)), NextHopKind::Incomplete);
}

// --- What gives way

TEST_F(NeighborDiscovery, ScanTakesHalfOfTheTableAndNothingThatAnswers) {
  for (std::uint16_t n = 0; n < 40; ++n) {
    wanted(host(n));
    advertises(mac(1), Flags::kSolicited, host(n));
  }
  for (std::uint16_t n = 1000; n < 6000; ++n) wanted(host(n), n % 2 == 0 ? kOther : kLink);
  EXPECT_LE(table_.used(), kLimit);
  for (std::uint16_t n = 0; n < 40; ++n) EXPECT_EQ(state(host(n)), NeighborState::Reachable) << n;
  EXPECT_EQ(state(host(5999)), NeighborState::Incomplete) << "the newest has its chance";
}

TEST_F(NeighborDiscovery, ScanOfOneLinkDoesNotHinderAnother) {
  wanted(host(1), kOther);
  for (std::uint16_t n = 1000; n < 6000; ++n) wanted(host(n));
  EXPECT_EQ(table_.used(), kLimit / 2);
  EXPECT_EQ(state(host(1), kOther), NeighborState::Incomplete)
      << "room is made on the link that has most";
  advertises(mac(1), Flags::kSolicited, host(1), kOther);
  EXPECT_EQ(state(host(1), kOther), NeighborState::Reachable);
}

TEST_F(NeighborDiscovery, StrangersThatAskUsGiveWayBeforeWhatIsInUse) {
  stale();
  for (std::uint16_t n = 1000; n < 3000; ++n) asks_us(mac(2), host(n));
  EXPECT_LE(table_.used(), kLimit);
  EXPECT_EQ(state(), NeighborState::Stale) << "it has answered once";
  EXPECT_EQ(state(host(2999)), NeighborState::Stale);
}

TEST_F(NeighborDiscovery, OneLinkHasThreeQuartersAtMost) {
  for (std::uint16_t n = 1000; n < 2000; ++n) {
    wanted(host(n));
    advertises(mac(2), Flags::kSolicited, host(n));
  }
  EXPECT_EQ(table_.used(), kLimit * 3 / 4) << "all reachable: nobody gives way";
  for (std::uint16_t n = 0; n < kLimit / 4; ++n) {
    wanted(host(n), kOther);
    advertises(mac(3), Flags::kSolicited, host(n), kOther);
    EXPECT_EQ(state(host(n), kOther), NeighborState::Reachable);
  }
  EXPECT_EQ(table_.used(), kLimit);
  ASSERT_TRUE(table_.remove(kLink, host(1000)));
  EXPECT_TRUE(table_.use(kLink, host(9))) << "what a route needs is not counted";
}

TEST_F(NeighborDiscovery, StaleOnesGiveWayTheOldestFirst) {
  for (std::uint16_t n = 0; n < kLimit * 3 / 4; ++n) {
    wanted(host(n));
    advertises(mac(2), Flags::kSolicited, host(n));
    table_.advertised({.kind = core::EventKind::NeighborAdvertised,
                       .interface = kLink,
                       .address = host(n),
                       .mac = mac(3)},
                      now_us_);  // no override: stale
  }
  wanted(host(500));
  EXPECT_EQ(state(host(0)), std::nullopt);
  EXPECT_EQ(state(host(1)), NeighborState::Stale);
  EXPECT_EQ(state(host(500)), NeighborState::Incomplete);
}

TEST_F(NeighborDiscovery, NothingIsLeftWhenALinkGoes) {
  for (std::uint16_t n = 0; n < 200; ++n) {
    wanted(host(n), n % 2 == 0 ? kLink : kOther);
    if (n % 3 == 0) advertises(mac(2), Flags::kSolicited, host(n), n % 2 == 0 ? kLink : kOther);
  }
  for (const auto link : {kLink, kOther})
    table_.remove_unless(link, [](const auto&) { return false; });
  EXPECT_EQ(table_.used(), 0u);
  EXPECT_EQ(next_hops_.used(), 1u);
  EXPECT_TRUE(routes_.list().empty());
  EXPECT_TRUE(after(100).empty());
}
}  // namespace
