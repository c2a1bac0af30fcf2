// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

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
  /// @return the link | ENODEV: the interface has been removed, or moved to another namespace.
  [[nodiscard]] Outcome<pollux_link> link();
  /// Groups that the kernel's interface is to take in beside its own. @param addresses  all of
  /// them.
  Outcome<> set_multicast(std::span<const std::uint8_t[6]> addresses);
  /// How many queues the device has switched on (ethtool's combined channels), 1 or more.
  [[nodiscard]] std::uint16_t channels() const noexcept;

private:
  KernelInterface(std::string name, int fd) noexcept : name_{std::move(name)}, fd_{fd} {}
  using Group = std::array<std::uint8_t, 6>;
  [[nodiscard]] std::uint32_t ask_speed() const noexcept;
  [[nodiscard]] bool change_group(unsigned long what, const Group& group) const noexcept;

  std::string name_;
  int index_ = 0;  ///< what the kernel knows it by: another interface may get its name
  int fd_;         ///< a socket, so that later questions go to the namespace of today
  std::uint16_t mtu_ = 0, found_mtu_ = 0;
  bool brought_up_ = false;
  std::vector<Group> groups_;
  pollux_link last_{};  ///< the speed is asked for when the link comes up: some devices are slow
};
}  // namespace pmd
