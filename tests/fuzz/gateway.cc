// SPDX-License-Identifier: BSD-3-Clause
#include "tests/fuzz/gateway.hh"

#include <algorithm>
#include <cstring>
#include <string>

#include "crypto/mb_engine.hh"
#include "tests/fuzz/fuzz.hh"

namespace fuzz {
namespace {
using test::ip;
constexpr const char* kKeymat =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa0a1a2a3";

polluxd::Limits small_limits() {
  polluxd::Limits l;
  l.interfaces = 8;
  l.routes = 256;
  l.route_groups = 32;
  l.routes6 = 256;
  l.route_groups6 = 2048;
  l.next_hops = 64;
  l.neighbors = 16;
  l.tunnels = 2;
  l.sas = 8;
  return l;
}

template <class T>
void must(const core::Expected<T>& done, const char* what) {
  if (!done) std::fprintf(stderr, "%s\n", done.error().context.c_str());
  require(static_cast<bool>(done), what);
}
}  // namespace

Gateway::Gateway()
    : limits{small_limits()},
      shard{0, {limits.interfaces, limits.next_hops, limits.sas}, pool.get()},
      manager{limits, {rcu, shards, {0}, pool.get(), "fuzz"}, drivers} {
  const test::Packet keymat = test::from_hex(kKeymat);
  engine_.expand(crypto::Algorithm::AesGcm256, std::span{keymat}.first(32), key_);
}

void Gateway::attach(const char* name, test::MemoryPort& port, const core::MacAddress& mac,
                     proto::Ip4Prefix address, std::uint16_t mtu) {
  polluxd::InterfaceSpec spec;
  spec.name = name;
  spec.addresses = {address};
  polluxd::OpenPort open;
  open.port.port = &port;
  open.port.rx = test::MemoryPort::rx;
  open.port.tx = test::MemoryPort::tx;
  std::copy(mac.begin(), mac.end(), open.port.mac);
  open.port.mtu = mtu;
  open.port.rx_queues = open.port.tx_queues = 1;
  // One port sends packets of several segments, the other does not.
  if (&port == &lan) open.port.capabilities = POLLUX_CAP_TX_CHAINED;
  must(manager.attach_interface(spec, "memory", std::move(open)), "an interface is attached");
}

crypto::SaSpec Gateway::sa(crypto::Direction direction) const {
  crypto::SaSpec spec;
  spec.tunnel = "ipsec0";
  spec.direction = direction;
  spec.spi = direction == crypto::Direction::In ? kInboundSpi : kOutboundSpi;
  spec.key = std::move(*crypto::Secret::from_hex(kKeymat));
  return spec;
}

void Gateway::configure() {
  using Kind = polluxd::RouteSpec::Kind;
  must(manager.set_sysctl("net.inet.ip.forwarding", 1), "forwarding is switched on");
  must(manager.set_sysctl("net.inet.ip.redirect", 1), "redirects are sent");
  attach("lan0", lan, kLanMac, {kLanIp, 24}, kLanMtu);
  attach("wan0", wan, kWanMac, {kWanIp, 24}, kWanMtu);
  must(manager.create_tunnel({.name = "ipsec0",
                              .local = kWanIp,
                              .remote = kPeerIp,
                              .mtu = 0,
                              .selectors = {{{ip("10.1.0.0"), 16}, {ip("10.2.0.0"), 16}}}}),
       "a tunnel is made");
  must(manager.add_sa(sa(crypto::Direction::In)), "an SA is added");
  must(manager.add_sa(sa(crypto::Direction::Out)), "an SA is added");
  const auto route = [&](const char* net, Kind kind, std::optional<std::uint32_t> via,
                         const char* out) {
    must(manager.add_route({{ip(net), 16}, kind, via, out}), "a route is added");
  };
  route("10.2.0.0", Kind::Unicast, {}, "ipsec0");
  route("10.3.0.0", Kind::Unicast, ip("192.0.2.254"), "");
  route("10.4.0.0", Kind::Blackhole, {}, "");
  route("10.5.0.0", Kind::Prohibit, {}, "");
  route("10.6.0.0", Kind::Unicast, ip("192.0.2.66"), "");
  must(manager.add_neighbor({"lan0", ip("10.1.0.2"), test::mac(2)}), "a neighbour is added");
  configure_ip6();
  must(manager.add_neighbor({"wan0", kPeerIp, test::mac(3)}), "a neighbour is added");
  must(manager.add_neighbor({"wan0", ip("192.0.2.254"), test::mac(4)}), "a neighbour is added");
}

void Gateway::configure_ip6() {
  const auto prefix = [](const char* text) { return proto::parse_ip_prefix(text).value(); };
  must(manager.set_sysctl("net.inet6.ip6.forwarding", 1), "forwarding is switched on");
  must(manager.set_sysctl("net.inet6.ip6.redirect", 1), "redirects are sent");
  must(manager.add_address("lan0", prefix("2001:db8:1::1/64")), "an address is added");
  must(manager.add_address("wan0", prefix("2001:db8:9::1/64")), "an address is added");
  must(manager.add_neighbor({"lan0", prefix("2001:db8:1::2").address, test::mac(2)}),
       "a neighbour is added");
  const core::IpAddress gateway = prefix("2001:db8:9::fe").address;
  must(manager.add_neighbor({"wan0", gateway, test::mac(4)}), "a neighbour is added");
  polluxd::RouteSpec route;
  route.prefix = prefix("2001:db8:a1::/48");
  route.gateway = gateway;
  must(manager.add_route(route), "a route is added");
}

void Gateway::renew_inbound_sa() {
  must(manager.delete_sa("ipsec0", crypto::Direction::In, kInboundSpi), "an SA is deleted");
  must(manager.add_sa(sa(crypto::Direction::In)), "an SA is added");
}

void Gateway::clear() {
  for (const polluxd::InterfaceInfo& i : manager.interfaces())
    must(manager.destroy_interface(i.name), "an interface is destroyed");
  for (const proto::RouteInfo& r : manager.routes())
    if (r.origin == proto::RouteOrigin::Static)
      must(manager.delete_route(r.prefix), "a route is deleted");
}

void Gateway::iterate(std::uint64_t now_us) {
  shard.worker.now_us = now_us;
  polluxd::run_once(shard, manager.published().read());
  manager.poll(now_us);
}

void Gateway::settle(std::uint64_t& now_us, int seconds) {
  const auto waits = [&] { return !shard.ip.hold.empty() || lan.waiting() + wan.waiting() > 0; };
  for (int i = 0; i < seconds || waits(); ++i) {
    require(i < 200, "no packet is held for ever");
    iterate(now_us += 1'000'000);
  }
  shard.reassembler.clear(shard.worker, core::DropReason::WorkerStopping);
  // Dynamic neighbours go: each input meets the same tables.
  for (const proto::NeighborInfo& n : manager.neighbors())
    if (n.state != proto::NeighborState::Permanent && n.state != proto::NeighborState::Idle) {
      const auto interfaces = manager.interfaces();
      const auto on = std::find_if(interfaces.begin(), interfaces.end(),
                                   [&](const auto& i) { return i.id == n.interface; });
      must(manager.delete_neighbor(on->name, n.address), "a neighbour is deleted");
    }
  polluxd::run_once(shard, manager.published().read());
  require(pool.in_use() == 0, "every mbuf comes back");
}

test::Packet Gateway::seal(std::uint32_t sequence, test::PacketBytes plaintext) {
  test::Packet esp(16);
  proto::store_be32(esp, 0, kInboundSpi);
  proto::store_be32(esp, 4, sequence);
  proto::store_be64(esp, 8, sequence);
  test::Packet text{plaintext.begin(), plaintext.end()};
  while (text.size() % 4 != 0) text.insert(text.begin(), 0);
  test::Packet icv(crypto::MbEngine::kIcvSize);
  const test::Packet keymat = test::from_hex(kKeymat);
  std::uint32_t salt;
  std::memcpy(&salt, keymat.data() + 32, sizeof salt);
  engine_.seal(crypto::Algorithm::AesGcm256, key_, {salt, crypto::load_native64(esp.data() + 8)},
               std::span{esp}.first(8), text, icv.data());
  esp.insert(esp.end(), text.begin(), text.end());
  esp.insert(esp.end(), icv.begin(), icv.end());
  return test::ip4({.protocol = 50, .src = kPeerIp, .dst = kWanIp}, esp);
}

namespace {
/// The ports only: what enters or leaves a tunnel is the same packet.
template <class F>
std::uint64_t sum_of_ports(const Gateway& g, F&& counter) {
  std::uint64_t sum = 0;
  const core::InterfaceTable& table = g.manager.published().read().interfaces;
  for (std::size_t id = 0; id < table.size(); ++id)
    if (table[id].kind == core::Interface::Kind::Ethernet)
      sum += counter(g.shard.worker.interface[id]).packets.read();
  return sum;
}
}  // namespace

std::uint64_t Gateway::begun() const {
  const auto handed =
      shard.worker.stages[static_cast<std::size_t>(core::Stage::HandoffInput)].packets.read();
  return sum_of_ports(
             *this, [](const auto& c) -> const auto& { return c.rx; }) +
         handed + shard.worker.originated.read();
}

std::uint64_t Gateway::ended() const {
  std::uint64_t n = sum_of_ports(
      *this, [](const auto& c) -> const auto& { return c.tx; });
  for (const core::Counter& c : shard.worker.drops) n += c.read();
  return n + shard.worker.consumed.read();
}

Gateway& gateway() {
  static Gateway one;
  return one;
}
}  // namespace fuzz
