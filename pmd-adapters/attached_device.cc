// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/attached_device.hh"

#include <fmt/format.h>
#include <rte_bus.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <bitset>
#include <cerrno>
#include <string_view>

namespace pmd {
namespace {
using PortSet = std::bitset<RTE_MAX_ETHPORTS>;

PortSet ports() {
  PortSet set;
  for (std::uint16_t id = 0; id < RTE_MAX_ETHPORTS; ++id)
    set.set(id, rte_eth_dev_is_valid_port(id) != 0);
  return set;
}

/// The positive errno behind what a DPDK function returned: -1 means "see rte_errno", or, of many
/// drivers, just "no".
int positive(int result) noexcept {
  if (result == -1) return rte_errno != 0 ? rte_errno : EIO;
  return result < 0 ? -result : result;
}

/// Attaches a device to its bus. A virtual one goes straight to its bus: the general way leaves the
/// device on the bus's list when its driver refuses it.
int attach_to_bus(const std::string& text) {
  rte_devargs args{};
  if (const int result = rte_devargs_parse(&args, text.c_str()); result != 0) {
    rte_devargs_reset(&args);
    return -ENODEV;
  }
  const std::string name = args.name;
  const std::string options = args.args == nullptr ? "" : args.args;
  const bool is_virtual = std::string_view{rte_bus_name(args.bus)} == "vdev";
  rte_devargs_reset(&args);
  if (is_virtual) return rte_vdev_init(name.c_str(), options.c_str());
  return rte_dev_probe(text.c_str());
}
}  // namespace

Failure device_failure(const std::string& what, const char* step, int error) {
  const int code = positive(error);
  return {code, fmt::format("{}: cannot {}: {}", what, step, rte_strerror(code))};
}

Outcome<AttachedDevice> AttachedDevice::attach(const std::string& text, const std::string& what) {
  const PortSet before = ports();
  rte_errno = 0;
  if (const int result = attach_to_bus(text); result != 0)
    return device_failure(
        what,
        positive(result) == EEXIST ? "attach the device, which is in use" : "attach the device",
        result);
  const PortSet fresh = ports() & ~before;
  if (fresh.none())
    return Failure{ENODEV, fmt::format("{}: the device has no Ethernet port", what)};
  std::uint16_t port = 0;
  while (!fresh.test(port)) ++port;
  return AttachedDevice{port};
}

AttachedDevice::~AttachedDevice() {
  if (!held_) return;
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(port_, &info) == 0;
  (void)rte_eth_dev_close(port_);
  if (!known) return;
  // A card with two ports is one device: it goes with its last port.
  std::uint16_t other = 0;
  RTE_ETH_FOREACH_DEV_OF(other, info.device) {
    return;
  }
  (void)rte_dev_remove(info.device);
}

Outcome<Xstats> read_xstats(std::uint16_t port) {
  const Failure failure{EIO, "cannot read the counters"};
  const int n = rte_eth_xstats_get_names(port, nullptr, 0);
  if (n < 0) return failure;
  std::vector<rte_eth_xstat_name> names(static_cast<std::size_t>(n));
  std::vector<rte_eth_xstat> values(names.size());
  const auto size = static_cast<unsigned>(n);
  if (rte_eth_xstats_get_names(port, names.data(), size) != n ||
      rte_eth_xstats_get(port, values.data(), size) != n)
    return failure;
  Xstats counters;
  for (std::size_t i = 0; i < names.size(); ++i)
    counters.emplace_back(names[i].name, values[i].value);
  return counters;
}
}  // namespace pmd
