// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "pmd-adapters/failure.hh"
#include "pmd-adapters/kernel_interface.hh"

namespace pmd {
/// Makes sure that an interface has no XDP program, for DPDK's driver takes off whatever is there,
/// also when it never got its own on. What a process left that was killed is taken off here: a
/// program of AF_XDP's whose sockets are all closed. @return EBUSY: another program, or one that
/// still serves a socket.
Outcome<> make_way_for_program(const KernelInterface& interface);
}  // namespace pmd
