// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace core {
/// Returns when DPDK's interrupt thread has done all that it had to do at the call, or after a
/// second. Devices' handlers run there, unguarded against what frees their memory: call this before
/// a device with a control channel is stopped. Management thread.
void settle_interrupt_thread() noexcept;

/// Stops DPDK's interrupt thread for good, between two handlers. Before rte_eal_cleanup(), which
/// unmaps the memory of the handlers that are still registered and wakes the thread to look at
/// them; memif's (22.11, 24.11) always are. Management thread.
void park_interrupt_thread() noexcept;
}  // namespace core
