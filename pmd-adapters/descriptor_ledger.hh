// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <set>
#include <string>
#include <utility>

namespace pmd {
/// Closes what AF_XDP leaves behind. DPDK's driver (22.11) never lets its UMEM go, so that the
/// socket, the XDP program and its map stay open after the device is closed, and the interface's
/// queue stays taken. The ledger notes which descriptors of those kinds the opening of a port made,
/// and closes those of them that outlive the port. Management thread, which opens and closes every
/// port, one at a time.
class DescriptorLedger {
public:
  DescriptorLedger() : before_{descriptors()} {}
  DescriptorLedger(const DescriptorLedger&) = delete;
  DescriptorLedger& operator=(const DescriptorLedger&) = delete;
  ~DescriptorLedger();
  /// Ends the time in which new descriptors are the port's.
  void note();
  /// Begins it anew: closing a port opens its program once more.
  void resume();

private:
  using Descriptor = std::pair<int, std::string>;  ///< number, and what the kernel calls it
  /// The descriptors of this process that are AF_XDP sockets, BPF programs or BPF maps.
  static std::set<Descriptor> descriptors();

  std::set<Descriptor> before_, ours_;
  bool noting_ = true;
};
}  // namespace pmd
