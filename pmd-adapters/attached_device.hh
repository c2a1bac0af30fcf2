// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pmd-adapters/failure.hh"

namespace pmd {
/// A device of DPDK that this process has attached. Let go: its port is closed and, unless another
/// of its ports is in use, it is removed from its bus. Management thread.
class AttachedDevice {
public:
  /// @param text  DPDK's device text: "net_memif_pollux0,id=1", "0000:03:00.0".
  /// @param what  what a person calls it, for the error.
  /// @return the device | EEXIST (in use) | ENODEV (no such device, or without a port) | what its
  /// driver said.
  static Outcome<AttachedDevice> attach(const std::string& text, const std::string& what);
  AttachedDevice(AttachedDevice&& other) noexcept
      : port_{other.port_}, held_{std::exchange(other.held_, false)} {}
  AttachedDevice& operator=(AttachedDevice&&) = delete;
  ~AttachedDevice();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }  ///< DPDK's number

private:
  explicit AttachedDevice(std::uint16_t port) noexcept : port_{port} {}
  std::uint16_t port_;
  bool held_ = true;
};

/// "veth0: cannot start: Device or resource busy". @param error  errno, of either sign, or DPDK's
/// -1.
[[nodiscard]] Failure device_failure(const std::string& what, const char* step, int error);

/// A counter of a device's own, by name.
using Xstats = std::vector<std::pair<std::string, std::uint64_t>>;
/// @return all counters of a port | EIO.
Outcome<Xstats> read_xstats(std::uint16_t port);
}  // namespace pmd
