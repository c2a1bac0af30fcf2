// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/worker.hh"

#include <rte_cycles.h>
#include <rte_pause.h>
#include <sched.h>

#include <algorithm>
#include <array>

#include "apps/gen/inspect.hh"
#include "core/mbuf.hh"

namespace gen {
Worker::Worker(std::size_t index, RunState& state, rte_mempool& pool)
    : index_{index}, state_{state}, pool_{pool} {}

void Worker::run() noexcept {
  while (!state_.stop.load(std::memory_order_relaxed)) {
    std::uint32_t moved = drain();
    for (std::uint16_t i = 0; i < ports.size(); ++i) moved += receive(i);
    for (const auto& p : ports) moved += send(*p);
    const std::uint64_t now = rte_rdtsc();
    bool done = true;
    for (const auto& p : ports)
      done = done && p->outbox->empty() &&
             std::ranges::all_of(p->sources, [&](const auto& s) { return s->done(now); });
    if (done) done_.store(true, std::memory_order_release);
    if (moved == 0) idle();
  }
  for (const auto& p : ports) p->outbox->discard();
}

// On a machine with fewer cores than threads that spin, the device under test could not run.
void Worker::idle() const noexcept {
  if (state_.yields)
    sched_yield();
  else
    rte_pause();
}

std::uint32_t Worker::receive(std::uint16_t port_number) noexcept {
  constexpr std::uint16_t kBurst = 32;
  WorkerPort& p = *ports[port_number];
  std::array<rte_mbuf*, kBurst> burst;
  std::uint32_t total = 0;
  for (const std::uint16_t queue : p.rx_queues) {
    const std::uint16_t n = p.port->rx(p.port->port, queue, burst.data(), kBurst);
    if (n == 0) continue;
    const std::uint64_t now = rte_rdtsc();
    for (std::uint16_t i = 0; i < n; ++i) core::prefetch_front(*burst[i]);
    for (std::uint16_t i = 0; i < n; ++i) take(*burst[i], port_number, now);
    rte_pktmbuf_free_bulk(burst.data(), n);
    total += n;
  }
  return total;
}

void Worker::take(rte_mbuf& m, std::uint16_t port_number, std::uint64_t now) noexcept {
  WorkerPort& p = *ports[port_number];
  p.counters.rx.add(1, m.pkt_len);
  const Inspection found = inspect(m, state_.run);
  switch (found.kind) {
    case FrameKind::Control: answer(m, p); [[fallthrough]];
    case FrameKind::Foreign: return p.counters.foreign.add(1);
    case FrameKind::Stale: return p.counters.stale.add(1);
    case FrameKind::Corrupt:
    case FrameKind::Ours: break;
  }
  if (found.signature.flow >= state_.flows.size()) return p.counters.unknown.add(1);
  last_arrival_.set(now);
  deliver({.flow = found.signature.flow,
           .port = port_number,
           .corrupt = found.kind == FrameKind::Corrupt,
           .sequence = found.signature.sequence,
           .bytes = m.pkt_len,
           .sent_at = found.signature.time,
           .received_at = now});
}

void Worker::deliver(const Arrival& a) noexcept {
  const std::size_t owner = a.flow % others.size();
  if (owner == index_) return state_.flows[a.flow]->note_arrival(a);
  // Full: its owner is behind. Meanwhile this one must not be the reason that another waits.
  while (!others[owner]->inbox[index_]->push(a)) {
    if (drain() == 0) rte_pause();
    if (state_.stop.load(std::memory_order_relaxed)) return;
  }
}

std::uint32_t Worker::drain() noexcept {
  std::uint32_t n = 0;
  for (std::size_t from = 0; from < inbox.size(); ++from) {
    if (from == index_) continue;
    for (Arrival a; inbox[from]->pop(a); ++n) state_.flows[a.flow]->note_arrival(a);
  }
  return n;
}

std::uint32_t Worker::send(WorkerPort& p) noexcept {
  if (p.sources.empty()) return 0;
  const std::uint64_t now = rte_rdtsc();
  Outbox& out = *p.outbox;
  if (!out.empty()) {
    out.restamp(now);
  } else {
    const auto most =
        static_cast<std::uint16_t>(std::max<std::size_t>(Outbox::kRoom / p.sources.size(), 1));
    for (std::size_t i = 0; i < p.sources.size() && out.room() > 0; ++i)
      p.sources[(p.turn + i) % p.sources.size()]->fill(now, most, out);
    ++p.turn;
  }
  if (out.empty()) return 0;
  std::uint64_t bytes = 0;
  const std::uint16_t sent = out.send(now, [&](rte_mbuf** packets, std::uint16_t n) {
    for (std::uint16_t i = 0; i < n; ++i) bytes += packets[i]->pkt_len;
    const std::uint16_t taken = p.port->tx(p.port->port, p.tx_queue, packets, n);
    for (std::uint16_t i = taken; i < n; ++i) bytes -= packets[i]->pkt_len;
    return taken;
  });
  p.counters.tx.add(sent, bytes);
  if (!out.empty()) p.counters.refused.add(1);
  return sent;
}

void Worker::answer(rte_mbuf& m, WorkerPort& p) noexcept {
  if (!p.sends) return;
  std::array<std::uint8_t, NeighborSpeaker::kMaxFrame> reply;
  const std::size_t length = p.speaker->answer(core::front_bytes(m), reply);
  if (length == 0) return;
  rte_mbuf* r = rte_pktmbuf_alloc(&pool_);
  if (r == nullptr) return;
  core::grow_back(*r, static_cast<std::uint16_t>(length));
  proto::copy(proto::Bytes{reply}.first(length), core::front_bytes_mut(*r));
  if (p.port->tx(p.port->port, p.tx_queue, &r, 1) == 1)
    p.counters.tx.add(1, length);
  else
    rte_pktmbuf_free(r);
}
}  // namespace gen
