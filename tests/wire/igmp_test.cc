// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/igmp.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
namespace igmp = proto::igmp;
using igmp::QueryView;
constexpr std::uint32_t kGroup = 0xef010203;

/// scapy 2.5: IGMPv3(type=0x11, mrcode=0x9a) / IGMPv3mq(gaddr="239.1.2.3", qrv=2, qqic=125).
constexpr auto kQuery3 = test::hex("119afae3ef010203027d0000");
/// scapy 2.5: IGMP(type=0x11, mrcode=100, gaddr="0.0.0.0").
constexpr auto kQuery2 = test::hex("1164ee9b00000000");
/// scapy 2.5: IGMPv3(type=0x22) / IGMPv3mr with CHANGE_TO_EXCLUDE 239.1.2.3 and
/// MODE_IS_EXCLUDE 224.0.0.9.
constexpr auto kReport3 = test::hex("220006ef0000000204000000ef01020302000000e0000009");
/// scapy 2.5: IGMP(type=0x16, mrcode=0, gaddr="239.1.2.3").
constexpr auto kReport2 = test::hex("1600f8faef010203");

constexpr auto kThree = QueryView::parse(kGroup, kQuery3);
static_assert(kThree && kThree->version() == 3 && kThree->group() == kGroup);
static_assert(kThree->max_response_ms() == 41'600, "RFC 3376 section 4.1.1: 26 << 4 tenths");
constexpr auto kTwo = QueryView::parse(igmp::kAllHosts, kQuery2);
static_assert(kTwo && kTwo->version() == 2 && kTwo->group() == 0);
static_assert(kTwo->max_response_ms() == 10'000);

/// With a checksum that is right for whatever else is in it.
test::Packet summed(test::Packet m) {
  m[2] = m[3] = 0;
  const std::uint16_t sum = test::reference_checksum(m);
  m[2] = static_cast<std::uint8_t>(sum >> 8);
  m[3] = static_cast<std::uint8_t>(sum);
  return m;
}

TEST(IgmpQuery, VersionOneSaysNoTime) {  // RFC 3376 section 7.2.1
  const auto one = summed({0x11, 0, 0, 0, 0, 0, 0, 0});
  const auto view = QueryView::parse(igmp::kAllHosts, one);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->version(), 1);
  EXPECT_EQ(view->max_response_ms(), 10'000u);
}

TEST(IgmpQuery, RejectsEachTruncation) {
  const test::Packet good{kQuery3.begin(), kQuery3.end()};
  for (std::size_t length = 0; length < good.size(); ++length) {
    test::Packet cut{good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)};
    if (length >= 4) cut = summed(cut);
    const bool version2 = length == QueryView::kLen;
    EXPECT_EQ(static_cast<bool>(QueryView::parse(kGroup, cut)), version2) << length;
  }
}

TEST(IgmpQuery, Refuses) {  // RFC 3376 sections 4.1.12 and 9
  test::Packet bad{kQuery3.begin(), kQuery3.end()};
  bad[2] ^= 1;
  EXPECT_FALSE(QueryView::parse(kGroup, bad)) << "checksum";
  EXPECT_FALSE(QueryView::parse(kGroup, summed({0x11, 1, 0, 0, 10, 0, 0, 1}))) << "no group";
  EXPECT_FALSE(QueryView::parse(kGroup, kQuery2)) << "a general query is for all hosts";
}

TEST(IgmpReport, Emits) {
  const igmp::Record records[] = {{4, kGroup}, {2, 0xe0000009}};
  test::Packet out(igmp::report_length(2), 0xee);
  igmp::emit(records, out);
  EXPECT_EQ(out, (test::Packet{kReport3.begin(), kReport3.end()}));
  test::Packet old(QueryView::kLen, 0xee);
  igmp::emit(igmp::kReport2, kGroup, old);
  EXPECT_EQ(old, (test::Packet{kReport2.begin(), kReport2.end()}));
}

TEST(IgmpReport, HeaderHasRouterAlert) {  // RFC 2113
  test::Packet packet(igmp::kHeaderLen + 8, 0);
  igmp::emit_header(0x0a000001, igmp::kAllIgmp3Routers, packet);
  const auto ip = proto::Ip4View::parse(packet);
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->header_len(), 24u);
  EXPECT_EQ(ip->ttl(), 1);
  EXPECT_EQ(ip->protocol(), 2);
  EXPECT_EQ(ip->payload().size(), 8u);
  EXPECT_EQ(test::reference_checksum(test::PacketBytes{packet}.first(24)), 0);
}

static_assert(igmp::group_mac(0xef810203) == core::MacAddress{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03});
}  // namespace
