// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_check.hh"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "apps/polluxd/config_steps.hh"
#include "apps/polluxd/manager.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
/// fe80::, whose /64 every interface that speaks IPv6 is on.
constexpr core::IpAddress kLinkLocal{core::IpAddress::Bytes16{0xfe, 0x80}};

bool speaks_inet6(const InterfaceSpec& spec) {
  return spec.autoconf || spec.rtadv.enabled ||
         std::ranges::any_of(spec.addresses, [](const auto& a) { return !a.is_ip4(); });
}

using proto::IpPrefix;

constexpr const char* kForwarding = "net.inet.ip.forwarding";

ConfigPlace place_of(const std::vector<ConfigPlace>& places, std::size_t index) {
  return index < places.size() ? places[index] : ConfigPlace{};
}

/// Runs over the objects in the order in which they are made, each checked against those before.
class Check {
public:
  Check(ConfigFile& file, const DriverRegistry& drivers)
      : file_{file}, config_{file.config}, drivers_{drivers} {}

  std::vector<std::string> run() {
    name_interfaces();
    for (std::size_t n = 0; n < config_.vrfs.size(); ++n) check_vrf(n);
    for (std::size_t n = 0; n < config_.interfaces.size(); ++n) check_interface(n);
    for (std::size_t n = 0; n < config_.tunnels.size(); ++n) check_tunnel(n);
    for (std::size_t n = 0; n < config_.interfaces.size(); ++n) check_parent(n);
    for (std::size_t n = 0; n < config_.sas.size(); ++n) check_sa(n);
    for (std::size_t n = 0; n < config_.routes.size(); ++n) check_route(n);
    for (std::size_t n = 0; n < config_.neighbors.size(); ++n) check_neighbor(n);
    check_sysctls();
    check_limits();
    return std::move(complaints_);
  }

private:
  struct Owner {
    std::string name;
    bool tunnel = false;
    std::vector<IpPrefix> addresses;
    std::string vrf;  ///< empty: the default one
    [[nodiscard]] bool covers(const core::IpAddress& address) const {
      return std::ranges::any_of(addresses, [&](const IpPrefix& a) { return a.contains(address); });
    }
  };

  void complain(const ConfigPlace& place, std::string_view key, const std::string& what,
                const std::string& why) {
    complaints_.push_back(fmt::format("{}{}: {}", place.of(key), what, why));
  }
  [[nodiscard]] const Owner* find(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &owners_[at->second];
  }
  void add(Owner owner) {
    by_name_.try_emplace(owner.name, owners_.size());
    owners_.push_back(std::move(owner));
  }

  void name_interfaces();
  void check_vrf(std::size_t n);
  void check_vrf_name(const std::string& vrf, const ConfigPlace& place, std::string_view key,
                      const std::string& what);
  void check_interface(std::size_t n);
  void check_driver(const InterfaceSpec& spec, const ConfigPlace& place, const std::string& what);
  void check_addresses(const Owner& owner, const ConfigPlace& place, const std::string& what,
                       bool loopback = false);
  void check_parent(std::size_t n);
  void check_tunnel(std::size_t n);
  void check_sa(std::size_t n);
  void check_route(std::size_t n);
  std::string judge_route(RouteSpec& route) const;
  void check_neighbor(std::size_t n);
  void check_sysctls();
  void check_limits();

  ConfigFile& file_;
  Config& config_;
  const DriverRegistry& drivers_;
  std::vector<std::string> complaints_;
  std::vector<Owner> owners_;                   ///< interfaces and tunnels so far
  std::map<std::string, std::size_t> by_name_;  ///< of owners_
  std::map<std::pair<std::string, core::IpAddress>, std::string> used_;  ///< by VRF: whose it is
  std::map<std::string, std::uint16_t> vrfs_;
  std::set<std::string> names_;
  std::set<std::tuple<std::string, crypto::Direction, std::uint32_t>> sas_;
  std::set<std::pair<std::string, IpPrefix>> routes_;
  std::set<std::pair<std::string, core::IpAddress>> neighbors_;
};

