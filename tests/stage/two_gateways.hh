// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fmt/format.h>

#include "tests/stage/router.hh"

namespace test {
/// One gateway of the pair:  host (lan .2) --- lan0 [router] wan0 --- the other's wan0.
struct Side {
  Router r;
  std::uint32_t lan_ip, host_ip, wan_ip;
  core::MacAddress wan_mac;

  Side(const char* lan, const char* wan, std::uint8_t n)
      : lan_ip{ip(lan)}, host_ip{lan_ip + 1}, wan_ip{ip(wan)}, wan_mac{mac(n)} {
    must(r.manager.set_sysctl("net.inet.ip.forwarding", 1));
    polluxd::InterfaceSpec spec;
    spec.name = "lan0";
    spec.addresses = {{lan_ip, 24}};
    must(r.attach(r.lan, spec, Router::kLanMac));
    spec.name = "wan0";
    spec.addresses = {{wan_ip, 24}};
    must(r.attach(r.wan, spec, wan_mac));
    must(r.manager.add_neighbor({"lan0", host_ip, Router::kHostMac}));
  }
  void connect(const Side& other, std::vector<crypto::Selector> selectors) {
    must(r.manager.create_tunnel({.name = "ipsec0",
                                  .local = wan_ip,
                                  .remote = other.wan_ip,
                                  .mtu = 0,
                                  .selectors = std::move(selectors)}));
    must(r.manager.add_route({proto::Ip4Prefix{other.lan_ip, 16}.network(),
                              polluxd::RouteSpec::Kind::Unicast,
                              {},
                              "ipsec0"}));
  }
  void add_sa(crypto::Direction direction, std::uint32_t spi) {
    crypto::SaSpec spec;
    spec.tunnel = "ipsec0";
    spec.direction = direction;
    spec.spi = spi;
    spec.key = std::move(*crypto::Secret::from_hex(fmt::format("{:0>64x}{:08x}", spi, spi)));
    must(r.manager.add_sa(spec));
  }
};

///     10.1.0.0/24 --- [left] 192.0.2.1 ======== 192.0.2.2 [right] --- 10.2.0.0/24
///     SPI 0x1001 from left to right, 0x2001 back; selectors 10.1/16 <-> 10.2/16
class TwoGateways : public testing::Test {
protected:
  TwoGateways() {
    left.connect(right, {{{ip("10.1.0.0"), 16}, {ip("10.2.0.0"), 16}}});
    right.connect(left, {{{ip("10.2.0.0"), 16}, {ip("10.1.0.0"), 16}}});
    left.add_sa(crypto::Direction::Out, 0x1001);
    right.add_sa(crypto::Direction::In, 0x1001);
    right.add_sa(crypto::Direction::Out, 0x2001);
    left.add_sa(crypto::Direction::In, 0x2001);
    for (int i = 0; i < 30; ++i) {
      carry();
      for (Side* s : {&left, &right}) s->r.iterate(100'000);
    }
    for (Side* s : {&left, &right}) (void)s->r.lan.take_sent();
  }
  ~TwoGateways() override {
    left.r.expect_conservation();
    right.r.expect_conservation();
  }

  /// What a wire does to a frame that passes it.
  using Change = void (*)(Packet&);
  /// What each side has sent on the wire between them arrives at the other.
  void carry(Change change = [](Packet&) {}) {
    for (Packet& p : left.r.wan.take_sent()) {
      change(p);
      wire.push_back(p);
      right.r.wan.push(std::move(p));
    }
    for (Packet& p : right.r.wan.take_sent()) {
      change(p);
      wire.push_back(p);
      left.r.wan.push(std::move(p));
    }
  }
  /// The host on `from`'s side sends; everything goes on until nothing moves.
  void send(
      Side& from, const Packet& packet, Change change = [](Packet&) {}) {
    from.r.lan.push(from_host(packet));
    for (int i = 0; i < 8; ++i) {
      left.r.iterate();
      right.r.iterate();
      carry(change);
    }
  }
  [[nodiscard]] Ip4 left_to_right() const { return {.src = left.host_ip, .dst = right.host_ip}; }
  /// The gateways learn each other's addresses.
  void meet() {
    send(left, ip4_udp(left_to_right(), {}, {}));
    (void)right.r.lan.take_sent();
    (void)esp_frames();
  }
  /// ESP frames on the wire since the last call.
  Packets esp_frames() {
    Packets esp;
    for (Packet& p : wire)
      if (p.size() > 24 && p[12] == 0x08 && p[13] == 0x00 && p[23] == 50)
        esp.push_back(std::move(p));
    wire.clear();
    return esp;
  }

  Side left{"10.1.0.1", "192.0.2.1", 0x21}, right{"10.2.0.1", "192.0.2.2", 0x22};
  Packets wire;
};
}  // namespace test
