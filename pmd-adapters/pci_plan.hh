// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>

#include "pmd-adapters/driver.hh"
#include "pmd-adapters/pci_device.hh"

namespace pmd {
/// What the drivers of PCI devices ask alike.
inline constexpr pollux_option kRxDescriptors{
    "rx_descriptors", POLLUX_OPTION_UINT, "1024",
    "of a receive queue; the device rounds and limits them"};
inline constexpr pollux_option kTxDescriptors{"tx_descriptors", POLLUX_OPTION_UINT, "1024",
                                              "of a transmit queue"};
inline constexpr pollux_option kTxOffloads{
    "tx_offloads", POLLUX_OPTION_STRING, "no",
    "yes: the device computes checksums and cuts TCP segments; often slower for forwarding"};

/// Reads those three, queues, MTU and pools into `spec`.
/// @return EINVAL: an option is out of range.
Outcome<> plan_queues(const Request& r, EthdevSpec& spec);

/// A device on PCI that is DPDK's to have. @return EBUSY: the kernel holds it, with what to run.
Outcome<EthdevSpec> plan_pci(const Request& r, const PciDevice& device);

/// True when a port of this process has the device.
[[nodiscard]] bool is_pci_in_use(const std::string& address);
}  // namespace pmd
