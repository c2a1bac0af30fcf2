// SPDX-License-Identifier: BSD-3-Clause
#include "core/worker.hh"

#include "core/mbuf.hh"
#include "core/observation.hh"

namespace core {
void Worker::drop(rte_mbuf* m, DropReason why) noexcept {
  drops[static_cast<std::size_t>(why)].add(1);
  if (observation != nullptr) [[unlikely]]
    observe_drop(*this, m, why);
  rte_pktmbuf_free(m);
}

void Worker::consume(rte_mbuf* m) noexcept {
  consumed.add(1);
  if (observation != nullptr) [[unlikely]]
    observe_consume(*this, m);
  rte_pktmbuf_free(m);
}

namespace {
/// For a port that sends single segments only: makes them, and ends what does not fit into one.
/// @return bytes of packets that ended.
[[gnu::cold]] std::uint64_t make_single(Worker& w, Burst& packets) noexcept {
  std::uint64_t lost = 0;
  for (rte_mbuf* m : packets.take()) {
    if (linearize(*m)) {
      packets.push(m);
    } else {
      lost += m->pkt_len;
      w.drop(m, DropReason::TxChained);
    }
  }
  return lost;
}

void send(Worker& w, const Interface& out, std::uint16_t queue, Burst& packets) noexcept {
  std::uint64_t bytes = 0, segments = 0;
  for (const rte_mbuf* m : packets.packets()) {
    bytes += m->pkt_len;
    segments += m->nb_segs;
  }
  if (segments != packets.size() && !out.tx_chained) [[unlikely]] {
    bytes -= make_single(w, packets);
    if (packets.empty()) return;
  }
  packets.give([&](rte_mbuf** slots, std::uint16_t n) {
    if (w.observation != nullptr) [[unlikely]]
      observe_transmit(w, out, queue, {slots, n});
    const std::uint16_t sent = out.tx(out.port, queue, slots, n);
    if (w.observation != nullptr) [[unlikely]]
      observe_transmitted(w, out, {slots, n}, sent);
    for (std::uint16_t i = sent; i < n; ++i) {
      bytes -= slots[i]->pkt_len;
      w.drop(slots[i], DropReason::TxQueueFull);
    }
    w.interface[out.id].tx.add(sent, bytes);
  });
}

void hand_over(Worker& w, const Interface& out, std::uint16_t owner,
               std::span<rte_mbuf* const> packets) noexcept {
  HandoffRing& ring = *w.handoff_to[owner];
  if (w.observation != nullptr) [[unlikely]]
    for (const rte_mbuf* m : packets) observe_hand_over(w, m, owner);
  for (rte_mbuf* m : packets)
    if (!ring.push({m, out.id, HandedPacket::Kind::Frame})) w.drop(m, DropReason::HandoffFull);
}

}  // namespace

void flush_tx(Worker& w, const InterfaceTable& interfaces, InterfaceId id) noexcept {
  Burst& packets = w.tx[id].packets;
  const Interface& out = interfaces[id];
  if (out.kind != Interface::Kind::Ethernet || !out.up) {
    w.drop_all(packets, DropReason::InterfaceGone);
    return;
  }
  const Interface::TxQueue q = out.tx_queues[w.index];
  if (q.owner == w.index)
    send(w, out, q.queue, packets);
  else
    hand_over(w, out, q.owner, packets.take());
}

void flush_tx(Worker& w, const InterfaceTable& interfaces) noexcept {
  for (const InterfaceId id : w.tx_pending) {
    w.tx[id].listed = false;
    if (!w.tx[id].packets.empty()) flush_tx(w, interfaces, id);
  }
  w.tx_pending.clear();
}
}  // namespace core
