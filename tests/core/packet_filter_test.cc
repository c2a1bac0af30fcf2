// SPDX-License-Identifier: BSD-3-Clause
#include "core/packet_filter.hh"

#include <gtest/gtest.h>

#include "tests/support/packet.hh"

namespace {
using core::PacketFilter;
using Link = PacketFilter::Link;

PacketFilter compiled(const std::string& text, Link link = Link::Ethernet) {
  auto filter = PacketFilter::compile(text, link);
  EXPECT_TRUE(filter) << text << ": " << (filter ? "" : filter.error().context);
  return filter ? *std::move(filter) : PacketFilter::nothing();
}
bool takes(const PacketFilter& filter, const test::Packet& p) {
  return filter.matches(p, static_cast<std::uint32_t>(p.size()));
}

TEST(PacketFilter, JudgesFramesAndIpPackets) {
  const test::Packet ip = test::ip4_udp({.src = test::ip("10.1.0.2")}, {.dst_port = 53}, {});
  const test::Packet frame = test::ether({}, ip);
  for (const char* text :
       {"udp", "udp port 53", "src host 10.1.0.2 and not tcp", "net 10.1.0.0/16", "ip[8] = 64",
        "udp[2:2] == 53", "less 100", "(udp or icmp) and greater 20", "portrange 50-60",
        "udp portrange 1-2 or 50-60", "udp[4]-2 > 1"}) {
    EXPECT_TRUE(takes(compiled(text), frame)) << text;
    EXPECT_TRUE(takes(compiled(text, Link::Ip), ip)) << text;
  }
  for (const char* text : {"tcp", "icmp[icmptype] == icmp-echo", "dst port 80", "arp", "vlan 5",
                           "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "ip6 host ::1"})
    EXPECT_FALSE(takes(compiled(text), frame)) << text;
  EXPECT_TRUE(takes(compiled("ether src 02:00:00:00:00:01"), frame));
}

TEST(PacketFilter, EmptyTakesAllAndNothingTakesNone) {
  const test::Packet p = {1};
  EXPECT_TRUE(takes(compiled(""), p));
  EXPECT_TRUE(takes(compiled("  "), p));
  EXPECT_TRUE(compiled("").takes_all());
  EXPECT_FALSE(takes(PacketFilter::nothing(), p));
  EXPECT_FALSE(takes(compiled("udp"), p)) << "reads beyond its end are no match";
}

TEST(PacketFilter, RefusesWhatIsNoneAndSaysWhat) {
  for (const char* bad : {"udp and", "tcp[", "net 10.0.0.0/99", "ether host 1:2", ")", "host",
                          "port 99999999", "ip proto \\"}) {
    const auto filter = PacketFilter::compile(bad, Link::Ethernet);
    ASSERT_FALSE(filter) << bad;
    EXPECT_NE(filter.error().context.find("filter"), std::string::npos) << filter.error().context;
  }
  EXPECT_FALSE(PacketFilter::compile("ether src 02:00:00:00:00:01", Link::Ip));
  EXPECT_FALSE(PacketFilter::compile(std::string(PacketFilter::kMaxText + 1, ' '), Link::Ethernet));
}

TEST(PacketFilter, LooksNoNameUp) {
  for (const char* name : {"host example.com", "port http", "tcp port 22 or ssh", "net somewhere",
                           "host a.b", "dead.beef", "1.beef", "1.2.3.4.5", "host 1-2", "80-90",
                           "portrange 1-2 or host 3-4", "inbound", "ifname lan0"}) {
    const auto filter = PacketFilter::compile(name, Link::Ethernet);
    ASSERT_FALSE(filter) << name;
    EXPECT_NE(filter.error().context.find("not looked up"), std::string::npos)
        << filter.error().context;
  }
}
}  // namespace