/// An interface without a name is numbered behind its driver's, as when it is made by itself; names
/// that the file gives elsewhere are left to their owners.
void Check::name_interfaces() {
  std::set<std::string> taken;
  for (const InterfaceSpec& i : config_.interfaces) taken.insert(i.name);
  for (const TunnelConfig& t : config_.tunnels) taken.insert(t.name);
  for (InterfaceSpec& i : config_.interfaces) {
    if (!i.name.empty()) continue;
    const auto driver = drivers_.load(i.driver);
    if (!driver) continue;  // check_interface() says so
    for (unsigned n = 0; i.name.empty(); ++n)
      if (std::string name = fmt::format("{}{}", interface_prefix(**driver), n);
          taken.insert(name).second)
        i.name = std::move(name);
  }
}

void Check::check_vrf(std::size_t n) {
  const VrfSpec& spec = config_.vrfs[n];
  const ConfigPlace place = place_of(file_.vrfs, n);
  const std::string what = fmt::format("vrf {}", spec.name);
  if (!vrfs_.try_emplace(spec.name, spec.id).second)
    complain(place, "name", what, "the name is given twice");
  if (spec.id > config_.limits.vrfs)
    complain(place, "id", what,
             fmt::format("id {}, expected 1 to {} (limits.vrfs)", spec.id, config_.limits.vrfs));
  for (std::size_t other = 0; other < n; ++other)
    if (spec.id != 0 && config_.vrfs[other].id == spec.id)
      complain(place, "id", what,
               fmt::format("id {} is that of {}", spec.id, config_.vrfs[other].name));
}

void Check::check_vrf_name(const std::string& vrf, const ConfigPlace& place, std::string_view key,
                           const std::string& what) {
  if (!vrf.empty() && !vrfs_.contains(vrf))
    complain(place, key, what, fmt::format("no VRF {}", vrf));
}

void Check::check_interface(std::size_t n) {
  const InterfaceSpec& spec = config_.interfaces[n];
  const ConfigPlace place = place_of(file_.interfaces, n);
  const std::string what = fmt::format("interface {}", spec.name.empty() ? spec.driver : spec.name);
  check_driver(spec, place, what);
  if (!spec.name.empty() && !names_.insert(spec.name).second)
    complain(place, "name", what, "the name is given twice");
  const auto driver = drivers_.load(spec.driver);
  check_vrf_name(spec.vrf, place, "vrf", what);
  Owner owner{spec.name, false, spec.addresses, spec.vrf};
  check_addresses(owner, place, what, driver && driver_name(**driver) == "loop");
  if (const auto good = Manager::check_autoconf(spec.autoconf); !good)
    complain(place, "autoconf", what, good.error().context);
  std::set<core::IpAddress> groups;
  for (const core::IpAddress& group : spec.groups) {
    if (const std::string why = Manager::bad_group(group); !why.empty())
      complain(place, "groups", what, why);
    if (!groups.insert(group).second)
      complain(place, "groups", what, fmt::format("{} is given twice", proto::to_string(group)));
  }
  if (const auto good = Manager::check_rtadv(spec.rtadv); !good)
    complain(place, "rtadv", what, good.error().context);
  if (speaks_inet6(spec)) owner.addresses.emplace_back(kLinkLocal, std::uint8_t{64});
  add(std::move(owner));
}

void Check::check_driver(const InterfaceSpec& spec, const ConfigPlace& place,
                         const std::string& what) {
  const auto driver = drivers_.load(spec.driver);
  if (!driver) return complain(place, "driver", what, driver.error().context);
  const auto options = check_options(**driver, spec.options);
  if (!options) return complain(place, "options", what, options.error().context);
  if (!is_built_in(**driver)) return;
  if (const auto good = Manager::check_vlan(*options); !good)
    complain(place, "options", what, good.error().context);
}

void Check::check_addresses(const Owner& owner, const ConfigPlace& place, const std::string& what,
                            bool loopback) {
  for (const IpPrefix& a : owner.addresses) {
    if (const std::string why = Manager::bad_address(a, loopback); !why.empty())
      complain(place, "address", what, fmt::format("{} {}", proto::to_string(a), why));
    if (proto::is_link_local(a.address)) continue;  // each link has its own
    if (const auto [at, is_new] = used_.try_emplace(std::pair{owner.vrf, a.address}, what); !is_new)
      complain(
          place, "address", what,
          fmt::format("{} is already an address of {}", proto::to_string(a.address), at->second));
  }
}

