// SPDX-License-Identifier: BSD-3-Clause
// IPv4 groups: who hears of them, and who asks (RFC 3376, RFC 2236).
#include "tests/manager/inet6_lab.hh"

namespace {
using namespace test;
using proto::NextHopKind;

class Groups4 : public Inet6Lab {
protected:
  static constexpr std::uint32_t kGroup = 0xef010203;  // 239.1.2.3
  /// The IGMP messages that lan0 has sent: destination and message.
  std::vector<std::pair<std::uint32_t, Packet>> said() {
    std::vector<std::pair<std::uint32_t, Packet>> all;
    for (const Packet& f : r.lan.take_sent()) {
      if (f.size() < 14 + 24 + 8 || f[12] != 0x08 || f[13] != 0x00 || f[14 + 9] != 2) continue;
      EXPECT_EQ(f[14], 0x46) << "router alert";
      EXPECT_EQ((Packet{f.begin() + 34, f.begin() + 38}), (Packet{0x94, 4, 0, 0}));
      EXPECT_EQ(f[14 + 8], 1) << "TTL";
      EXPECT_EQ(reference_checksum(PacketBytes{f}.subspan(14, 24)), 0);
      EXPECT_EQ(reference_checksum(PacketBytes{f}.subspan(38)), 0);
      all.emplace_back(proto::load_be32(f, 14 + 16), Packet{f.begin() + 38, f.end()});
    }
    return all;
  }
  /// A query from the host. @param code  max response, tenths of a second.
  void query(std::uint8_t code, std::uint32_t group, bool v3, std::uint8_t ttl = 1) {
    Packet m{0x11, code, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 4; ++i)
      m[4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(group >> (24 - 8 * i));
    if (v3) m.insert(m.end(), {2, 125, 0, 0});
    const std::uint16_t sum = reference_checksum(m);
    m[2] = static_cast<std::uint8_t>(sum >> 8);
    m[3] = static_cast<std::uint8_t>(sum);
    const std::uint32_t to = group == 0 ? 0xe0000001 : group;
    const core::MacAddress mac_of_group{0x01,
                                        0x00,
                                        0x5e,
                                        static_cast<std::uint8_t>(to >> 16 & 0x7f),
                                        static_cast<std::uint8_t>(to >> 8),
                                        static_cast<std::uint8_t>(to)};
    r.receive(r.lan, ether({.dst = mac_of_group, .src = Router::kHostMac},
                           ip4({.ttl = ttl,
                                .protocol = 2,
                                .src = Router::kHostIp,
                                .dst = to,
                                .options = {0x94, 4, 0, 0}},
                               m)));
  }
};

TEST_F(Groups4, AllHostsIsJoinedAndNotReported) {  // RFC 3376 section 6
  EXPECT_TRUE(has_group(0xe0000001));
  query(1, 0, true);
  r.run_for(1);
  EXPECT_TRUE(said().empty());
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Groups4, JoinedGroupIsReported) {  // section 5.1
  must(r.manager.join_group("lan0", kGroup));
  EXPECT_EQ(kind(kGroup), NextHopKind::Broadcast);
  r.run_for(3);
  auto all = said();
  ASSERT_EQ(all.size(), 2u);
  for (const auto& [to, m] : all) {
    EXPECT_EQ(to, 0xe0000016u);
    EXPECT_EQ(m.at(0), 0x22);
    EXPECT_EQ((Packet{m.begin() + 8, m.end()}), (Packet{4, 0, 0, 0, 239, 1, 2, 3}));
  }
  query(10, 0, true);
  r.run_for(2);
  all = said();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].second.at(8), 2) << "MODE_IS_EXCLUDE";
  query(10, kGroup, true);
  r.run_for(2);
  EXPECT_EQ(said().size(), 1u);
  must(r.manager.leave_group("lan0", kGroup));
  r.run_for(2);
  all = said();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].second.at(8), 3) << "CHANGE_TO_INCLUDE_MODE";
  EXPECT_EQ(kind(kGroup), NextHopKind::Multicast);
}

TEST_F(Groups4, OlderQueriersAreAnsweredInTheirVersion) {  // section 7.2
  must(r.manager.join_group("lan0", kGroup));
  r.run_for(3);
  (void)said();
  query(10, 0, false);
  r.run_for(2);
  auto all = said();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].first, kGroup);
  EXPECT_EQ(all[0].second.at(0), 0x16);
  query(0, 0, false);  // version 1: within ten seconds
  r.run_for(11);
  all = said();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].second.at(0), 0x12);
  must(r.manager.leave_group("lan0", kGroup));
  r.run_for(2);
  EXPECT_TRUE(said().empty()) << "version 1 has no leaving";
}

TEST_F(Groups4, MalformedQueriesAreRefused) {  // section 9
  query(10, 0, true, /*ttl=*/2);
  EXPECT_EQ(r.drops(), (Drops{{"IgmpRefused", 1}}));
  r.receive(r.lan, ether({.dst = {0x01, 0x00, 0x5e, 0, 0, 1}, .src = Router::kHostMac},
                         ip4({.ttl = 1, .protocol = 2, .src = Router::kHostIp, .dst = 0xe0000001},
                             Packet{0x11, 0, 1, 1, 0, 0, 0, 0})));
  EXPECT_EQ(r.drops(), (Drops{{"IgmpRefused", 2}})) << "checksum";
}

TEST_F(Groups4, OthersInTheGroupsPacketsStayWhoTheyAre) {
  r.receive(r.lan, ether({.dst = {0x01, 0x00, 0x5e, 0, 0, 1}, .src = Router::kHostMac},
                         ip4_icmp({.ttl = 1, .src = Router::kHostIp, .dst = 0xe0000001}, {}, {})));
  EXPECT_EQ(r.drops(), (Drops{{"Icmp4EchoToBroadcast", 1}}));
}
}  // namespace
