// SPDX-License-Identifier: BSD-3-Clause
// What goes and what comes.
#include "apps/polluxd/config_planner.hh"

#include <fmt/format.h>

#include <algorithm>

#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
using proto::IpPrefix;

template <class T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::ranges::find(list, value) != list.end();
}
bool same_route(const RouteSpec& a, const RouteSpec& b) {
  return a.kind == b.kind && a.gateway == b.gateway && a.interface == b.interface &&
         a.next_hops == b.next_hops && a.recursive == b.recursive;
}
/// How many interfaces it stands on.
std::size_t depth(const std::vector<InterfaceSpec>& all, const InterfaceSpec& spec) {
  std::size_t n = 0;
  for (std::string name = parent_of(spec); !name.empty() && n <= all.size(); ++n) {
    const auto at = std::ranges::find(all, name, &InterfaceSpec::name);
    name = at == all.end() ? std::string{} : parent_of(*at);
  }
  return n;
}
}  // namespace

void ConfigPlanner::run() {
  index();
  find_kept_vrfs();
  find_kept();
  early_addresses();
  remove_neighbors();
  remove_routes();
  park_sas();
  destroy_tunnels();
  delete_addresses();
  destroy_interfaces();
  destroy_vrfs();
  change_sysctls();
  change_mtus();
  create_vrfs();
  create_interfaces();
  create_tunnels();
  change_faces();
  exchange_sas();
  order_sas();
  add_routes();
  add_neighbors();
}

void ConfigPlanner::index() {
  for (const auto& i : now_.interfaces) interfaces_[i.name] = &i;
  for (const auto& i : want_.interfaces) wanted_interfaces_[i.name] = &i;
  for (const auto& t : now_.tunnels) tunnels_[t.name] = &t;
  for (const auto& t : want_.tunnels) wanted_tunnels_[t.name] = &t;
  for (const auto& r : now_.routes) routes_[{r.vrf, r.prefix}] = &r;
  for (const auto& r : want_.routes) wanted_routes_[{r.vrf, r.prefix}] = &r;
  for (const auto& n : now_.neighbors) neighbors_[{n.interface, n.address}] = &n;
  for (const auto& n : want_.neighbors) wanted_neighbors_[{n.interface, n.address}] = &n;
  for (const auto& s : now_.sas) sas_[key_of(s)] = &s;
  for (const auto& s : want_.sas) wanted_sas_[key_of(s)] = &s;
  for (const SaTotals& s : m_.sas())
    sa_ids_[{s.info.tunnel, s.info.direction, s.info.spi}] = s.info.id;
}

/// A VRF that gets another id is another one.
void ConfigPlanner::find_kept_vrfs() {
  kept_vrfs_.insert("");
  for (const VrfSpec& v : now_.vrfs) {
    const auto then = std::ranges::find(want_.vrfs, v.name, &VrfSpec::name);
    if (then != want_.vrfs.end() && (then->id == 0 || then->id == v.id)) kept_vrfs_.insert(v.name);
  }
}

void ConfigPlanner::destroy_vrfs() {
  for (const VrfSpec& v : now_.vrfs) {
    if (kept_vrfs_.contains(v.name)) continue;
    const auto then = std::ranges::find(want_.vrfs, v.name, &VrfSpec::name);
    if (then == want_.vrfs.end())
      change(Sign::Remove, "vrf", v.name, fmt::format("id {}", v.id));
    else
      change(Sign::Modify, "vrf", v.name, fmt::format("made anew: id {} -> {}", v.id, then->id));
    steps_.remove(v);
  }
}

/// Those with an id first: the others take what is free.
void ConfigPlanner::create_vrfs() {
  for (const bool numbered : {true, false})
    for (std::size_t n = 0; n < want_.vrfs.size(); ++n) {
      const VrfSpec& v = want_.vrfs[n];
      if (kept_vrfs_.contains(v.name) || (v.id != 0) != numbered) continue;
      if (std::ranges::find(now_.vrfs, v.name, &VrfSpec::name) == now_.vrfs.end())
        change(Sign::Add, "vrf", v.name, numbered ? fmt::format("id {}", v.id) : "");
      steps_.at(place(file_.vrfs, n));
      steps_.add(v);
    }
}

