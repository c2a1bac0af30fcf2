// SPDX-License-Identifier: BSD-3-Clause
#include "tests/stage/router.hh"

#include <fmt/format.h>

#include <algorithm>

namespace test {
namespace {
/// Tables of one process need names of their own.
std::string next_fib_name() {
  static unsigned n = 0;
  return fmt::format("router{}", n++);
}
}  // namespace

polluxd::Limits Router::small_limits() {
  polluxd::Limits l;
  l.interfaces = 8;
  l.routes = 256;
  l.route_groups = 64;
  l.next_hops = 64;
  l.neighbors = 32;
  l.tunnels = 4;
  l.sas = 16;
  return l;
}

Router::Router(Options options)
    : lan{pool, {.queues = options.workers}},
      wan{pool, {.queues = options.workers}},
      rcu{options.workers},
      limits{options.limits},
      shards_{[&] {
        std::vector<std::unique_ptr<polluxd::Shard>> made;
        const polluxd::Shard::Limits sizes{limits.interfaces, limits.next_hops, limits.sas};
        for (std::uint16_t n = 0; n < options.workers; ++n)
          made.push_back(std::make_unique<polluxd::Shard>(n, sizes, pool.get()));
        for (const auto& s : made) s->ip.ip_id = 0;  // not at random: tests compare packets
        return made;
      }()},
      shard_list_{[&] {
        std::vector<polluxd::Shard*> all;
        for (const auto& s : shards_) all.push_back(s.get());
        return all;
      }()},
      manager_{std::make_unique<polluxd::Manager>(
          limits, polluxd::Manager::Env{rcu, shard_list_, {}, pool.get(), next_fib_name()},
          drivers_)},
      manager{*manager_} {}

Router::~Router() {
  manager_.reset();
  for (const auto& s : shards_) {
    s->reassembler.clear(s->worker, core::DropReason::WorkerStopping);
    for (; !s->loop.empty(); s->loop.pop()) rte_pktmbuf_free(s->loop.front().m);
    s->ip.hold.review([](const proto::HeldPacket& p) {
      rte_pktmbuf_free(p.m);
      return true;
    });
  }
  EXPECT_EQ(pool.in_use(), 0u) << "an mbuf leaked";
}

core::Expected<std::string> Router::attach(MemoryPort& port, const polluxd::InterfaceSpec& spec,
                                           const core::MacAddress& address, std::uint16_t queues,
                                           std::uint16_t mtu) {
  polluxd::OpenPort open;
  open.port.port = &port;
  open.port.rx = MemoryPort::rx;
  open.port.tx = MemoryPort::tx;
  std::copy(address.begin(), address.end(), open.port.mac);
  open.port.mtu = mtu;
  open.port.rx_queues = open.port.tx_queues = queues;
  open.port.capabilities = capabilities;
  return manager.attach_interface(spec, "memory", std::move(open));
}

void Router::configure(std::uint16_t lan_queues, std::uint16_t wan_queues) {
  must(manager.set_sysctl("net.inet.ip.forwarding", 1));
  polluxd::InterfaceSpec spec;
  spec.name = "lan0";
  spec.addresses = {{kLanIp, 24}};
  must(attach(lan, spec, kLanMac, lan_queues));
  spec.name = "wan0";
  spec.addresses = {{kWanIp, 24}};
  must(attach(wan, spec, kWanMac, wan_queues));
  run_for(3);
  for (MemoryPort* port : {&lan, &wan})
    for (std::size_t q = 0; q < shards_.size(); ++q)
      (void)port->take_sent(static_cast<std::uint16_t>(q));
}

void Router::know_neighbors() {
  must(manager.add_neighbor({"lan0", kHostIp, kHostMac}));
  must(manager.add_neighbor({"wan0", kGatewayIp, kGatewayMac}));
}

void Router::run_workers() {
  for (const auto& s : shards_) {
    s->worker.now_us = now_us;
    polluxd::run_once(*s, manager.published().read());
  }
}

void Router::iterate(std::uint64_t us) {
  now_us += us;
  run_workers();
  manager.poll(now_us);
  run_workers();
}

void Router::run_for(int seconds) {
  for (int i = 0; i < 10 * seconds; ++i) iterate(100'000);
}

void Router::receive(MemoryPort& port, std::vector<Packet> frames) {
  for (Packet& f : frames) port.push(std::move(f));
  while (port.waiting() != 0) iterate();
}

Drops Router::drops() const {
  Drops all;
  for (const auto& s : shards_)
    for (const auto& [name, n] : drops_of(s->worker)) all[name] += n;
  return all;
}

std::uint64_t Router::held() const {
  std::uint64_t n = 0;
  for (const auto& s : shards_) n += s->ip.hold.size() + s->reassembler.held();
  return n;
}

void Router::expect_conservation(std::uint64_t handed_over) const {
  std::uint64_t begun = 0, ended = sum_of(drops()) + held() + handed_over;
  const core::InterfaceTable& interfaces = manager.published().read().interfaces;
  for (const auto& s : shards_) {
    const core::Worker& w = s->worker;
    begun += w.originated.read();
    begun += w.stages[static_cast<std::size_t>(core::Stage::HandoffInput)].packets.read();
    ended += w.consumed.read();
    // The ports only: what enters or leaves a tunnel is the same packet.
    for (std::size_t id = 0; id < interfaces.size(); ++id) {
      if (interfaces[id].kind == core::Interface::Kind::Tunnel) continue;
      begun += w.interface[id].rx.packets.read();
      ended += w.interface[id].tx.packets.read();
    }
  }
  EXPECT_EQ(begun, ended);
  EXPECT_EQ(pool.in_use(), held());
}

std::optional<proto::NeighborState> Router::neighbor(std::uint32_t address) const {
  for (const proto::NeighborInfo& n : manager.neighbors())
    if (n.address == address) return n.state;
  return std::nullopt;
}
}  // namespace test
