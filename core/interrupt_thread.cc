// SPDX-License-Identifier: BSD-3-Clause
#include "core/interrupt_thread.hh"

#include <rte_alarm.h>
#include <rte_interrupts.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
/// A handler that does not return.
void park(void* parked) {
  static_cast<std::atomic<bool>*>(parked)->store(true);
  while (true) pause();
}
}  // namespace

void settle_interrupt_thread() noexcept {
  // The first may ring in the middle of a round of handlers; the second is of a later round.
  wait_for_alarm();
  wait_for_alarm();
}

void park_interrupt_thread() noexcept {
  using namespace std::chrono_literals;
  // All of this stays to the end of the process: the thread is in it.
  static std::atomic<bool> parked{false};
  const int fd = eventfd(1, EFD_CLOEXEC);
  rte_intr_handle* handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
  if (fd < 0 || handle == nullptr || rte_intr_fd_set(handle, fd) != 0 ||
      rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) != 0 ||
      rte_intr_callback_register(handle, park, &parked) != 0)
    return;
  rte_intr_instance_free(handle);
  for (int i = 0; i < 10000 && !parked.load(); ++i) std::this_thread::sleep_for(100us);
}
}  // namespace core
