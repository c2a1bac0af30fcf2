// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hh"

namespace polluxd {
/// What the EAL is brought up with.
struct EalRequest {
  unsigned instance = 0;
  std::vector<unsigned> worker_cpus;  ///< one worker each; may repeat where there are few cores
  std::uint32_t memory_mib = 64;      ///< what the pools and tables need
  std::vector<std::string> extra;     ///< handed over as they are
};

/// What it was brought up with.
struct EalState {
  bool hugepages = false;
  std::string memory;             ///< a sentence for the log: which pages, and why
  std::vector<unsigned> lcores;   ///< lcore id of each worker
};

/// Brings up DPDK: hugepages when enough are free, otherwise without; own file prefix per instance;
/// no PCI scan unless a device is asked for... see eal.cc. Call once, from the main thread.
core::Expected<EalState> eal_init(const EalRequest& request);

/// Releases all that eal_init() took, its run-time directory included.
void eal_cleanup(unsigned instance) noexcept;

/// Which CPU each of `workers` workers gets: `wanted` if given, else those that the process may use,
/// leaving the first to the manager where there are more than one.
std::vector<unsigned> choose_cpus(unsigned workers, const std::vector<unsigned>& wanted);
}  // namespace polluxd
