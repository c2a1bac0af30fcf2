// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/pci_plan.hh"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <cerrno>

namespace pmd {
Outcome<> plan_queues(const Request& r, EthdevSpec& spec) {
  const std::uint32_t rx = r.number("rx_descriptors"), tx = r.number("tx_descriptors");
  if (rx == 0 || rx > UINT16_MAX || tx == 0 || tx > UINT16_MAX)
    return Failure{EINVAL, fmt::format("rx_descriptors {} and tx_descriptors {} are not both "
                                       "within 1 and 65535",
                                       rx, tx)};
  const auto offloads = r.yes_or_no("tx_offloads");
  if (!offloads) return offloads.error();
  spec.rx_descriptors = static_cast<std::uint16_t>(rx);
  spec.tx_descriptors = static_cast<std::uint16_t>(tx);
  spec.offloads.tx = *offloads;
  spec.queues = r.queues();
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.pool_near = [&r](int node) { return r.pool_near(node); };
  spec.frame_capacity = buffer_capacity(r.pool());
  return core::Done{};
}

Outcome<EthdevSpec> plan_pci(const Request& r, const PciDevice& device) {
  if (is_pci_in_use(device.address))
    return Failure{EBUSY, fmt::format("{}: the device is in use", device.address)};
  if (const std::string why = device.obstacle(); !why.empty()) return Failure{EBUSY, why};
  if (device.kernel_driver != "vfio-pci" && rte_eal_iova_mode() != RTE_IOVA_PA)
    return Failure{EBUSY, fmt::format("{}: bound to {} it needs hugepages, and polluxd began with "
                                      "too few of them or before it was bound; bind it to "
                                      "vfio-pci, or start polluxd anew with both",
                                      device.address, device.kernel_driver)};
  EthdevSpec spec;
  if (auto done = plan_queues(r, spec); !done) return done.error();
  spec.devargs = spec.device = device.address;
  spec.offloads.rss = true;
  spec.offloads.scatter = Scatter::WhenNeeded;
  spec.is_gone = [device] { return !device.exists(); };
  return spec;
}

bool is_pci_in_use(const std::string& address) {
  for (std::uint16_t port = 0; port < RTE_MAX_ETHPORTS; ++port) {
    rte_eth_dev_info info{};
    if (rte_eth_dev_is_valid_port(port) != 0 && rte_eth_dev_info_get(port, &info) == 0 &&
        address == rte_dev_name(info.device))
      return true;
  }
  return false;
}
}  // namespace pmd
