// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>

#include "apps/polluxd/pipeline.hh"
#include "core/clock.hh"
#include "core/published.hh"

namespace polluxd {
/// What a worker runs with, shared by all of them.
struct WorkerEnv {
  const core::Published<StackConfig>& published;
  core::Rcu& rcu;
  const core::Clock& clock;
  const std::atomic<bool>& stop;
  std::uint32_t idle_sleep_us = 500;  ///< longest sleep when idle; 0: never sleeps
};

/// One iteration: held packets, every receive queue once, what others handed over, transmit.
/// @return packets taken in.
std::uint32_t run_once(Shard& s, const StackConfig& config) noexcept;

/// A worker's whole life: poll, run to completion, report quiescent; when idle pause, then sleep in
/// growing steps. Ends when `stop` is set, with nothing held. Never blocks on a lock, never throws.
void run_worker(Shard& s, const WorkerEnv& env) noexcept;
}  // namespace polluxd
