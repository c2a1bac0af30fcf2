// SPDX-License-Identifier: BSD-3-Clause
// Several devices as one (link aggregation), by DPDK's bonding.
#include <fmt/format.h>
#include <rte_eth_bond.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/interrupt_thread.hh"
#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    {"mode", POLLUX_OPTION_STRING, "active-backup",
     "active-backup (one carries all), lacp (IEEE 802.1AX) or balance (by flow, without protocol)"},
    {"primary", POLLUX_OPTION_UINT, "0", "number of the member that carries all if it can"},
    {"monitor_ms", POLLUX_OPTION_UINT, "100", "how often the members' links are looked at"},
    {"mac", POLLUX_OPTION_STRING, "", "address; none: the primary's"},
    {"members", POLLUX_OPTION_REST, nullptr,
     "devices as DPDK writes them, with '+' between: 0000:03:00.0+0000:03:00.1, or "
     "net_tap0,iface=a+net_tap1,iface=b"},
};

struct Mode {
  const char* name;
  int number;
};
constexpr std::array kModes{Mode{"active-backup", BONDING_MODE_ACTIVE_BACKUP},
                            Mode{"lacp", BONDING_MODE_8023AD},
                            Mode{"balance", BONDING_MODE_BALANCE}};

class BondBacking final : public Backing {
public:
  BondBacking(int members, std::uint32_t monitor_ms) : members_{members}, monitor_ms_{monitor_ms} {}
  Outcome<> started(std::uint16_t port) override {
    std::array<std::uint16_t, RTE_MAX_ETHPORTS> list{};
    // DPDK's driver starts without those that it cannot use.
    const int got = rte_eth_bond_slaves_get(port, list.data(), list.size());
    if (got != members_)
      return Failure{EIO,
                     fmt::format("only {} of {} members can be bonded: they must be able to do "
                                 "the same",
                                 std::max(got, 0), members_)};
    if (rte_eth_bond_link_monitoring_set(port, monitor_ms_) != 0)
      return Failure{EINVAL, fmt::format("cannot monitor the links every {} ms", monitor_ms_)};
    return core::Done{};
  }
  /// The members' alarms and events end before what they look at does.
  void stopping(std::uint16_t /*port*/) override { core::settle_interrupt_thread(); }

private:
  int members_;
  std::uint32_t monitor_ms_;
};

Outcome<Mode> find_mode(const std::string& name) {
  const auto* at =
      std::find_if(kModes.begin(), kModes.end(), [&](const Mode& m) { return name == m.name; });
  if (at != kModes.end()) return *at;
  return Failure{EINVAL,
                 fmt::format("mode \"{}\" is neither active-backup nor lacp nor balance", name)};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// Makes the bond look at the link of a member in place of waiting for an interrupt: DPDK's net_tap
/// (22.11) says that it has them, and then tells nobody. The flags are the device's own, shown
/// through a pointer.
void poll_link_of(const AttachedDevice& member) {
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(member.port(), &info) == 0 && info.dev_flags != nullptr)
    *const_cast<std::uint32_t*>(info.dev_flags) &= ~std::uint32_t{RTE_ETH_DEV_INTR_LSC};
}

Outcome<std::vector<AttachedDevice>> attach_members(const std::string& text) {
  std::vector<AttachedDevice> members;
  for (const std::string& part : split(text)) {
    if (part.empty()) return Failure{EINVAL, fmt::format("members \"{}\": one is empty", text)};
    auto member = AttachedDevice::attach(part, part.substr(0, part.find(',')));
    if (!member) return member.error();
    poll_link_of(*member);
    members.push_back(std::move(*member));
  }
  return members;
}

/// How many queues every member has.
Outcome<std::uint16_t> common_queues(const std::vector<AttachedDevice>& members) {
  std::uint16_t least = UINT16_MAX;
  for (const AttachedDevice& m : members) {
    rte_eth_dev_info info{};
    if (rte_eth_dev_info_get(m.port(), &info) != 0)
      return Failure{ENODEV, "cannot ask a member how many queues it has"};
    least = std::min({least, info.max_rx_queues, info.max_tx_queues});
  }
  return least;
}

/// DPDK's driver sends LACP's own frames when its users send; with a queue for link() to poll they
/// go out on an idle port too, and no worker waits for another.
Outcome<> plan_bond_queues(const Request& r, bool lacp, EthdevSpec& spec) {
  const auto there = common_queues(spec.members);
  if (!there) return there.error();
  if (lacp && *there < 2)
    return Failure{EINVAL,
                   "lacp needs members with two queues, one of them for its own frames: "
                   "for net_af_packet give qpairs=2"};
  const unsigned wanted = r.queues() + (lacp ? 1U : 0U);
  spec.queues = static_cast<std::uint16_t>(std::min<unsigned>(wanted, *there));
  spec.control_queue = spec.offloads.all_multicast = lacp;
  return core::Done{};
}

Outcome<EthdevSpec> plan(const Request& r) {
  const auto mode = find_mode(r.text("mode"));
  if (!mode) return mode.error();
  const auto mac = mac_argument(r);
  if (!mac) return mac.error();
  const std::uint32_t monitor = r.number("monitor_ms");
  if (monitor < 10 || monitor > 10000)
    return Failure{EINVAL, fmt::format("monitor_ms {} is not within 10 and 10000", monitor)};
  const std::string text = r.text("members");
  const std::size_t count = split(text).size();
  const std::uint32_t primary = r.number("primary");
  if (primary >= count)
    return Failure{EINVAL,
                   fmt::format("primary {}: there are members 0 to {}", primary, count - 1)};

  EthdevSpec spec;
  auto members = attach_members(text);
  if (!members) return members.error();
  for (AttachedDevice& m : *members) spec.members.push_back(std::move(m));
  const bool lacp = mode->number == BONDING_MODE_8023AD;
  if (auto done = plan_bond_queues(r, lacp, spec); !done) return done.error();
  spec.devargs = fmt::format("net_bonding_{},mode={}{}", r.name(), mode->number, *mac);
  for (const AttachedDevice& m : spec.members) spec.devargs += fmt::format(",slave={}", m.port());
  spec.devargs += fmt::format(",primary={}", spec.members[primary].port());
  spec.device = fmt::format("{} of {}", mode->name, text);
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = buffer_capacity(r.pool());
  spec.backing = std::make_unique<BondBacking>(static_cast<int>(count), monitor);
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("bond", "several devices as one: failover, LACP or balanced", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