/// An interface stays if it is the same device and what it stands on stays.
void ConfigPlanner::find_kept() {
  std::vector<const InterfaceSpec*> order;
  for (const InterfaceSpec& i : now_.interfaces) order.push_back(&i);
  std::ranges::stable_sort(order, {},
                           [&](const InterfaceSpec* i) { return depth(now_.interfaces, *i); });
  for (const InterfaceSpec* i : order) {
    const auto then = wanted_interfaces_.find(i->name);
    if (then == wanted_interfaces_.end()) continue;
    if (identify(*i, drivers_) != identify(*then->second, drivers_)) continue;
    if (i->vrf != then->second->vrf || !kept_vrfs_.contains(i->vrf)) continue;
    const std::string parent = parent_of(*i);
    if (!parent.empty() && !kept_.contains(parent)) continue;
    keep_face(i->name, i->addresses, then->second->addresses, false);
  }
  for (const TunnelConfig& t : now_.tunnels) {
    const auto then = wanted_tunnels_.find(t.name);
    if (then == wanted_tunnels_.end()) continue;
    const bool same_vrfs = t.vrf == then->second->vrf &&
                           t.overlay_vrf == then->second->overlay_vrf &&
                           kept_vrfs_.contains(t.vrf) && kept_vrfs_.contains(t.overlay_vrf);
    if (same_vrfs && t.local == then->second->local && t.remote == then->second->remote)
      keep_face(t.name, t.addresses, then->second->addresses, true);
  }
}

void ConfigPlanner::keep_face(const std::string& name, const Addresses& now, const Addresses& then,
                              bool tunnel) {
  Face face{now, then, {}, false, tunnel};
  for (const IpPrefix& a : now) {
    if (contains(then, a)) {
      face.stay.push_back(a);
    } else if (a.length < 32) {
      face.loses = true;
    }
  }
  kept_.emplace(name, std::move(face));
}

void ConfigPlanner::early_addresses() {
  std::set<core::IpAddress> used;
  for (const InterfaceSpec& i : now_.interfaces)
    for (const IpPrefix& a : i.addresses) used.insert(a.address);
  for (const TunnelConfig& t : now_.tunnels)
    for (const IpPrefix& a : t.addresses) used.insert(a.address);
  for (auto& [name, face] : kept_)
    for (const IpPrefix& a : face.then)
      if (!contains(face.now, a) && !used.contains(a.address)) {
        steps_.add_address(name, a);
        face.stay.push_back(a);
      }
}

bool ConfigPlanner::is_stranded(const std::string& interface,
                                const core::IpAddress& address) const {
  const auto face = kept_.find(interface);
  const bool link_local = proto::is_link_local(address);  // on the link as long as IPv6 is spoken
  return face == kept_.end() || std::ranges::none_of(face->second.stay, [&](const IpPrefix& a) {
           return link_local ? !a.is_ip4() : a.contains(address);
         });
}

/// Whether a route would go along with something that goes.
bool ConfigPlanner::is_lost(const RouteSpec& running) const {
  if (!kept_vrfs_.contains(running.vrf)) return true;
  if (running.kind != RouteSpec::Kind::Unicast) return false;
  if (!running.next_hops.empty() || running.recursive) return false;
  if (running.gateway) return is_stranded(running.interface, *running.gateway);
  const auto face = kept_.find(running.interface);
  return face == kept_.end() || (!face->second.tunnel && face->second.loses);
}

void ConfigPlanner::remove_neighbors() {
  for (const NeighborSpec& n : now_.neighbors) {
    const std::pair key{n.interface, n.address};
    const auto then = wanted_neighbors_.find(key);
    const bool stays = then != wanted_neighbors_.end();
    if (!stays) change(Sign::Remove, "neighbor", neighbor_name(n), proto::to_string(n.mac));
    if (stays && !is_stranded(n.interface, n.address)) continue;
    if (stays) lost_neighbors_.insert(key);
    steps_.remove(n);
  }
}

void ConfigPlanner::remove_routes() {
  for (const RouteSpec& r : now_.routes) {
    const auto then = wanted_routes_.find({r.vrf, r.prefix});
    const bool stays = then != wanted_routes_.end();
    if (!stays) change(Sign::Remove, "route", route_name(r), describe(r));
    if (stays && !is_lost(r)) continue;
    if (stays) lost_routes_.insert({r.vrf, r.prefix});
    steps_.remove(r);
  }
}

