// SPDX-License-Identifier: BSD-3-Clause
#include "perf/bench_stack.hh"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <cstring>
#include <stdexcept>

#include "core/mbuf.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6.hh"

namespace perf {
namespace {
template <class T>
T must(core::Expected<T> done) {
  if (!done) throw std::runtime_error{done.error().context};
  return *std::move(done);
}

polluxd::Limits limits() {
  polluxd::Limits l;
  l.interfaces = 8;
  l.routes = 1 << 17;
  l.next_hops = 1024;
  l.routes6 = 1 << 13;
  l.route_groups6 = 1 << 14;
  return l;
}

/// The same frame over and over but for its destination; the checksum follows by RFC 1624.
class Frames {
public:
  explicit Frames(const Traffic& t) : traffic_{t}, frame_(t.frame_len, 0) {
    proto::emit(proto::EtherFields{kOurMac, kPeerMac, proto::kEtherTypeIp4}, frame_);
    const proto::MutBytes packet = proto::MutBytes{frame_}.subspan(kAt);
    proto::emit(
        proto::Ip4Fields{.ttl = 64, .protocol = proto::kProtocolUdp, .src = 0x0a010002, .dst = 0},
        packet);
    checksum_ = proto::load_be16(packet, 10);
  }
  void operator()(rte_mbuf** packets, std::uint16_t n) noexcept {
    for (std::uint16_t i = 0; i < n; ++i) {
      rte_mbuf* m = packets[i];
      core::grow_back(*m, traffic_.frame_len);
      const proto::MutBytes bytes = core::front_bytes_mut(*m);
      std::memcpy(bytes.data(), frame_.data(), frame_.size());
      random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::uint32_t which =
          static_cast<std::uint32_t>(random_ >> 33) & (traffic_.destinations - 1);
      const std::uint32_t dst = traffic_.dst + (which << 8) + 1;
      std::uint16_t sum = checksum_;
      sum = proto::update_checksum(sum, 0, static_cast<std::uint16_t>(dst >> 16));
      sum = proto::update_checksum(sum, 0, static_cast<std::uint16_t>(dst));
      proto::store_be32(bytes, kAt + 16, dst);
      proto::store_be16(bytes, kAt + 10, sum);
    }
  }

private:
  static constexpr std::size_t kAt = proto::EtherView::kHeaderLen;
  Traffic traffic_;
  std::vector<std::uint8_t> frame_;
  std::uint16_t checksum_ = 0;
  std::uint64_t random_ = 88172645463325252ULL;
};

/// The number of a destination is in the bytes behind the first two: each has a /48.
core::IpAddress destination6(const Traffic& t, std::uint32_t which) noexcept {
  core::IpAddress a;
  proto::store_be32(a.bytes(), 0, t.dst);
  proto::store_be16(a.bytes(), 4, static_cast<std::uint16_t>(which));
  a.bytes()[15] = 1;
  return a;
}

/// The same over IPv6.
class Frames6 {
public:
  explicit Frames6(const Traffic& t) : traffic_{t}, frame_(t.frame_len, 0) {
    proto::emit(proto::EtherFields{kOurMac, kPeerMac, proto::kEtherTypeIp6}, frame_);
    proto::emit(
        proto::Ip6Fields{.next_header = proto::kProtocolUdp, .src = ip6_of(1, 2), .dst = {}},
        proto::MutBytes{frame_}.subspan(kAt));
  }
  void operator()(rte_mbuf** packets, std::uint16_t n) noexcept {
    for (std::uint16_t i = 0; i < n; ++i) {
      rte_mbuf* m = packets[i];
      core::grow_back(*m, traffic_.frame_len);
      const proto::MutBytes bytes = core::front_bytes_mut(*m);
      std::memcpy(bytes.data(), frame_.data(), frame_.size());
      random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::uint32_t which =
          static_cast<std::uint32_t>(random_ >> 33) & (traffic_.destinations - 1);
      proto::store_ip6(bytes, kAt + proto::Ip6View::kDestinationAt, destination6(traffic_, which));
    }
  }

private:
  static constexpr std::size_t kAt = proto::EtherView::kHeaderLen;
  Traffic traffic_;
  std::vector<std::uint8_t> frame_;
  std::uint64_t random_ = 88172645463325252ULL;
};

/// Sealed frames, each with a new sequence number: the peer's stack makes them, at the device's
/// cost.
class SealedFrames {
public:
  SealedFrames(Stack& peer, const Traffic& inner) : peer_{&peer}, inner_{inner} {}
  void operator()(rte_mbuf** packets, std::uint16_t n) noexcept {
    inner_(packets, n);
    core::NotedBurst<std::uint16_t> in;
    core::Burst sealed;
    for (std::uint16_t i = 0; i < n; ++i) {
      core::strip_front(*packets[i], proto::EtherView::kHeaderLen);
      in.push(packets[i], 0);
    }
    crypto::esp_output(peer_->shard().worker, peer_->shard().esp, peer_->config().ipsec, in,
                       sealed);
    for (rte_mbuf* m : sealed.take()) {
      core::grow_front(*m, proto::EtherView::kHeaderLen);
      proto::emit(proto::EtherFields{kOurMac, kPeerMac, proto::kEtherTypeIp4},
                  core::front_bytes_mut(*m));
    }
  }

private:
  Stack* peer_;
  Frames inner_;
};

unsigned next_fib = 0;  // NOLINT: names must differ within the process
}  // namespace

BenchPort::Fill udp_frames(const Traffic& t) {
  if (t.ip6) return Frames6{t};
  return Frames{t};
}

// One level deep: a stack that seals has no peer.
// NOLINTNEXTLINE(misc-no-recursion)
Stack::Stack(rte_mempool* pool, const Options& o) {
  const polluxd::Limits l = limits();
  shard_ = std::make_unique<polluxd::Shard>(
      std::uint16_t{0}, polluxd::Shard::Limits{l.interfaces, l.next_hops, l.sas}, pool);
  polluxd::Shard* const shards[] = {shard_.get()};
  manager_ = std::make_unique<polluxd::Manager>(
      l,
      polluxd::Manager::Env{.rcu = rcu_,
                            .shards = shards,
                            .cpus = {0},
                            .pool = pool,
                            .fib_name = fmt::format("bench{}", next_fib++)},
      drivers_);
  must(manager_->set_sysctl("net.inet.ip.forwarding", 1));
  must(manager_->set_sysctl("net.inet6.ip6.forwarding", 1));

  BenchPort::Fill fill = udp_frames(o.traffic);
  if (o.tunnel == Options::Tunnel::In) {
    Options sealing = o;
    sealing.tunnel = Options::Tunnel::Seal;
    sealing.depth = 0;
    peer_ = std::make_unique<Stack>(pool, sealing);
    fill = SealedFrames{*peer_, o.traffic};
  }
  lan_ = std::make_unique<BenchPort>(pool, std::move(fill), o.depth);
  wan_ = std::make_unique<BenchPort>(pool, [](rte_mbuf**, std::uint16_t) {});
  const auto attach = [&](const char* name, BenchPort& port, std::uint32_t address,
                          const core::IpAddress& address6) {
    polluxd::InterfaceSpec spec;
    spec.name = name;
    spec.addresses = {{address, 24}};
    if (o.traffic.ip6) spec.addresses.emplace_back(address6, std::uint8_t{64});
    must(manager_->attach_interface(spec, "bench",
                                    {.driver = nullptr, .port = port.as_port(kOurMac)}));
  };
  attach("lan", *lan_, kLanIp, kLanIp6);
  attach("wan", *wan_, kWanIp, kWanIp6);
  if (o.watch == Options::Watch::Nowhere) {
    other_ = std::make_unique<BenchPort>(pool, [](rte_mbuf**, std::uint16_t) {});
    attach("other", *other_, kLanIp + 0x20000, ip6_of(3, 1));
  }
  must(manager_->add_neighbor({"wan", kWanPeer, kPeerMac}));
  switch (o.tunnel) {
    case Options::Tunnel::None: make_routes(o.traffic); break;
    case Options::Tunnel::Out:
      make_tunnel(o.algorithm, kWanIp, kWanPeer);
      route_into_tunnel(o.traffic);
      break;
    case Options::Tunnel::In:
      make_tunnel(o.algorithm, kWanIp, kWanPeer);
      make_routes(o.traffic);
      break;
    case Options::Tunnel::Seal: make_tunnel(o.algorithm, kWanPeer, kWanIp); break;
  }
  watch(o.watch);
  lan_->receiving(true);
}

void Stack::watch(Options::Watch what) {
  using Watch = Options::Watch;
  if (what == Watch::Trace)
    must(manager_->start_trace({.count = 10, .filter = "tcp port 9"},
                               {.packet = [](auto) {}, .end = [](auto) {}}));
  if (what == Watch::Nowhere || what == Watch::Lan)
    must(manager_->start_capture(
        {.interfaces = {what == Watch::Lan ? "lan" : "other"}},
        {.begin = [] {}, .packet = [](const auto&) { return true; }, .end = [](auto) {}}));
  drains_ = what == Watch::Lan;
}

Stack::~Stack() {
  lan_->receiving(false);
  manager_->shutdown();
}

void Stack::make_routes6(const Traffic& t) {
  must(manager_->add_neighbor({"wan", kWanPeer6, kPeerMac}));
  polluxd::RouteSpec route;
  route.gateway = kWanPeer6;
  for (std::uint32_t i = 0; i < t.destinations; ++i) {
    route.prefix = proto::IpPrefix{destination6(t, i), 48}.network();
    must(manager_->add_route(route));
  }
}

void Stack::make_routes(const Traffic& t) {
  if (t.ip6) return make_routes6(t);
  polluxd::RouteSpec route;
  route.gateway = kWanPeer;
  for (std::uint32_t i = 0; i < t.destinations; ++i) {
    route.prefix = {t.dst + (i << 8), 24};
    must(manager_->add_route(route));
  }
}

void Stack::route_into_tunnel(const Traffic& t) {
  polluxd::RouteSpec route;
  route.prefix = {t.dst, 8};
  route.interface = "ipsec0";
  must(manager_->add_route(route));
}

void Stack::make_tunnel(crypto::Algorithm a, std::uint32_t local, std::uint32_t remote) {
  crypto::TunnelSpec tunnel;
  tunnel.name = "ipsec0";
  tunnel.local = local;
  tunnel.remote = remote;
  must(manager_->create_tunnel(tunnel));
  const std::string key(crypto::keymat_size(a) * 2, '7');
  for (const auto direction : {crypto::Direction::In, crypto::Direction::Out}) {
    crypto::SaSpec sa;
    sa.tunnel = tunnel.name;
    sa.direction = direction;
    sa.spi = 0x1000;
    sa.algorithm = a;
    sa.key = must(crypto::Secret::from_hex(key));
    must(manager_->add_sa(sa));
  }
}

void Stack::run_once() noexcept {
  shard_->worker.now_us = clock_.us(rte_rdtsc());
  (void)polluxd::run_once(*shard_, manager_->published().read());
  constexpr std::uint64_t kDrainEvery = 64;  // well before the ring is full
  if (!drains_ || ++iterations_ % kDrainEvery != 0) return;
  const std::uint64_t then = rte_rdtsc();
  manager_->poll(shard_->worker.now_us);
  manager_cycles_ += rte_rdtsc() - then;
}
}  // namespace perf
