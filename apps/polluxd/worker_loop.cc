// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/worker_loop.hh"

#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

#include "core/observation.hh"
#include "proto/rss.hh"

namespace polluxd {
namespace {
using core::Burst;

std::uint32_t poll(Shard& s, const StackConfig& config, core::RxQueue q) noexcept {
  const core::Interface& in = config.interfaces[q.interface];
  Burst rx;
  rx.fill(
      [&](rte_mbuf** slots, std::uint16_t room) { return in.rx(in.port, q.queue, slots, room); });
  if (rx.empty()) return 0;
  const std::uint32_t n = rx.size();
  if (s.worker.observation != nullptr) [[unlikely]]
    core::observe_receive(s.worker, in, rx.packets());
  if (in.spread) proto::rss(s.worker, in, rx);
  if (!rx.empty()) input_path(s, config, in, rx);
  return n;
}

/// How an idle worker gives the core back: it spins while traffic may be about to go on, then
/// sleeps, each time longer, up to the limit. Offline in RCU while it sleeps, so that a grace
/// period does not wait for it.
class Backoff {
public:
  Backoff(core::Rcu& rcu, unsigned reader, std::uint32_t longest_us) noexcept
      : rcu_{rcu}, reader_{reader}, longest_us_{longest_us} {}

  void reset() noexcept {
    empty_polls_ = 0;
    sleep_us_ = kShortest_us;
  }
  /// @return true if it slept.
  bool idle() noexcept {
    if (++empty_polls_ < kSpins || longest_us_ == 0) {
      rte_pause();
      return false;
    }
    rcu_.offline(reader_);
    const timespec nap{.tv_sec = 0, .tv_nsec = static_cast<long>(sleep_us_) * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
    rcu_.online(reader_);
    sleep_us_ = std::min(sleep_us_ * 2, longest_us_);
    return true;
  }

private:
  static constexpr std::uint32_t kSpins = 256;  // some 20 us of empty polls
  static constexpr std::uint32_t kShortest_us = 10;
  core::Rcu& rcu_;
  unsigned reader_;
  std::uint32_t longest_us_;
  std::uint32_t empty_polls_ = 0;
  std::uint32_t sleep_us_ = kShortest_us;
};

/// Lets go of all that is held, sends all that is queued.
void drain(Shard& s, const StackConfig& config) noexcept {
  s.worker.observation = config.observation.get();
  while (handoff_path(s, config) != 0) {}
  s.ip.hold.review([&](const proto::HeldPacket& p) {
    s.worker.drop(p.m, core::DropReason::WorkerStopping);
    return true;
  });
  for (; !s.loop.empty(); s.loop.pop())
    s.worker.drop(s.loop.front().m, core::DropReason::WorkerStopping);
  s.reassembler.clear(s.worker, core::DropReason::WorkerStopping);
  core::flush_tx(s.worker, config.interfaces);
}
}  // namespace

std::uint32_t run_once(Shard& s, const StackConfig& config) noexcept {
  s.worker.observation = config.observation.get();
  held_path(s, config);  // first: what waited leaves before what comes after it
  reassembly_path(s, config);
  std::uint32_t moved = 0;
  for (const core::RxQueue q : config.rx_queues[s.worker.index]) moved += poll(s, config, q);
  moved += handoff_path(s, config);
  moved += loop_path(s, config);
  core::flush_tx(s.worker, config.interfaces);
  return moved;
}

void run_worker(Shard& s, const WorkerEnv& env) noexcept {
  const unsigned reader = s.worker.index;
  // The kernel may round a sleep up by 50 us by default; a sleep here is as short as 10.
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  env.rcu.enter(reader);
  Backoff backoff{env.rcu, reader, env.idle_sleep_us};
  std::uint64_t then = core::Clock::cycles();
  while (!env.stop.load(std::memory_order_relaxed)) {
    s.worker.now_us = env.clock.us(then);
    // One snapshot, valid to the quiescent report.
    const std::uint32_t moved = run_once(s, env.published.read());
    env.rcu.quiescent(reader);

    const std::uint64_t now = core::Clock::cycles();
    (moved != 0 ? s.worker.time.busy : s.worker.time.idle).add(now - then);
    then = now;
    if (moved != 0) {
      backoff.reset();
    } else if (backoff.idle()) {
      const std::uint64_t awake = core::Clock::cycles();
      s.worker.time.sleep.add(awake - then);
      then = awake;
    }
  }
  drain(s, env.published.read());
  env.rcu.leave(reader);
}
}  // namespace polluxd
