// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "apps/polluxd/pipeline.hh"

namespace polluxd {
/// The rings by which a packet changes threads: one for every ordered pair of workers, one from the
/// manager to each worker. Outlives the workers.
class Handoff {
public:
  /// Wires the shards up; the manager's ring is each worker's first. Before the workers start.
  explicit Handoff(std::span<Shard* const> shards) {
    for (Shard* to : shards) to->worker.handoff_from.clear();
    for (Shard* from : shards) from->worker.handoff_to.assign(shards.size(), nullptr);
    for (Shard* to : shards) {
      from_manager_.push_back(add(*to));
      for (Shard* from : shards)
        if (from != to) from->worker.handoff_to[to->worker.index] = add(*to);
    }
  }
  /// @pre no worker runs any more. Frees what was still under way.
  ~Handoff() {
    core::HandedPacket p;
    for (const auto& ring : rings_)
      while (ring->pop(p)) rte_pktmbuf_free(p.m);
  }
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;

  /// Manager side. @return false when the worker is behind; the packet is still the caller's.
  [[nodiscard]] bool to_worker(std::uint16_t worker, const core::HandedPacket& p) noexcept {
    return from_manager_[worker]->push(p);
  }

  /// A hint: packets may be put in at any time.
  [[nodiscard]] bool empty() const noexcept {
    return std::all_of(rings_.begin(), rings_.end(), [](const auto& r) { return r->empty(); });
  }

private:
  core::HandoffRing* add(Shard& to) {
    rings_.push_back(std::make_unique<core::HandoffRing>());
    to.worker.handoff_from.push_back(rings_.back().get());
    return rings_.back().get();
  }
  std::vector<std::unique_ptr<core::HandoffRing>> rings_;
  std::vector<core::HandoffRing*> from_manager_;
};
}  // namespace polluxd
