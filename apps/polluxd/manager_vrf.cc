// SPDX-License-Identifier: BSD-3-Clause
// VRFs: routing tables of their own, and which interfaces are in them.
#include "apps/polluxd/manager_vrf.hh"

#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;
using proto::IpPrefix;
using proto::RouteOrigin;

/// Of an interface that is between two VRFs.
constexpr std::uint16_t kNoVrf = 0xffff;
}  // namespace

core::Expected<std::uint16_t> Manager::Impl::find_vrf(const std::string& name) const {
  if (name.empty() || name == kDefaultVrf) return std::uint16_t{0};
  for (std::size_t id = 1; id < vrfs.size(); ++id)
    if (vrfs[id] != nullptr && vrfs[id]->name == name) return static_cast<std::uint16_t>(id);
  return Error{Errc::NotFound, fmt::format("no VRF {}", name)};
}

std::string Manager::Impl::vrf_name(std::uint16_t vrf) const {
  return vrf == 0 || vrf >= vrfs.size() || vrfs[vrf] == nullptr ? kDefaultVrf : vrfs[vrf]->name;
}

std::uint64_t Manager::Impl::route_version() const {
  std::uint64_t sum = vrf_changes;
  for_each_vrf([&](std::uint16_t, const proto::RouteTable& table) { sum += table.version(); });
  return sum;
}

Error no_autoconf_in_vrf(const std::string& interface) {
  return {Errc::Unsupported,
          fmt::format("{}: autoconfiguration is for interfaces of the default VRF", interface)};
}

core::Expected<std::uint16_t> Manager::find_vrf(const std::string& name) const {
  return impl_->find_vrf(name);
}

std::string Manager::bad_vrf_name(const std::string& name) {
  constexpr std::size_t kMaxLen = 15;
  const bool good =
      !name.empty() && name.size() <= kMaxLen && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
      });
  if (!good)
    return fmt::format("'{}': expected 1 to {} letters, digits, '.', '_', '-'", name, kMaxLen);
  return name == kDefaultVrf ? fmt::format("{} is the name of the one that is always there", name)
                             : std::string{};
}

core::Expected<> Manager::add_vrf(const VrfSpec& spec) {
  Impl& m = *impl_;
  if (const std::string why = bad_vrf_name(spec.name); !why.empty())
    return Error{Errc::Invalid, fmt::format("VRF {}", why)};
  if (m.find_vrf(spec.name)) return Error{Errc::Exists, fmt::format("VRF {} exists", spec.name)};
  std::size_t id = spec.id;
  if (id == 0)
    for (id = 1; id < m.vrfs.size() && m.vrfs[id] != nullptr;) ++id;
  if (id >= m.vrfs.size() && spec.id == 0)
    return Error{Errc::Full,
                 fmt::format("VRF table is full: {} VRFs (limits.vrfs)", m.limits.vrfs)};
  if (id >= m.vrfs.size())
    return Error{Errc::Invalid,
                 fmt::format("VRF id {}: expected 1 to {} (limits.vrfs)", id, m.limits.vrfs)};
  if (m.vrfs[id] != nullptr)
    return Error{Errc::Exists, fmt::format("VRF id {} is that of {}", id, m.vrfs[id]->name)};
  auto vrf = std::make_unique<Impl::Vrf>(m.fib_blocks, m.limits.vrf_routes, spec.name);
  if (auto added = m.add_builtin_routes(vrf->routes); !added)
    return Error{added.error().code, fmt::format("VRF {}: {}", spec.name, added.error().context)};
  m.master.ip4.vrf_fibs[id] = &vrf->fib4;
  m.master.ip6.vrf_fibs[id] = &vrf->fib6;
  m.vrfs[id] = std::move(vrf);
  m.publish();
  return core::Done{};
}

/// Interfaces, tunnels and routes of a VRF, for whoever wants to delete it.
std::string Manager::Impl::who_is_in(std::uint16_t vrf) const {
  std::vector<std::string> names;
  for (const Interface& i : master.interfaces)
    if (i.kind != Interface::Kind::None && i.vrf == vrf) names.push_back(i.name);
  for (std::size_t t = 0; t < tunnel_list.size(); ++t)
    if (tunnel_list[t].used && master.ipsec.tunnels[t].underlay == vrf)
      names.push_back("the outer packets of " + tunnel_list[t].spec.name);
  std::size_t count = 0;
  std::string first;
  routes_in(vrf).for_each([&](const IpPrefix& prefix, RouteOrigin origin, const proto::Route&) {
    if (origin == RouteOrigin::Static && count++ == 0) first = proto::to_string(prefix);
  });
  if (count != 0)
    names.push_back(count == 1 ? "the route " + first
                               : fmt::format("{} routes, {} the first", count, first));
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t n = 0; n < std::min(names.size(), kShown); ++n)
    text += (n == 0 ? "" : ", ") + names[n];
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

core::Expected<> Manager::delete_vrf(const std::string& name) {
  Impl& m = *impl_;
  const auto id = m.find_vrf(name);
  if (!id) return id.error();
  if (*id == 0) return Error{Errc::Invalid, "the default VRF is always there"};
  if (const std::string who = m.who_is_in(*id); !who.empty())
    return Error{Errc::Invalid, fmt::format("VRF {} is in use by {}", name, who)};
  m.vrf_changes += m.vrfs[*id]->routes.version() + 1;
  m.master.ip4.vrf_fibs[*id] = nullptr;
  m.master.ip6.vrf_fibs[*id] = nullptr;
  m.publish();  // on return no worker looks into it
  m.vrfs[*id].reset();
  return core::Done{};
}

