// SPDX-License-Identifier: BSD-3-Clause
// Counters, read while the workers count: each is one relaxed load, a sum is of about one moment.
#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"

namespace polluxd {
Totals Manager::totals() const {
  Totals t;
  t.drops.resize(core::kDropReasons);
  t.stages.resize(core::kStages);
  for (const Shard* s : impl_->env.shards) {
    const core::Worker& w = s->worker;
    for (std::size_t r = 0; r < core::kDropReasons; ++r) t.drops[r] += w.drops[r].read();
    for (std::size_t n = 0; n < core::kStages; ++n) {
      t.stages[n].bursts += w.stages[n].bursts.read();
      t.stages[n].packets += w.stages[n].packets.read();
    }
    t.consumed += w.consumed.read();
    t.originated += w.originated.read();
    t.events_lost += w.events_lost.read();
    t.held += s->ip.hold.size();
  }
  return t;
}

std::vector<std::pair<std::string, InterfaceTotals>> Manager::interface_totals() const {
  std::vector<std::pair<std::string, InterfaceTotals>> all;
  for (const core::Interface& i : impl_->master.interfaces) {
    if (i.kind == core::Interface::Kind::None) continue;
    InterfaceTotals t;
    for (const Shard* s : impl_->env.shards) {
      const core::InterfaceCounters& c = s->worker.interface[i.id];
      t.rx.packets += c.rx.packets.read();
      t.rx.bytes += c.rx.bytes.read();
      t.tx.packets += c.tx.packets.read();
      t.tx.bytes += c.tx.bytes.read();
    }
    const Impl::ManagedInterface& m = impl_->managed[i.id];
    t.rx.packets -= m.base.rx.packets;
    t.rx.bytes -= m.base.rx.bytes;
    t.tx.packets -= m.base.tx.packets;
    t.tx.bytes -= m.base.tx.bytes;
    if (m.port.driver != nullptr)
      if (const auto device = m.port.stats()) t.device = *device;
    all.emplace_back(i.name, t);
  }
  return all;
}

std::vector<WorkerLoad> Manager::worker_load() {
  std::vector<WorkerLoad> all;
  for (std::size_t n = 0; n < impl_->env.shards.size(); ++n) {
    const core::Worker& w = impl_->env.shards[n]->worker;
    const Impl::LoadBase now{w.time.busy.read(), w.time.idle.read(), w.time.sleep.read()};
    Impl::LoadBase& base = impl_->load_base[n];
    const auto share = [](std::uint64_t a, std::uint64_t b) { return static_cast<double>(a - b); };
    WorkerLoad load{.worker = static_cast<std::uint16_t>(n),
                    .cpu = n < impl_->env.cpus.size() ? impl_->env.cpus[n] : 0,
                    .busy = share(now.busy, base.busy),
                    .idle = share(now.idle, base.idle),
                    .sleep = share(now.sleep, base.sleep)};
    const double all_time = load.busy + load.idle + load.sleep;
    if (all_time > 0) {
      load.busy /= all_time;
      load.idle /= all_time;
      load.sleep /= all_time;
    }
    base = now;
    for (const core::InterfaceCounters& i : w.interface) load.packets += i.rx.packets.read();
    all.push_back(load);
  }
  return all;
}

std::vector<UseAgainstLimit> Manager::usage() const {
  const Impl& m = *impl_;
  const auto count = [](const auto& table, auto used) {
    return static_cast<std::uint64_t>(std::count_if(table.begin(), table.end(), used));
  };
  const std::uint64_t interfaces = count(m.master.interfaces, [](const core::Interface& i) {
    return i.kind != core::Interface::Kind::None;
  });
  const std::uint64_t tunnels =
      count(m.tunnel_list, [](const Impl::ManagedTunnel& t) { return t.used; });
  std::uint64_t mbufs = 0, most = 0;
  for (const rte_mempool* pool :
       m.env.pools ? m.env.pools() : std::vector<const rte_mempool*>{m.env.pool}) {
    mbufs += rte_mempool_in_use_count(pool);
    most += pool->size;
  }
  std::uint64_t fragments = 0;
  for (const Shard* s : m.env.shards) fragments += s->reassembler.held();
  const auto fragment_limit = std::uint64_t{m.master.reassembly.fragments} * m.env.shards.size();
  std::uint64_t fullest = 0;  // of the VRFs, each of which has that limit
  for (const auto& v : m.vrfs)
    if (v != nullptr) fullest = std::max<std::uint64_t>({fullest, v->fib4.used(), v->fib6.used()});
  std::vector<UseAgainstLimit> all{{"mbufs", mbufs, most},
                                   {"fragments", fragments, fragment_limit},
                                   {"interfaces", interfaces, m.limits.interfaces},
                                   {"routes", m.fib4->used(), m.limits.routes},
                                   {"route_groups", m.fib4->groups_used(), m.limits.route_groups}};
  m.add_usage6(all);
  const UseAgainstLimit rest[] = {
      {"vrfs", count(m.vrfs, [](const auto& v) { return v != nullptr; }), m.limits.vrfs},
      {"vrf_routes", fullest, m.limits.vrf_routes},
      {"vrf_groups", m.fib_blocks.used(), m.limits.vrf_groups},
      {"next_hops", m.next_hops.used(), m.limits.next_hops},
      {"next_hop_groups", m.groups.used(), m.limits.next_hop_groups},
      {"neighbors", m.neighbors.used(), m.limits.neighbors},
      {"tunnels", tunnels, m.limits.tunnels},
      {"sas", m.sas->used(), m.limits.sas}};
  all.insert(all.end(), std::begin(rest), std::end(rest));
  return all;
}
}  // namespace polluxd
