// SPDX-License-Identifier: BSD-3-Clause
// An interface of the kernel that comes with the port and goes with it: its host's own way in.
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
// DPDK's driver keeps a chain of so many packet buffers for every queue, and reads one frame into
// it: enough for the longest MTU that interfaces of the kernel commonly have.
constexpr std::size_t kLongestFrame = 9216;
// What it sends at most (22.11), two VLAN tags included: an MTU of 1504.
constexpr std::size_t kLongestSent = 1526;
constexpr std::uint16_t kMaxQueues = 16;  // RTE_PMD_TAP_MAX_QUEUES of DPDK

constexpr pollux_option kOptions[] = {
    {"iface", POLLUX_OPTION_STRING, "",
     "what the kernel is to call it; empty: tap and a number of its choice"},
    {"remote", POLLUX_OPTION_STRING, "",
     "interface of the kernel whose packets go through the port, by tc rules"},
    {"mac", POLLUX_OPTION_STRING, "", "address of this end; none: at random"},
    {"queues", POLLUX_OPTION_UINT, "0", "queues; 0: one per worker"},
};

/// What the kernel says of the interface behind one of this process's descriptors, "" where that is
/// no tap, or one whose interface has been deleted.
std::string interface_of(const std::filesystem::path& description) {
  std::ifstream in{description};
  for (std::string word; in >> word;)
    if (word == "iff:") return in >> word ? word : std::string{};
  return {};
}

/// The interface, by the descriptor that DPDK's driver holds of it: it may be moved to a
/// container's namespace, where it goes on, and be renamed.
class Tap {
public:
  explicit Tap(std::string name) : name_{std::move(name)} {}
  bool is_gone() {
    if (description_.empty()) find();
    const std::string now = interface_of(description_);
    if (!now.empty()) name_ = now;
    return now.empty();
  }
  /// In another namespace its flags cannot be asked for.
  [[nodiscard]] bool is_elsewhere() const { return if_nametoindex(name_.c_str()) == 0; }

private:
  void find() {
    namespace fs = std::filesystem;
    std::error_code ignored;
    for (fs::directory_iterator it{"/proc/self/fdinfo", ignored}, end; it != end;
         it.increment(ignored))
      if (interface_of(it->path()) == name_) description_ = it->path();
  }
  std::string name_;
  std::filesystem::path description_;
};

std::string free_name() {
  for (unsigned n = 0;; ++n)
    if (std::string name = fmt::format("tap{}", n); if_nametoindex(name.c_str()) == 0) return name;
}

Outcome<> check_name(const char* option, const std::string& name) {
  if (!name.empty() && name.size() < IFNAMSIZ) return core::Done{};
  return Failure{EINVAL, fmt::format("{} '{}' is not an interface name: 1 to {} characters", option,
                                     name, IFNAMSIZ - 1)};
}

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string asked = r.text("iface"), remote = r.text("remote");
  const std::string name = asked.empty() ? free_name() : asked;
  if (auto done = check_name("iface", name); !done) return done.error();
  if (if_nametoindex(name.c_str()) != 0)
    return Failure{EEXIST, fmt::format("interface '{}' exists already", name)};
  if (!remote.empty()) {
    if (auto done = check_name("remote", remote); !done) return done.error();
    if (if_nametoindex(remote.c_str()) == 0)
      return Failure{ENODEV, fmt::format("no interface '{}' in this network namespace", remote)};
  }
  const auto mac = mac_argument(r);
  if (!mac) return mac.error();
  const auto queues = queues_option(r, kMaxQueues);
  if (!queues) return queues.error();

  EthdevSpec spec;
  spec.devargs = fmt::format("net_tap_{},iface={}{}{}", r.name(), name,
                             remote.empty() ? "" : ",remote=" + remote, *mac);
  spec.device = name;
  spec.queues = *queues;
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.rx_descriptors = static_cast<std::uint16_t>(kLongestFrame / buffer_capacity(r.pool()) + 1);
  spec.frame_capacity = std::min(kLongestSent, buffer_capacity(r.pool()));
  spec.larger = "DPDK's net_tap sends no longer frames";
  const auto tap = std::make_shared<Tap>(name);
  spec.is_gone = [tap] { return tap->is_gone(); };
  spec.is_elsewhere = [tap] { return tap->is_elsewhere(); };
  // It would be computed by a processor for every packet.
  spec.offloads.rx_ip4_checksum = spec.offloads.rx_l4_checksum = false;
  return spec;
}

constexpr pollux_driver kDriver = make_driver<plan>(
    "tap", "an interface of the kernel that comes and goes with the port", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
