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
  std::string memory;            ///< a sentence for the log: which pages, and why
  std::vector<unsigned> lcores;  ///< lcore id of each worker
};

/// Brings up DPDK: hugepages when enough are free, otherwise without; nothing on disk that another
/// instance could meet. PCI devices are left alone until a driver names one. Call once, from the
/// main thread, which becomes lcore 0 and may run on every CPU that the process may use; workers
/// get lcores 1, 2, ... in the order of `worker_cpus`.
/// @return what was done | Invalid (a CPU that the process may not use, too many workers, an
/// argument that is ours to give) | DeviceFailed (what DPDK said).
core::Expected<EalState> eal_init(const EalRequest& request);

/// Releases all that eal_init() took, its run-time directory included.
void eal_cleanup(unsigned instance) noexcept;

/// Which CPU each of `workers` workers gets: `wanted` if given, else those that the process may
/// use, leaving the first to the manager where there are more than workers.
std::vector<unsigned> choose_cpus(unsigned workers, const std::vector<unsigned>& wanted);

/// While one lives, what DPDK logs is kept and not written: a request that fails tells why in its
/// error. Management thread; one at a time.
class EalLogCapture {
public:
  EalLogCapture();
  EalLogCapture(const EalLogCapture&) = delete;
  EalLogCapture& operator=(const EalLogCapture&) = delete;
  ~EalLogCapture();
  /// The first line logged as an error, which is the cause; what follows are its consequences.
  [[nodiscard]] std::string first_error() const;
};
}  // namespace polluxd