std::vector<VrfInfo> Manager::vrfs() const {
  const Impl& m = *impl_;
  std::vector<VrfInfo> all;
  m.for_each_vrf([&](std::uint16_t id, const proto::RouteTable&) {
    VrfInfo info;
    info.spec = {m.vrf_name(id), id};
    for (const Interface& i : m.master.interfaces)
      if (i.kind != Interface::Kind::None && i.vrf == id) info.interfaces.push_back(i.name);
    info.routes = id == 0 ? m.fib4->used() : m.vrfs[id]->fib4.used();
    info.routes6 = id == 0 ? m.count_routes6() : m.vrfs[id]->fib6.used();
    info.limit = id == 0 ? m.limits.routes : m.limits.vrf_routes;
    info.limit6 = id == 0 ? m.limits.routes6 : m.limits.vrf_routes;
    all.push_back(std::move(info));
  });
  return all;
}

/// Takes what an interface has made in a VRF that it is about to leave out of its tables.
void Manager::Impl::withdraw_from_vrf(core::InterfaceId id) {
  proto::RouteTable& table = routes_of(id);
  const std::uint16_t vrf = vrf_of(id);
  neighbors.leave_routes(id);
  for (const core::IpAddress& group : managed[id].groups) remove_group_route(id, group);
  std::vector<IpPrefix> connected, local;
  table.for_each([&](const IpPrefix& prefix, RouteOrigin origin, const proto::Route& route) {
    if (route.interface != id) return;
    if (origin == RouteOrigin::Connected) connected.push_back(prefix);
    if (origin == RouteOrigin::Local) local.push_back(prefix);
  });
  for (const IpPrefix& p : local) (void)table.remove(p, RouteOrigin::Local);
  master.interfaces[id].vrf = kNoVrf;
  for (const IpPrefix& p : connected) pass_on(vrf, p, id);
}

/// Makes the same in another VRF, which it is in from now on.
core::Expected<> Manager::Impl::bring_into_vrf(core::InterfaceId id, std::uint16_t vrf) {
  master.interfaces[id].vrf = vrf;
  const ManagedInterface& i = managed[id];
  for (std::size_t n = 0; n < i.addresses.size(); ++n) {
    if (auto added = add_address_routes(id, i.addresses[n], i.connected[n]); !added) return added;
    if (!is_loopback(i.addresses[n].address)) set_address_state(id, n, i.lives[n].state);
  }
  for (const core::IpAddress& group : i.groups)
    if (auto added = add_group_route(id, group); !added) return added;
  return neighbors.enter_routes(id);
}

core::Expected<> Manager::set_vrf(const std::string& name, const std::string& vrf_name) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  const auto to = m.find_vrf(vrf_name);
  if (!to) return to.error();
  const std::uint16_t from = m.vrf_of(*id);
  if (*to == from) return core::Done{};
  if (m.managed[*id].spec.autoconf) return no_autoconf_in_vrf(name);
  if (auto free = m.check_addresses_free(*id, *to); !free) return free;
  m.leave_interface(*id);
  m.withdraw_from_vrf(*id);
  if (auto moved = m.bring_into_vrf(*id, *to); !moved) {
    m.withdraw_from_vrf(*id);
    (void)m.bring_into_vrf(*id, from);  // there was room a moment ago
    return Error{moved.error().code,
                 fmt::format("{} stays in {}: {}", name, m.vrf_name(from), moved.error().context)};
  }
  m.remove_stranded_routes(*id, /*all=*/true);
  m.managed[*id].spec.vrf = *to == 0 ? std::string{} : m.vrf_name(*to);
  if (m.is_tunnel(*id)) m.master.ipsec.tunnels[*m.find_tunnel(name)].overlay = *to;
  m.publish();
  m.link_changed(*id);
  return core::Done{};
}

/// Whether nobody in a VRF has an address of the interface, link-local ones apart.
core::Expected<> Manager::Impl::check_addresses_free(core::InterfaceId id,
                                                     std::uint16_t vrf) const {
  for (const IpPrefix& own : managed[id].addresses) {
    if (proto::is_link_local(own.address)) continue;
    for (const Interface& i : master.interfaces)
      if (i.kind != Interface::Kind::None && i.vrf == vrf &&
          std::ranges::any_of(managed[i.id].addresses,
                              [&](const IpPrefix& a) { return a.address == own.address; }))
        return Error{Errc::Exists,
                     fmt::format("{} is already an address of {} in {}",
                                 proto::to_string(own.address), i.name, vrf_name(vrf))};
  }
  return core::Done{};
}

core::Expected<> Manager::set_urpf(const std::string& name, Interface::Urpf urpf) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  if (impl_->is_tunnel(*id))
    return Error{Errc::Unsupported,
                 fmt::format("{} is a tunnel: its selectors say which sources may come", name)};
  impl_->master.interfaces[*id].urpf = urpf;
  impl_->managed[*id].spec.urpf = urpf;
  impl_->publish();
  return core::Done{};
}
}  // namespace polluxd
