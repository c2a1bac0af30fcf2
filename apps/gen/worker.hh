// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "apps/gen/flow.hh"
#include "apps/gen/neighbor.hh"
#include "apps/gen/source.hh"
#include "core/counter.hh"
#include "core/driver.h"
#include "core/spsc_ring.hh"

namespace gen {
/// What a worker counts of a port beside flows.
struct PortCounters {
  core::TrafficCounter rx, tx;   ///< all frames, without FCS
  core::Counter foreign, stale;  ///< frames without our signature; with that of another run
  core::Counter unknown;         ///< signature intact, of a flow that there is not
  core::Counter refused;         ///< times that the device did not take all that was offered
};

/// One port as one worker sees it.
struct WorkerPort {
  const pollux_port* port = nullptr;
  const NeighborSpeaker* speaker = nullptr;
  std::vector<std::uint16_t> rx_queues;
  bool sends = false;  ///< has a transmit queue of its own
  std::uint16_t tx_queue = 0;
  std::vector<std::unique_ptr<Source>> sources;
  std::unique_ptr<Outbox> outbox;
  PortCounters counters;
  std::size_t turn = 0;  ///< which source is asked first
};

/// What the workers of a run share.
struct RunState {
  std::uint16_t run = 0;
  Flows flows;  ///< flow f belongs to worker f % workers
  std::atomic<bool> stop{false};
  bool yields = false;  ///< an idle worker offers its core to others
};

using ArrivalRing = core::SpscRing<Arrival, 4096>;

/// Sends and receives: one thread, one queue of each port and the flows that it sends. Receiving
/// queues may bring it packets of others' flows; it hands those over.
class Worker {
public:
  Worker(std::size_t index, RunState& state, rte_mempool& pool);

  /// Until the state says stop.
  void run() noexcept;
  /// Books what others have handed over. The worker's thread; after its end, whoever ended it.
  /// @return how many packets.
  std::uint32_t drain() noexcept;
  /// All is sent. Any thread.
  [[nodiscard]] bool done_sending() const noexcept { return done_.load(std::memory_order_acquire); }
  /// When a frame of ours came last, cycles. Any thread.
  [[nodiscard]] std::uint64_t last_arrival() const noexcept { return last_arrival_.read(); }

  std::vector<std::unique_ptr<WorkerPort>> ports;
  /// By worker: what it has received of our flows; its own entry is unused.
  std::vector<std::unique_ptr<ArrivalRing>> inbox;
  std::vector<Worker*> others;  ///< by index

private:
  std::uint32_t receive(std::uint16_t port_number) noexcept;
  void take(rte_mbuf& m, std::uint16_t port_number, std::uint64_t now) noexcept;
  void deliver(const Arrival& a) noexcept;
  std::uint32_t send(WorkerPort& p) noexcept;
  void answer(rte_mbuf& m, WorkerPort& p) noexcept;
  void idle() const noexcept;

  std::size_t index_;
  RunState& state_;
  rte_mempool& pool_;
  std::atomic<bool> done_{false};
  Gauge<std::uint64_t> last_arrival_{0};
};
}  // namespace gen
