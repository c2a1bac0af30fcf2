// SPDX-License-Identifier: BSD-3-Clause
// Any device that DPDK has a driver for: a PCI address or a virtual device.
#include <fmt/format.h>

#include "pmd-adapters/driver.hh"
#include "pmd-adapters/pci_plan.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    kRxDescriptors,
    kTxDescriptors,
    kTxOffloads,
    {"devargs", POLLUX_OPTION_REST, nullptr,
     "PCI address or virtual device with its own options, up to the end of the line: "
     "0000:03:00.0 or net_tap0,iface=tap0"},
};

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string text = r.text("devargs");
  const std::string device = text.substr(0, text.find(','));
  if (pci_address(device)) {
    const auto found = find_pci_device(device);
    if (!found) return found.error();
    auto spec = plan_pci(r, *found);
    if (spec) spec->devargs = found->address + text.substr(device.size());
    return spec;
  }
  EthdevSpec spec;
  if (auto done = plan_queues(r, spec); !done) return done.error();
  spec.offloads.scatter = Scatter::WhenNeeded;
  spec.devargs = text;
  spec.device = device;
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("dpdk", "any device of DPDK: a PCI address or a virtual device", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
