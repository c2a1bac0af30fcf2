// SPDX-License-Identifier: BSD-3-Clause
// What is for us, through the whole stack: listeners, and what we say to ourselves.
#include "core/mbuf.hh"
#include "tests/stage/router.hh"
#include "tests/support/packet6.hh"

namespace {
using namespace test;
using polluxd::PingReply;

class Local : public testing::Test {
protected:
  Local() {
    r.configure();
    r.know_neighbors();
  }
  void mount_lo0() {
    polluxd::InterfaceSpec spec;
    spec.name = "lo0";
    polluxd::OpenPort open;
    open.port.port = &lo;
    open.port.rx = MemoryPort::rx;
    open.port.tx = MemoryPort::tx;
    open.port.mac[0] = 2;
    open.port.mtu = 1500;
    open.port.rx_queues = open.port.tx_queues = 1;
    must(r.manager.attach_interface(spec, "loop", std::move(open)));
    must(r.manager.add_address("lo0", {ip("127.0.0.1"), 8}));
    must(r.manager.add_address("lo0", {addr6("::1"), 128}));
  }
  /// One question; the answer, or nothing where none came in ten seconds.
  std::optional<PingReply> ask(polluxd::PingSpec spec) {
    std::optional<PingReply> got;
    must(r.manager.ping(spec, [&](const auto& answer) {
      if (answer) got = *answer;
    }));
    for (int i = 0; i < 50 && !got; ++i) r.iterate();
    r.run_for(12);
    return got;
  }
  [[nodiscard]] polluxd::InterfaceTotals totals(const std::string& name) const {
    for (const auto& [n, t] : r.manager.interface_totals())
      if (n == name) return t;
    ADD_FAILURE() << "no " << name;
    return {};
  }

  Router r;
  MemoryPort lo{r.pool};
};

TEST_F(Local, OurOwnAddressesAnswer) {
  for (const std::uint32_t address : {Router::kLanIp, Router::kWanIp}) {
    const auto reply = ask({.destination = address});
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->from, address);
    EXPECT_TRUE(reply->intact);
  }
  EXPECT_EQ(r.drops(), Drops{});
  r.expect_conservation();
}

TEST_F(Local, LoopbackAddressesAreLo0s) {
  EXPECT_FALSE(ask({.destination = ip("127.0.0.1")})) << "nobody has it";
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Martian", 1}}));
  mount_lo0();
  for (const core::IpAddress& address :
       {core::IpAddress{ip("127.0.0.1")}, core::IpAddress{ip("127.9.9.9")}, addr6("::1")}) {
    const auto reply = ask({.destination = address, .size = 65507});
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->kind, PingReply::Kind::Reply);
    EXPECT_EQ(reply->from, address);
    EXPECT_EQ(reply->bytes, 65507);
    EXPECT_TRUE(reply->intact);
  }
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Martian", 1}}));
  EXPECT_EQ(totals("lo0").rx.packets, 6u) << "requests and replies";
  EXPECT_EQ(totals("lo0").tx.packets, 6u);
  r.expect_conservation();
}

TEST_F(Local, Lo0DownEndsIt) {
  mount_lo0();
  must(r.manager.set_up("lo0", false));
  EXPECT_FALSE(ask({.destination = Router::kLanIp}));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4OwnDestination", 1}}));
}

TEST_F(Local, LoopbackAddressesAreLo0sAlone) {
  EXPECT_EQ(refusal(r.manager.add_address("lan0", {ip("127.0.0.1"), 8})), core::Errc::Invalid);
  EXPECT_EQ(refusal(r.manager.add_address("lan0", {addr6("::1"), 128})), core::Errc::Invalid);
  mount_lo0();
  EXPECT_EQ(refusal(r.manager.add_address("lo0", {ip("127.0.0.1"), 8})), core::Errc::Exists);
  must(r.manager.delete_address("lo0", {ip("127.0.0.1"), 8}));
  EXPECT_FALSE(ask({.destination = ip("127.0.0.1")}));
}

