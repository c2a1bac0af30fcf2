// SPDX-License-Identifier: BSD-3-Clause
// virtio network devices on PCI: the ports of a virtual machine.
#include <fmt/format.h>

#include "pmd-adapters/driver.hh"
#include "pmd-adapters/pci_plan.hh"

namespace pmd {
namespace {
// Virtual I/O Device (VIRTIO) 1.2, section 4.1.2: the vendor, and a network card before and since
// version 1.
constexpr std::uint16_t kVirtio = 0x1af4, kLegacyNet = 0x1000, kNet = 0x1041;

constexpr pollux_option kOptions[] = {
    {"pci", POLLUX_OPTION_STRING, nullptr, "address of the device: 0000:03:00.0 or 03:00.0"},
    kRxDescriptors,
    kTxDescriptors,
    kTxOffloads,
};

Outcome<EthdevSpec> plan(const Request& r) {
  const auto device = find_pci_device(r.text("pci"));
  if (!device) return device.error();
  if (device->vendor != kVirtio || (device->device != kLegacyNet && device->device != kNet))
    return Failure{EINVAL, fmt::format("{} is no network device of virtio: vendor {:04x}, device "
                                       "{:04x}; expected vendor 1af4, device 1000 or 1041",
                                       device->address, device->vendor, device->device)};
  auto spec = plan_pci(r, *device);
  // Packets of another guest on the same host come with a checksum to be computed, by the next
  // device that sends them; what is to be forwarded needs one.
  if (spec) spec->offloads.rx_l4_checksum = false;
  // A device that can filter VLANs does so once it is driven by somebody who knows of it.
  if (spec) spec->offloads.vlan_filter = true;
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("virtio", "virtio network devices on PCI", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