/// What an interface stands on is another one of the file, and not in the end itself.
void Check::check_parent(std::size_t n) {
  const InterfaceSpec& spec = config_.interfaces[n];
  const std::string what = fmt::format("interface {}", spec.name);
  std::string parent = parent_of(spec);
  if (parent.empty()) return;
  const ConfigPlace place = place_of(file_.interfaces, n);
  const Owner* owner = find(parent);
  if (owner == nullptr)
    return complain(place, "options", what, fmt::format("parent={}: no such interface", parent));
  if (owner->tunnel)
    return complain(place, "options", what, fmt::format("parent={}: is a tunnel", parent));
  for (std::size_t steps = 0; !parent.empty(); ++steps) {
    if (steps > config_.interfaces.size() || parent == spec.name)
      return complain(place, "options", what, "stands on itself in the end");
    const auto next = std::ranges::find(config_.interfaces, parent, &InterfaceSpec::name);
    parent = next == config_.interfaces.end() ? std::string{} : parent_of(*next);
  }
}

void Check::check_tunnel(std::size_t n) {
  const TunnelConfig& spec = config_.tunnels[n];
  const ConfigPlace place = place_of(file_.tunnels, n);
  const std::string what = fmt::format("tunnel {}", spec.name);
  if (!names_.insert(spec.name).second) complain(place, "name", what, "the name is given twice");
  if (const auto good = Manager::check_tunnel(spec); !good)
    complaints_.push_back(place.of("") + good.error().context);
  check_vrf_name(spec.vrf, place, "vrf", what);
  check_vrf_name(spec.overlay_vrf, place, "overlay_vrf", what);
  Owner owner{spec.name, true, spec.addresses, spec.overlay_vrf};
  check_addresses(owner, place, what);
  add(std::move(owner));
}

void Check::check_sa(std::size_t n) {
  const SaConfig& sa = config_.sas[n];
  const ConfigPlace place = place_of(file_.sas, n);
  const bool in = sa.direction == crypto::Direction::In;
  const std::string what = fmt::format("sa {} {} 0x{:08x}", sa.tunnel, in ? "in" : "out", sa.spi);
  const Owner* owner = find(sa.tunnel);
  if (owner == nullptr || !owner->tunnel)
    complain(place, "tunnel", what, fmt::format("no tunnel {}", sa.tunnel));
  // An inbound SPI is all that a packet is found by; outbound ones are the peer's.
  if (!sas_.emplace(in ? std::string{} : sa.tunnel, sa.direction, sa.spi).second)
    complain(place, "spi", what, in ? "the inbound SPI is given twice" : "the SPI is given twice");
}

void Check::check_route(std::size_t n) {
  RouteSpec& route = config_.routes[n];
  const ConfigPlace place = place_of(file_.routes, n);
  const std::string what = fmt::format("route {}", route_name(route));
  check_vrf_name(route.vrf, place, "vrf", what);
  if (!routes_.emplace(route.vrf, route.prefix).second)
    complain(place, "prefix", what, "the prefix is given twice");
  if (const std::string why = judge_route(route); !why.empty())
    complain(place, route.gateway ? "via" : "interface", what, why);
}

/// Fills in the interface. @return why the route cannot be, or empty.
std::string Check::judge_route(RouteSpec& route) const {
  if (route.kind != RouteSpec::Kind::Unicast) return {};
  if (const auto good = Manager::check_next_hops(route); !good) return good.error().context;
  if (!route.next_hops.empty() || route.recursive) return {};  // worked out again and again
  const Owner* owner = route.interface.empty() ? nullptr : find(route.interface);
  if (!route.interface.empty() && owner == nullptr)
    return fmt::format("no interface {}", route.interface);
  if (owner != nullptr && owner->tunnel) {
    route.gateway.reset();  // every packet goes to the peer
    return {};
  }
  if (!route.gateway) {
    const bool asks =
        std::ranges::any_of(owner->addresses, [](const IpPrefix& a) { return !a.is_host(); });
    return asks ? std::string{}
                : fmt::format("{} has no subnet: give a gateway or an address", route.interface);
  }
  const std::string gateway = proto::to_string(*route.gateway);
  if (used_.contains({owner != nullptr ? owner->vrf : route.vrf, *route.gateway}))
    return fmt::format("gateway {} is our own address", gateway);
  if (owner == nullptr && proto::is_link_local(*route.gateway))
    return fmt::format("gateway {} is link-local: name its interface", gateway);
  if (owner == nullptr) {
    const auto at = std::ranges::find_if(owners_, [&](const Owner& o) {
      return !o.tunnel && o.vrf == route.vrf && o.covers(*route.gateway);
    });
    if (at == owners_.end()) return fmt::format("gateway {} is on no subnet of ours", gateway);
    route.interface = at->name;
  } else if (!owner->covers(*route.gateway)) {
    return fmt::format("gateway {} is on no subnet of {}", gateway, route.interface);
  }
  return {};
}

