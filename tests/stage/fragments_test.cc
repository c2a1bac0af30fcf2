// SPDX-License-Identifier: BSD-3-Clause
// Fragments through the whole pipeline: for us, through us, and made by us.
#include "tests/proto/fragments.hh"

#include <algorithm>
#include <map>
#include <random>

#include "tests/stage/router.hh"
#include "tests/stage/two_gateways.hh"
#include "tests/support/packet6.hh"

namespace {
using namespace test;
constexpr std::size_t kLongest = 65'507;  // data of an echo in the longest packet

/// The packet in parts that a link with this MTU carries.
Packets cut(const Ip4& f, PacketBytes payload, std::size_t mtu) {
  Packets all;
  const std::size_t step = (mtu - 20) / 8 * 8;
  for (std::size_t at = 0; at < payload.size(); at += step)
    all.push_back(part4(f, payload, at, std::min(step, payload.size() - at)));
  return all;
}
/// The payload of the fragments in `frames`, which must fit together; all have 20 bytes of header.
Packet join(const Packets& frames, std::size_t mtu) {
  std::map<std::size_t, Packet> parts;
  for (const Packet& f : frames) {
    EXPECT_LE(f.size(), 14 + mtu);
    EXPECT_EQ(reference_checksum(PacketBytes{f}.subspan(14, 20)), 0);
    const std::size_t at = (static_cast<std::size_t>(f[20] & 0x1f) << 8 | f[21]) * 8;
    EXPECT_EQ((f[20] & 0x20) == 0, &f == &frames.back());
    parts[at] = Packet{f.begin() + 34, f.end()};
  }
  Packet all;
  for (const auto& [at, part] : parts) {
    EXPECT_EQ(at, all.size());
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class Fragments : public testing::Test {
protected:
  Fragments() {
    r.configure();
    r.know_neighbors();
  }
  ~Fragments() override { r.expect_conservation(); }

  static Packet echo(std::uint8_t type, std::size_t bytes) {
    const Packet p = ip4_icmp({}, {.type = type}, pattern(bytes));
    return {p.begin() + 20, p.end()};
  }
  static Ip4 to_us() {
    return {.id = 77, .protocol = 1, .src = Router::kHostIp, .dst = Router::kLanIp};
  }
  static Ip4 transit() { return {.id = 9, .src = Router::kHostIp, .dst = Router::kGatewayIp}; }
  void receive(Packets packets) {
    for (Packet& p : packets) p = from_host(p);
    r.receive(r.lan, std::move(packets));
  }
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> usage() const {
    for (const auto& u : r.manager.usage())
      if (u.table == "fragments") return {u.used, u.limit};
    return {};
  }

  Router r;
};

TEST_F(Fragments, TheLongestEchoIsAnsweredInFragments) {
  Packets request = cut(to_us(), echo(8, kLongest), 1500);
  std::mt19937 random{3};
  for (int order = 0; order < 5; ++order) {
    receive(request);
    EXPECT_EQ(join(r.lan.take_sent(), 1500), echo(0, kLongest));
    if (order == 0)
      std::reverse(request.begin(), request.end());
    else
      std::shuffle(request.begin(), request.end(), random);
  }
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Fragments, EchoesOfAllSizes) {
  for (std::size_t bytes = 1400; bytes < kLongest; bytes += bytes / 5 + 1) {
    SCOPED_TRACE(bytes);
    const Packets request = cut(to_us(), echo(8, bytes), 576);
    receive(request);
    const Packets reply = r.lan.take_sent();
    EXPECT_EQ(join(reply, 1500), echo(0, bytes));
    EXPECT_EQ(reply.size(), (bytes + 8 + 1479) / 1480);
  }
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Fragments, AreMadeForAnMtuThatIsTooSmall) {
  must(r.manager.set_mtu("wan0", 600));
  const Packet datagram = pattern(1400);
  receive({ip4(transit(), datagram)});
  Ip4 f = transit();
  f.ttl = 63;
  Packets expected;
  for (const Packet& p : cut(f, datagram, 600)) expected.push_back(to_gateway(p));
  EXPECT_EQ(expected.size(), 3u);
  EXPECT_EQ(r.wan.take_sent(), expected);
  EXPECT_EQ(r.drops(), Drops{});
}

TEST_F(Fragments, AreCutAgainOnTheirWay) {
  must(r.manager.set_mtu("wan0", 600));
  const Packet datagram = pattern(4000);
  receive(cut(transit(), datagram, 1500));
  const Packets sent = r.wan.take_sent();
  EXPECT_EQ(sent.size(), 3u + 3 + 2);
  EXPECT_EQ(join(sent, 600), datagram);
}

TEST_F(Fragments, WithDontFragmentTheSourceIsTold) {  // RFC 1191 section 4
  must(r.manager.set_mtu("wan0", 600));
  Ip4 f = transit();
  f.dont_fragment = true;
  receive({ip4(f, pattern(700))});
  EXPECT_EQ(r.drops(), (Drops{{"Ip4TooBig", 1}}));
  const Packets told = r.lan.take_sent();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0][34], 3);
  EXPECT_EQ(told[0][35], 4);
  EXPECT_EQ(told[0][40] << 8 | told[0][41], 600);
}

TEST_F(Fragments, ThatDoNotBecomeWholeAreTold) {  // RFC 1122 section 3.3.2
  const Packets parts = cut(to_us(), echo(8, 3000), 1500);
  receive({parts[0], parts[2]});
  EXPECT_EQ(r.held(), 2u);
  EXPECT_EQ(usage(), (std::pair<std::uint64_t, std::uint64_t>{2, 2048}));
  r.run_for(31);
  EXPECT_EQ(r.drops(), (Drops{{"FragmentTimeout", 2}}));
  EXPECT_EQ(usage().first, 0u);
  EXPECT_EQ(r.lan.take_sent(),
            Packets{to_host(ip4_icmp({.tos = 0xc0, .src = Router::kLanIp, .dst = Router::kHostIp},
                                     {.type = 11, .code = 1, .word1 = 0, .word2 = 0},
                                     PacketBytes{parts[0]}.first(548)))});
}

TEST_F(Fragments, LimitsAreSysctls) {
  must(r.manager.set_sysctl("net.inet.ip.ipfragttl", 2));
  must(r.manager.set_sysctl("net.inet.ip.maxfrags", 100));
  EXPECT_EQ(usage().second, 100u);
  const Packets parts = cut(to_us(), echo(8, 3000), 1500);
  receive({parts[0]});
  r.run_for(3);
  EXPECT_EQ(r.drops(), (Drops{{"FragmentTimeout", 1}}));
  (void)r.lan.take_sent();
  must(r.manager.set_sysctl("net.inet.ip.maxfragsperpacket", 2));
  receive(parts);
  EXPECT_EQ(r.drops(), (Drops{{"FragmentTimeout", 1}, {"FragmentTooMany", 3}}));
  must(r.manager.set_sysctl("net.inet.ip.maxfragpackets", 0));
  r.run_for(3);
  receive({parts[0]});
  EXPECT_EQ(r.drops().at("FragmentEvicted"), 1u);
  for (const char* name : {"net.inet.ip.maxfragpackets", "net.inet6.ip6.maxfragpackets"})
    EXPECT_EQ(refusal(r.manager.set_sysctl(name, 1025)), core::Errc::Invalid);
}

TEST_F(Fragments, OfUdpAreJudgedWhole) {
  const Packet udp = ip4_udp(to_us(), {}, pattern(2000));
  const Packet payload{udp.begin() + 20, udp.end()};
  Ip4 f = to_us();
  f.protocol = 17;
  receive(cut(f, payload, 1500));
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 1}}));
  EXPECT_EQ(r.lan.take_sent().size(), 1u) << "port unreachable";
}

