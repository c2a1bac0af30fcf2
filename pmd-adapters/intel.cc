// SPDX-License-Identifier: BSD-3-Clause
// Intel's network devices: e1000, e1000e, igb, igc, ixgbe, i40e, ice and their virtual functions.
#include <fmt/format.h>

#include "pmd-adapters/driver.hh"
#include "pmd-adapters/pci_plan.hh"

namespace pmd {
namespace {
constexpr std::uint16_t kIntel = 0x8086;

constexpr pollux_option kOptions[] = {
    {"pci", POLLUX_OPTION_STRING, "", "address of the device: 0000:03:00.0 or 03:00.0"},
    {"id", POLLUX_OPTION_STRING, "",
     "in place of pci, VENDOR:DEVICE of the first such device that is unused: 8086:10d3"},
    kRxDescriptors,
    kTxDescriptors,
    kTxOffloads,
};

Outcome<PciDevice> choose(const Request& r) {
  const std::string address = r.text("pci"), id = r.text("id");
  if (address.empty() == id.empty())
    return Failure{EINVAL, "give either pci=ADDRESS or id=VENDOR:DEVICE"};
  return id.empty() ? find_pci_device(address) : find_pci_device_by_id(id, is_pci_in_use);
}

Outcome<EthdevSpec> plan(const Request& r) {
  const auto device = choose(r);
  if (!device) return device.error();
  if (device->vendor != kIntel || !device->is_network())
    return Failure{
        EINVAL, fmt::format("{} is no network device of Intel's: vendor {:04x}, device {:04x}, "
                            "class {:06x}; expected vendor 8086, class 02xxxx",
                            device->address, device->vendor, device->device, device->device_class)};
  auto spec = plan_pci(r, *device);
  if (spec) spec->room_for_tags = true;
  return spec;
}

constexpr pollux_driver kDriver = make_driver<plan>(
    "intel", "Intel's network devices on PCI: e1000, igb, igc, ixgbe, i40e, ice, iavf", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