void Check::check_neighbor(std::size_t n) {
  const NeighborSpec& spec = config_.neighbors[n];
  const ConfigPlace place = place_of(file_.neighbors, n);
  const std::string address = proto::to_string(spec.address);
  const std::string what = fmt::format("neighbor {} on {}", address, spec.interface);
  if (!neighbors_.emplace(spec.interface, spec.address).second)
    complain(place, "address", what, "is given twice");
  const Owner* owner = find(spec.interface);
  if (owner == nullptr)
    return complain(place, "interface", what, fmt::format("no interface {}", spec.interface));
  if (owner->tunnel)
    return complain(place, "interface", what,
                    fmt::format("{} is a tunnel: it has no neighbours", spec.interface));
  if (used_.contains({owner->vrf, spec.address}))
    complain(place, "address", what, fmt::format("{} is our own address", address));
  if (!owner->covers(spec.address))
    complain(place, "address", what,
             fmt::format("{} is on no subnet of {}", address, spec.interface));
}

void Check::check_sysctls() {
  core::Sysctl tree = Manager::default_sysctl();
  for (const auto& [name, value] : config_.sysctls)
    if (const auto set = tree.set(name, value); !set)
      complaints_.push_back(file_.sysctls.of(name) + set.error().context);
}

void Check::check_limits() {
  const auto count = [&](std::size_t n, std::uint32_t limit, const char* what,
                         const std::vector<ConfigPlace>& places, std::size_t first) {
    if (n > limit)
      complaints_.push_back(fmt::format("{}{} {}, limits.{} is {}", place_of(places, first).of(""),
                                        n, what, what, limit));
  };
  const Limits& l = config_.limits;
  const std::size_t interfaces = config_.interfaces.size();
  count(interfaces + config_.tunnels.size(), l.interfaces, "interfaces",
        interfaces > l.interfaces ? file_.interfaces : file_.tunnels,
        interfaces > l.interfaces ? l.interfaces : l.interfaces - interfaces);
  count(config_.vrfs.size(), l.vrfs, "vrfs", file_.vrfs, l.vrfs);
  count(config_.tunnels.size(), l.tunnels, "tunnels", file_.tunnels, l.tunnels);
  count(config_.sas.size(), l.sas, "sas", file_.sas, l.sas);
  count(config_.routes.size(), l.routes, "routes", file_.routes, l.routes);
  count(config_.neighbors.size(), l.neighbors, "neighbors", file_.neighbors, l.neighbors);
}
}  // namespace

void add_command_line(ConfigFile& file, const CommandLine& line, const DriverRegistry& drivers) {
  Config& config = file.config;
  if (line.workers) config.workers = *line.workers;
  if (line.forward) {
    std::erase_if(config.sysctls, [](const auto& s) { return s.first == kForwarding; });
    config.sysctls.emplace_back(kForwarding, 1);
  }
  const std::vector<InterfaceSpec> own = config.interfaces;
  for (const InterfaceSpec& device : line.devices) {
    const bool there = std::ranges::any_of(own, [&](const InterfaceSpec& i) {
      return device.name.empty() ? identify(i, drivers) == identify(device, drivers)
                                 : i.name == device.name;
    });
    if (!there) config.interfaces.push_back(device);
  }
}

std::vector<std::string> complete_config(ConfigFile& file, const DriverRegistry& drivers) {
  return Check{file, drivers}.run();
}

DeviceIdentity identify(const InterfaceSpec& spec, const DriverRegistry& drivers) {
  DeviceIdentity id{spec.driver, spec.options};
  if (const auto driver = drivers.load(spec.driver)) {
    id.driver = driver_name(**driver);
    if (const auto values = check_options(**driver, spec.options)) {
      id.options.clear();
      for (const pollux_option_value& v : *values) id.options.emplace_back(v.name, v.value);
    }
  }
  std::ranges::sort(id.options);
  return id;
}

std::string parent_of(const InterfaceSpec& spec) {
  const auto at = std::ranges::find(spec.options, "parent", [](const auto& o) { return o.first; });
  return at == spec.options.end() ? std::string{} : at->second;
}
}  // namespace polluxd
