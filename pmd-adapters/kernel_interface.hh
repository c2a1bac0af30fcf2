// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "core/driver.h"
#include "pmd-adapters/failure.hh"

namespace pmd {
/// A network interface of the kernel that a driver attaches to. Taken: it is brought up. Let go: it
/// is as it was found. Management thread.
class KernelInterface {
public:
  /// @return the interface, up | ENODEV, EPERM, EINVAL (not Ethernet).
  static Outcome<KernelInterface> take(const std::string& name);
  KernelInterface(KernelInterface&& other) noexcept;
  KernelInterface& operator=(KernelInterface&&) = delete;
  ~KernelInterface();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint16_t mtu() const noexcept { return mtu_; }  ///< bytes of IP packet
  Outcome<> set_mtu(std::uint16_t mtu);
  /// Administratively up and with carrier; a device's own driver in DPDK says "up" regardless.
  [[nodiscard]] pollux_link link() const noexcept;
  /// How many queues the device has switched on (ethtool's combined channels), 1 or more.
  [[nodiscard]] std::uint16_t channels() const noexcept;

private:
  KernelInterface(std::string name, int fd) noexcept : name_{std::move(name)}, fd_{fd} {}

  std::string name_;
  int fd_;  ///< a socket, so that later questions go to the namespace of today
  std::uint16_t mtu_ = 0, found_mtu_ = 0;
  bool brought_up_ = false;
};
}  // namespace pmd