TEST_F(Local, LoopbackFromTheWireStaysMartian) {  // RFC 1812 section 5.3.7
  mount_lo0();
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = ip("127.0.0.1")}, {}, {})));
  r.receive(r.lan, from_host(ip4_icmp({.src = ip("127.0.0.1"), .dst = Router::kLanIp}, {}, {})));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4Martian", 1}, {"Ip4BadSource", 1}}));
  EXPECT_FALSE(ask({.destination = Router::kHostIp, .source = ip("127.0.0.1")}));
  EXPECT_EQ(r.drops()["Ip4BadSource"], 2u);
}

TEST_F(Local, ClosedPortOfOurOwn) {
  const auto reply = ask({.destination = Router::kLanIp, .port = 33434});
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->kind, PingReply::Kind::Unreachable);
  EXPECT_EQ(reply->code, 3);
  EXPECT_EQ(reply->from, Router::kLanIp);
}

/// More than goes round at once is bounded by the queue, and every packet still ends once.
TEST_F(Local, ManyAtOnce) {
  unsigned answers = 0;
  for (int n = 0; n < 200; ++n)
    must(r.manager.ping({.destination = Router::kLanIp},
                        [&](const auto& answer) { answers += answer ? 1u : 0u; }));
  r.run_for(15);
  EXPECT_EQ(answers, 200u);
  r.expect_conservation();
}

TEST_F(Local, DatagramReachesItsListener) {
  proto::Listener listener{1};
  must(r.manager.listen_udp(listener, {.port = 500}));
  EXPECT_EQ(refusal(r.manager.listen_udp(listener, {.port = 500})), core::Errc::Exists);
  const Packet p =
      ip4_udp({.src = Router::kHostIp, .dst = Router::kLanIp}, {.dst_port = 500}, pattern(1000));
  // In two fragments, as it may come.
  Packet first(p.begin(), p.begin() + 20 + 504), second(p.begin(), p.begin() + 20);
  second.insert(second.end(), p.begin() + 20 + 504, p.end());
  const auto fragment = [](PacketBytes payload, std::uint16_t offset, bool more) {
    return ip4({.id = 7,
                .more_fragments = more,
                .fragment_offset = offset,
                .protocol = 17,
                .src = Router::kHostIp,
                .dst = Router::kLanIp},
               payload.subspan(20));
  };
  r.receive(r.lan, from_host(fragment(second, 504, false)));
  r.receive(r.lan, from_host(fragment(first, 0, true)));
  std::size_t heard = listener.take(10, [&](const proto::Delivered& d) {
    EXPECT_EQ(d.src, Router::kHostIp);
    EXPECT_EQ(r.manager.published().read().interfaces[d.interface].name, "lan0");
    Packet data(d.payload_length);
    EXPECT_EQ(core::copy_bytes(*d.m, d.payload_at, data), 1000u);
    EXPECT_EQ(data, pattern(1000));
    rte_pktmbuf_free(d.m);
  });
  EXPECT_EQ(heard, 1u);

  r.receive(r.lan, from_host(p));
  r.manager.stop_listening(listener);
  r.receive(r.lan, from_host(p));
  heard = listener.take(10, [](const proto::Delivered& d) { rte_pktmbuf_free(d.m); });
  EXPECT_EQ(heard, 0u) << "what waited was freed, what came later was refused";
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 1}}));
  r.expect_conservation();
}

TEST_F(Local, BroadcastReachesAListener) {
  proto::Listener listener{1};
  must(r.manager.listen_udp(listener, {.port = 68}));
  const auto to = [](const core::MacAddress& mac, std::uint32_t dst, std::uint16_t port) {
    return ether({.dst = mac, .src = Router::kHostMac},
                 ip4_udp({.src = Router::kHostIp, .dst = dst}, {.dst_port = port}, pattern(4)));
  };
  r.receive(r.lan, to(core::kBroadcastMac, ip("255.255.255.255"), 68));
  r.receive(r.lan, to(core::kBroadcastMac, ip("10.1.0.255"), 68));
  r.receive(r.lan, to(core::kBroadcastMac, ip("255.255.255.255"), 69));
  EXPECT_EQ(listener.take(10, [](const proto::Delivered& d) { rte_pktmbuf_free(d.m); }), 2u);
  EXPECT_EQ(r.drops(), (Drops{{"UdpNoPort", 1}}));
  EXPECT_TRUE(r.lan.take_sent().empty()) << "RFC 1122 section 3.2.2: no error about a broadcast";
  r.manager.stop_listening(listener);
}

