// SPDX-License-Identifier: BSD-3-Clause
// Any device that DPDK has a driver for: a PCI address or a virtual device.
#include <fmt/format.h>

#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    {"rx_descriptors", POLLUX_OPTION_UINT, "1024",
     "of a receive queue; the device rounds and limits them"},
    {"tx_descriptors", POLLUX_OPTION_UINT, "1024", "of a transmit queue"},
    {"devargs", POLLUX_OPTION_REST, nullptr,
     "PCI address or virtual device with its own options, up to the end of the line: "
     "0000:03:00.0 or net_tap0,iface=tap0"},
};

Outcome<EthdevSpec> plan(const Request& r) {
  EthdevSpec spec;
  spec.devargs = r.text("devargs");
  spec.device = spec.devargs.substr(0, spec.devargs.find(','));
  const std::uint32_t rx = r.number("rx_descriptors"), tx = r.number("tx_descriptors");
  if (rx == 0 || rx > UINT16_MAX || tx == 0 || tx > UINT16_MAX)
    return Failure{EINVAL, fmt::format("rx_descriptors {} and tx_descriptors {} are not both "
                                       "within 1 and 65535",
                                       rx, tx)};
  spec.rx_descriptors = static_cast<std::uint16_t>(rx);
  spec.tx_descriptors = static_cast<std::uint16_t>(tx);
  spec.queues = r.queues();
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = buffer_capacity(r.pool());
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("dpdk", "any device of DPDK: a PCI address or a virtual device", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