TEST_F(Fragments, ToAllHostsAreNotPutTogether) {
  Ip4 f = to_us();
  f.dst = ip("10.1.0.255");
  receive(cut(f, echo(8, 2000), 1500));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4FragmentForUs", 2}}));
}

TEST_F(Fragments, EchoesOfIp6) {  // RFC 8200 section 4.5
  const core::IpAddress us = addr6("2001:db8:1::1"), host = addr6("2001:db8:1::2");
  must(r.manager.add_address("lan0", {us, 64}));
  must(r.manager.add_neighbor({"lan0", host, Router::kHostMac}));
  r.run_for(5);
  (void)r.lan.take_sent();
  for (const std::size_t bytes : {1432U, 1433U, 5000U, 65'527U}) {
    SCOPED_TRACE(bytes);
    const Packet whole = ip6_icmp({.src = host, .dst = us}, {}, pattern(bytes));
    const PacketBytes message = PacketBytes{whole}.subspan(40);
    std::vector<Packet> frames;
    for (std::size_t at = 0; at < message.size(); at += 1232) {
      const std::size_t n = std::min<std::size_t>(1232, message.size() - at);
      const Packet part =
          ip6_fragment({.next_header = 58, .offset = at, .more = at + n < message.size(), .id = 9},
                       message.subspan(at, n));
      frames.push_back(ether6({.dst = Router::kLanMac, .src = Router::kHostMac},
                              ip6({.next_header = 44, .src = host, .dst = us}, part)));
    }
    std::reverse(frames.begin(), frames.end());
    r.receive(r.lan, frames);
    const Packet reply = ip6_icmp({.src = us, .dst = host}, {.type = 129}, pattern(bytes));
    Packet joined;
    const Packets sent = r.lan.take_sent();
    for (const Packet& f : sent) {
      EXPECT_LE(f.size(), 1514u);
      if (sent.size() == 1)
        joined.assign(f.begin() + 54, f.end());
      else
        joined.insert(joined.end(), f.begin() + 62, f.end());
    }
    EXPECT_EQ(joined, Packet(reply.begin() + 40, reply.end()));
    EXPECT_EQ(sent.size(), bytes + 48 <= 1500 ? 1u : (bytes + 8 + 1447) / 1448);
  }
  EXPECT_EQ(r.drops(), Drops{});
}

using FragmentsInTunnel = TwoGateways;

TEST_F(FragmentsInTunnel, AreCutBeforeTheyAreSealed) {
  meet();
  const Packet datagram = pattern(1480);
  left.r.lan.push(from_host(ip4(left_to_right(), datagram)));
  for (int i = 0; i < 8; ++i) {
    left.r.iterate();
    right.r.iterate();
    carry();
  }
  EXPECT_EQ(join(right.r.lan.take_sent(), 1500), datagram);
  EXPECT_EQ(left.r.drops(), Drops{});
}

TEST_F(FragmentsInTunnel, OfTheOuterPacketArePutTogether) {
  meet();
  const Packet inner = ip4_udp(left_to_right(), {}, pattern(1300));
  must(left.r.manager.set_mtu("wan0", 1500));
  left.r.lan.push(from_host(inner));
  left.r.iterate();
  const Packets sealed = left.r.wan.take_sent();
  ASSERT_EQ(sealed.size(), 1u);
  // A router between the two cuts it.
  const PacketBytes outer = PacketBytes{sealed[0]}.subspan(14);
  const Ip4 f{.id = 5, .protocol = 50, .src = left.wan_ip, .dst = right.wan_ip};
  Packets parts = cut(f, outer.subspan(20), 600);
  std::reverse(parts.begin(), parts.end());
  for (const Packet& p : parts)
    right.r.wan.push(ether({.dst = right.wan_mac, .src = left.wan_mac}, p));
  right.r.iterate();
  Ip4 arrived = left_to_right();
  arrived.ttl = 62;
  EXPECT_EQ(right.r.lan.take_sent(), Packets{to_host(ip4_udp(arrived, {}, pattern(1300)))});
  EXPECT_EQ(right.r.drops(), Drops{});
}
}  // namespace