/// A question with a TTL too small comes back as "time exceeded" with our question in it.
TEST_F(Local, ErrorsFindTheirQuestion) {
  must(r.manager.add_route(
      {{ip("172.16.0.0"), 12}, polluxd::RouteSpec::Kind::Unicast, Router::kGatewayIp}));
  std::optional<PingReply> got;
  const auto done = [&](const auto& answer) {
    if (answer) got = *answer;
  };
  for (const bool udp : {false, true}) {
    got.reset();
    must(r.manager.ping({.destination = ip("172.16.0.1"),
                         .ttl = 1,
                         .port = static_cast<std::uint16_t>(udp ? 33434 : 0)},
                        done));
    r.iterate();
    const auto sent = r.wan.take_sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0][14 + 8], 1) << "TTL";
    // The 28 bytes that RFC 792 asks for, and not of somebody else's packet.
    Packet quoted(sent[0].begin() + 14, sent[0].begin() + 14 + 28), foreign = quoted;
    foreign[20 + (udp ? 0 : 4)] ^= 0x55;
    for (const Packet& q : {foreign, quoted}) {
      EXPECT_FALSE(got);
      r.receive(r.wan, from_gateway(ip4_icmp({.src = Router::kGatewayIp, .dst = Router::kWanIp},
                                             {.type = 11, .word1 = 0, .word2 = 0}, q)));
      r.iterate();
    }
    ASSERT_TRUE(got);
    EXPECT_EQ(got->kind, PingReply::Kind::TimeExceeded);
    EXPECT_EQ(got->from, Router::kGatewayIp);
  }
  r.run_for(12);
  EXPECT_EQ(r.drops(), Drops{});
  r.expect_conservation();
}

TEST_F(Local, CorruptReplyIsNoticed) {
  std::optional<PingReply> got;
  must(r.manager.ping({.destination = Router::kHostIp}, [&](const auto& answer) {
    if (answer) got = *answer;
  }));
  r.iterate();
  const auto sent = r.lan.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  Packet data(sent[0].begin() + 42, sent[0].end());
  data[7] ^= 1;
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint16_t>(sent[0][at] << 8 | sent[0][at + 1]);
  };
  r.receive(r.lan, from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp},
                                      {.type = 0, .word1 = word(38), .word2 = word(40)}, data)));
  r.iterate();
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->intact);
}

TEST_F(Local, DirectedBroadcastWhereTheSysctlSaysSo) {  // RFC 2644
  const Packet p = ip4_udp({.ttl = 9, .src = Router::kHostIp, .dst = ip("192.0.2.255")},
                           {.dst_port = 9}, pattern(8));
  r.receive(r.lan, from_host(p));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4DirectedBroadcast", 1}}));
  must(r.manager.set_sysctl("net.inet.ip.directed-broadcast", 1));
  r.receive(r.lan, from_host(p));
  const auto sent = r.wan.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  Packet expected = ether({.dst = core::kBroadcastMac, .src = Router::kWanMac},
                          ip4_udp({.ttl = 8, .src = Router::kHostIp, .dst = ip("192.0.2.255")},
                                  {.dst_port = 9}, pattern(8)));
  EXPECT_EQ(sent[0], expected);
  // What is a link-layer broadcast already is not spread any further.
  r.receive(r.lan, ether({.dst = core::kBroadcastMac, .src = Router::kHostMac}, p));
  EXPECT_EQ(r.drops(), (Drops{{"Ip4DirectedBroadcast", 2}}));
}
}  // namespace
