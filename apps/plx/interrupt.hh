// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace plx {
/// From now on the first SIGINT or SIGTERM only makes interrupted() true, so that a command can
/// end what it does; system calls that wait return EINTR.
void catch_interrupts();
[[nodiscard]] bool interrupted() noexcept;
}  // namespace plx
