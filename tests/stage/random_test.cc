// SPDX-License-Identifier: BSD-3-Clause
// Twenty thousand frames, whole and broken, from one seed; at the end every packet has ended once.
#include <random>

#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;

class RandomFrames : public testing::Test {
protected:
  RandomFrames() {
    r.configure();
    must(r.manager.add_neighbor({"lan0", Router::kHostIp, Router::kHostMac}));
    must(r.manager.add_route({{0, 0}, Kind::Unicast, Router::kGatewayIp, ""}));
    must(r.manager.add_route({{ip("172.17.0.0"), 16}, Kind::Prohibit, {}, ""}));
    must(r.manager.add_route({{ip("172.18.0.0"), 16}, Kind::Blackhole, {}, ""}));
    must(r.manager.create_tunnel({.name = "ipsec0",
                                  .local = Router::kWanIp,
                                  .remote = Router::kGatewayIp,
                                  .mtu = 0,
                                  .selectors = {}}));
    must(r.manager.add_route({{ip("10.2.0.0"), 16}, Kind::Unicast, {}, "ipsec0"}));
    crypto::SaSpec sa;
    sa.tunnel = "ipsec0";
    sa.spi = 0x1000;
    sa.direction = crypto::Direction::In;
    sa.key = std::move(*crypto::Secret::from_hex(std::string(72, 'a')));
    must(r.manager.add_sa(sa));
    sa.direction = crypto::Direction::Out;
    sa.key = std::move(*crypto::Secret::from_hex(std::string(72, 'b')));
    must(r.manager.add_sa(sa));
  }
  std::uint32_t number(std::uint32_t below) {
    return static_cast<std::uint32_t>(random_() % below);
  }
  bool one_in(std::uint32_t n) { return number(n) == 0; }
  template <class T, std::size_t N>
  const T& any_of(const T (&of)[N]) {
    return of[number(N)];
  }
  std::uint32_t address() {
    if (one_in(20)) return static_cast<std::uint32_t>(random_());
    const char* known[] = {"10.1.0.1",    "10.1.0.2",        "10.1.0.255", "192.0.2.1",
                           "192.0.2.254", "192.0.2.77",      "10.1.0.77",  "10.2.0.5",
                           "172.17.0.1",  "172.18.0.1",      "224.0.0.1",  "127.0.0.1",
                           "8.8.8.8",     "255.255.255.255", "240.1.2.3"};
    return ip(any_of(known));
  }
  Packet ip_packet() {
    Ip4 f{.id = static_cast<std::uint16_t>(number(65536)),
          .dont_fragment = one_in(2),
          .more_fragments = one_in(20),
          .ttl = one_in(8) ? static_cast<std::uint8_t>(number(3)) : std::uint8_t{64},
          .src = one_in(3) ? address() : Router::kHostIp,
          .dst = address()};
    if (one_in(20)) f.options = pattern(1 + number(30));
    const Packet body = pattern(one_in(10) ? 1400 + number(200) : number(200));
    switch (number(5)) {
      case 0: return ip4_udp(f, {}, body);
      case 1:
        return ip4_icmp(f, {.type = static_cast<std::uint8_t>(one_in(2) ? 8 : number(14))}, body);
      case 2: f.protocol = 50; return ip4(f, body);
      case 3: f.protocol = static_cast<std::uint8_t>(number(256)); return ip4(f, body);
      default: return ip4_udp(f, {}, body);
    }
  }
  Packet frame(const core::MacAddress& ours) {
    const core::MacAddress destinations[] = {
        ours, ours, ours, ours, ours, ours, core::kBroadcastMac, mac(99)};
    const core::MacAddress dst = any_of(destinations);
    Packet p;
    if (one_in(6))
      p = arp_frame({.operation = static_cast<std::uint16_t>(number(4)),
                     .sender_mac = mac(static_cast<std::uint8_t>(number(256))),
                     .sender_ip = address(),
                     .target_ip = address()});
    else
      p = ether({.dst = dst, .src = Router::kHostMac}, ip_packet());
    if (one_in(5)) {
      std::uint8_t& byte = p[number(static_cast<std::uint32_t>(p.size()))];
      byte = static_cast<std::uint8_t>(byte ^ 1u << number(8));
    }
    if (one_in(20)) p.resize(1 + number(static_cast<std::uint32_t>(p.size())));
    return p;
  }

  std::mt19937 random_{42};
  Router r;
};

TEST_F(RandomFrames, EveryPacketEndsOnce) {
  for (int n = 0; n < 20'000; ++n) {
    const bool lan = one_in(2);
    MemoryPort& port = lan ? r.lan : r.wan;
    Packet p = frame(lan ? Router::kLanMac : Router::kWanMac);
    if (one_in(50) && p.size() > 1)
      port.push_chained(p, 1 + number(static_cast<std::uint32_t>(p.size()) - 1));
    else
      port.push(std::move(p));
    if (one_in(40)) r.iterate(number(300'000));
    if (n % 1000 == 0) {
      r.iterate();
      r.iterate();
      (void)r.lan.take_sent();
      (void)r.wan.take_sent();
    }
    ASSERT_EQ(r.pool.in_use(), r.held());
  }
  r.run_for(60);
  EXPECT_EQ(r.lan.waiting() + r.wan.waiting(), 0u);
  EXPECT_EQ(r.held(), 0u);
  r.expect_conservation();
  // The frames reach far: this many reasons, and the most of them not at the door.
  EXPECT_GE(r.drops().size(), 30u);
  EXPECT_GT(r.shard().worker.stages[static_cast<std::size_t>(core::Stage::EspInput)].packets.read(),
            0u);
  EXPECT_GT(
      r.shard().worker.stages[static_cast<std::size_t>(core::Stage::EspOutput)].packets.read(),
      100u);
}
}  // namespace
