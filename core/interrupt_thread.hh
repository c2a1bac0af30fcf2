// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace core {
/// Returns when DPDK's interrupt thread has done all that it had to do at the call, or after a
/// second. Devices' handlers run there, unguarded against what frees their memory: call this before
/// a device with a control channel is stopped, and before the EAL is cleaned up. Management thread.
void settle_interrupt_thread() noexcept;
}  // namespace core
