// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "core/burst.hh"
#include "core/counter.hh"
#include "core/drop_reason.hh"
#include "core/event.hh"
#include "core/interface.hh"
#include "core/stage.hh"

namespace core {
struct Observation;  // observation.hh

/// A packet on its way to the thread that may go on with it.
struct HandedPacket {
  enum class Kind : std::uint8_t {
    Frame,  ///< a finished Ethernet frame for `interface`
    Ip4,    ///< an IPv4 packet of our own, still to be routed
    Ip6,    ///< an IPv6 packet of our own, still to be routed; `interface` is the link of its scope
    Received,  ///< a frame as it arrived on `interface`, of a flow of the other worker
  };
  rte_mbuf* m = nullptr;
  InterfaceId interface = kNoInterface;
  Kind kind = Kind::Frame;
  std::uint16_t vrf = 0;  ///< Ip4, Ip6: whose routes it follows
};
using HandoffRing = SpscRing<HandedPacket, 512>;

struct InterfaceCounters {
  TrafficCounter rx, tx;
};

struct StageCounters {
  Counter bursts, packets;
};

/// Packets collected for one interface until the end of the iteration.
struct TxBuffer {
  Burst packets;
  bool listed = false;  ///< is on Worker::tx_pending
};

/// How a worker's time is spent, in TSC cycles.
struct TimeCounters {
  Counter busy;   ///< iterations that moved packets
  Counter idle;   ///< iterations that found nothing
  Counter sleep;  ///< asleep
};

struct Worker;
/// The packets are about to go through a stage, and somebody watches. Worker side.
void observe_stage(Worker& w, Stage s, std::span<rte_mbuf* const> packets) noexcept;
/// The packet is about to end, and somebody watches. Worker side.
void observe_drop(Worker& w, rte_mbuf* m, DropReason why) noexcept;

/// What every stage of one worker shares and no other thread writes. First argument of every stage.
struct alignas(RTE_CACHE_LINE_SIZE) Worker {
  /// @param interfaces  size of the interface table, for the counter arrays.
  /// @param pool        for packets of our own; may be null in tests that make none.
  Worker(std::uint16_t worker_index, std::size_t interfaces, rte_mempool* packet_pool)
      : index{worker_index}, pool{packet_pool}, interface(interfaces), tx(interfaces) {
    tx_pending.reserve(interfaces);
  }

  std::uint64_t now_us = 0;  ///< read once per iteration; stages never ask a clock
  std::uint16_t index;
  rte_mempool* pool;
  const Observation* observation = nullptr;  ///< who watches packets; null: nobody, the usual case

  std::array<StageCounters, kStages> stages{};
  std::array<Counter, kDropReasons> drops{};
  Counter consumed;     ///< delivered to ourselves: ARP, echo replies, keepalives
  Counter originated;   ///< made by this worker: ICMP errors
  Counter events_lost;  ///< the manager was too slow to take an event
  TimeCounters time;
  std::vector<InterfaceCounters> interface;  ///< by InterfaceId

  EventRing events;                        ///< to the manager
  std::vector<HandoffRing*> handoff_to;    ///< by worker index; null for ourselves
  std::vector<HandoffRing*> handoff_from;  ///< every other worker's and the manager's

  std::vector<TxBuffer> tx;             ///< by InterfaceId
  std::vector<InterfaceId> tx_pending;  ///< interfaces whose buffer is not empty

  /// First thing that a stage does with a burst.
  void enter(Stage s, std::span<rte_mbuf* const> packets) noexcept {
    StageCounters& c = stages[static_cast<std::size_t>(s)];
    c.bursts.add(1);
    c.packets.add(packets.size());
    if (observation != nullptr) [[unlikely]]
      observe_stage(*this, s, packets);
  }
  /// Ends a packet that must not go on. With consume(), the only place that frees a received mbuf.
  /// Out of line: it is the rare way, and rte_pktmbuf_free() is large.
  void drop(rte_mbuf* m, DropReason why) noexcept;
  void drop_all(Burst& b, DropReason why) noexcept {
    for (rte_mbuf* m : b.take()) drop(m, why);
  }
  /// Ends a packet that has done what it was sent for.
  void consume(rte_mbuf* m) noexcept;
  void post(const Event& e) noexcept {
    if (!events.push(e)) events_lost.add(1);
  }
};

/// Sends or hands over what is queued for `id`.
/// Drops: InterfaceGone, TxQueueFull, TxChained, HandoffFull.
void flush_tx(Worker& w, const InterfaceTable& interfaces, InterfaceId id) noexcept;

/// Sends all that transmit() has queued; at the end of every iteration, before the quiescent
/// report, so that nothing for a departing port is held across it.
void flush_tx(Worker& w, const InterfaceTable& interfaces) noexcept;

/// Queues finished Ethernet frames for `id`; sends whenever 64 are together. Ends the packets.
/// @pre id < interfaces.size(). Drops: as flush_tx().
inline void transmit(Worker& w, const InterfaceTable& interfaces, InterfaceId id,
                     std::span<rte_mbuf* const> frames) noexcept {
  TxBuffer& buffer = w.tx[id];
  if (!buffer.listed) {
    buffer.listed = true;
    w.tx_pending.push_back(id);  // never allocates: reserved for every interface
  }
  while (!frames.empty()) {
    const std::size_t n = std::min(frames.size(), buffer.packets.room());
    buffer.packets.push(frames.first(n));
    frames = frames.subspan(n);
    if (buffer.packets.room() == 0) flush_tx(w, interfaces, id);
  }
}
/// The same for one frame.
inline void transmit(Worker& w, const InterfaceTable& interfaces, InterfaceId id,
                     rte_mbuf* m) noexcept {
  transmit(w, interfaces, id, std::span<rte_mbuf* const>{&m, 1});
}
}  // namespace core
