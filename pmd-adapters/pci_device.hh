// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pmd-adapters/failure.hh"

namespace pmd {
/// A device on PCI, as the kernel describes it under /sys.
struct PciDevice {
  std::string address;  ///< "0000:03:00.0"
  std::uint16_t vendor, device;
  std::uint32_t device_class;  ///< 0x020000: Ethernet controller
  std::string kernel_driver;   ///< what holds it: "e1000e", "vfio-pci"; empty: nothing

  static constexpr std::string_view kSysfs = "/sys/bus/pci/devices";

  [[nodiscard]] bool is_network() const noexcept { return device_class >> 16 == 0x02; }
  /// True where the kernel hands the device over to programs: vfio-pci, or a driver of uio's.
  [[nodiscard]] bool is_handed_over() const noexcept;
  /// Why DPDK cannot have it and what to run, or empty: it can.
  [[nodiscard]] std::string obstacle() const;
  /// The device is still in the machine.
  [[nodiscard]] bool exists() const;
};

/// "03:00.0" or "0000:03:00.0" in full. @return nothing: it is no address.
[[nodiscard]] std::optional<std::string> pci_address(std::string_view text);

/// @param sysfs  where the kernel shows its devices; another folder in tests.
/// @return the device | EINVAL (no address) | ENODEV (no such device).
Outcome<PciDevice> find_pci_device(std::string_view address,
                                   std::string_view sysfs = PciDevice::kSysfs);

/// The first network device with an identity that no port uses yet.
/// @param id      "8086:10d3": vendor and device in hexadecimal.
/// @param in_use  asked with the address.
/// @return the device | EINVAL (no identity) | ENODEV (none) | EBUSY (all in use, or held).
Outcome<PciDevice> find_pci_device_by_id(std::string_view id,
                                         const std::function<bool(const std::string&)>& in_use,
                                         std::string_view sysfs = PciDevice::kSysfs);
}  // namespace pmd
