// SPDX-License-Identifier: BSD-3-Clause
#include "core/interrupt_thread.hh"

#include <rte_alarm.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace core {
namespace {
std::atomic<unsigned>& alarms_rung() noexcept {
  static std::atomic<unsigned> count{0};
  return count;
}

/// Waits for an alarm, which rings in the interrupt thread between two handlers.
void wait_for_alarm() noexcept {
  using namespace std::chrono_literals;
  const unsigned before = alarms_rung().load();
  if (rte_eal_alarm_set(
          1, [](void*) { ++alarms_rung(); }, nullptr) != 0)
    return;
  for (int i = 0; i < 5000 && alarms_rung().load() == before; ++i)
    std::this_thread::sleep_for(100us);
}
}  // namespace

void settle_interrupt_thread() noexcept {
  // The first may ring in the middle of a round of handlers; the second is of a later round.
  wait_for_alarm();
  wait_for_alarm();
}
}  // namespace core