void ConfigPlanner::delete_addresses() {
  for (const auto& [name, face] : kept_)
    for (const IpPrefix& a : face.now)
      if (!contains(face.then, a)) steps_.delete_address(name, a);
}

/// What stands on another goes before it.
void ConfigPlanner::destroy_interfaces() {
  std::vector<const InterfaceSpec*> order;
  for (const InterfaceSpec& i : now_.interfaces) {
    if (kept_.contains(i.name)) continue;
    order.push_back(&i);
    const auto then = wanted_interfaces_.find(i.name);
    if (then == wanted_interfaces_.end())
      change(Sign::Remove, "interface", i.name, describe(i));
    else
      remade_interface(i, *then->second);
  }
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](const InterfaceSpec* i) { return depth(now_.interfaces, *i); });
  for (const InterfaceSpec* i : order) steps_.destroy(*i);
}

void ConfigPlanner::change_sysctls() {
  std::map<std::string, std::int64_t> wanted;
  for (const auto& [name, value] : want_.sysctls) wanted[name] = value;
  for (const core::SysctlNode& node : m_.sysctl().list()) {
    const auto at = wanted.find(node.name);
    const std::int64_t to = at == wanted.end() ? node.initial : at->second;
    if (to == node.value) continue;
    change(Sign::Modify, "sysctl", node.name, fmt::format("{} -> {}", node.value, to));
    steps_.at(file_.sysctls);
    steps_.set_sysctl(node.name, node.value, to);
  }
}

void ConfigPlanner::create_interfaces() {
  std::vector<std::size_t> order;
  for (std::size_t n = 0; n < want_.interfaces.size(); ++n)
    if (!kept_.contains(want_.interfaces[n].name)) order.push_back(n);
  std::ranges::stable_sort(
      order, {}, [&](std::size_t n) { return depth(want_.interfaces, want_.interfaces[n]); });
  for (const std::size_t n : order) {
    const InterfaceSpec& spec = want_.interfaces[n];
    if (!interfaces_.contains(spec.name)) change(Sign::Add, "interface", spec.name, describe(spec));
    steps_.at(place(file_.interfaces, n));
    steps_.create(spec);
  }
}

void ConfigPlanner::add_routes() {
  for (std::size_t n = 0; n < want_.routes.size(); ++n) {
    const RouteSpec& then = want_.routes[n];
    const std::string prefix = route_name(then);
    const RouteKey key{then.vrf, then.prefix};
    const auto at = routes_.find(key);
    const bool lost = lost_routes_.contains(key);
    steps_.at(place(file_.routes, n));
    if (at == routes_.end()) {
      change(Sign::Add, "route", prefix, describe(then));
    } else if (!same_route(*at->second, then)) {
      change(Sign::Modify, "route", prefix,
             fmt::format("{} -> {}", describe(*at->second), describe(then)));
      if (!lost) steps_.remove(*at->second);
    } else if (lost) {
      change(Sign::Modify, "route", prefix, "made anew: what it leans on changes");
    } else {
      continue;
    }
    steps_.add(then);
  }
}

void ConfigPlanner::add_neighbors() {
  for (std::size_t n = 0; n < want_.neighbors.size(); ++n) {
    const NeighborSpec& then = want_.neighbors[n];
    const std::pair key{then.interface, then.address};
    const auto at = neighbors_.find(key);
    const bool lost = lost_neighbors_.contains(key);
    const bool same = at != neighbors_.end() && at->second->mac == then.mac;
    steps_.at(place(file_.neighbors, n));
    if (at == neighbors_.end()) {
      change(Sign::Add, "neighbor", neighbor_name(then), proto::to_string(then.mac));
    } else if (!same) {
      change(
          Sign::Modify, "neighbor", neighbor_name(then),
          fmt::format("{} -> {}", proto::to_string(at->second->mac), proto::to_string(then.mac)));
    } else if (lost) {
      change(Sign::Modify, "neighbor", neighbor_name(then), "made anew: what it leans on changes");
    } else {
      continue;
    }
    if (at != neighbors_.end() && !lost)
      steps_.replace(*at->second, then);
    else
      steps_.add(then);
  }
}
}  // namespace polluxd
