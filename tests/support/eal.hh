// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace test {
/// Brings the EAL up without huge pages, PCI, shared files or telemetry; ends the program when it
/// cannot. Once per process, before the first PacketPool. The thread keeps its CPU affinity.
void eal_up();
/// Gives back what eal_up() took, so that a leak checker sees only the tests' own leaks.
void eal_down();
}  // namespace test
