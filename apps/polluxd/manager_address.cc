// SPDX-License-Identifier: BSD-3-Clause
// Addresses of interfaces, and what each of them makes: a route to ourselves, one to its subnet,
// one to its broadcast address.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;
using proto::IpPrefix;
using proto::NextHopKind;
using proto::RouteOrigin;

/// The subnet as the routing table knows it: that of a link-local address is its link's own.
IpPrefix scoped(const IpPrefix& subnet, core::InterfaceId id) {
  return {proto::scoped(subnet.address, id), subnet.length};
}

unsigned common_bits(const core::IpAddress& a, const core::IpAddress& b) noexcept {
  unsigned bits = 0;
  while (bits < 128 && ((a.bytes()[bits / 8] ^ b.bytes()[bits / 8]) << (bits % 8) & 0x80) == 0)
    ++bits;
  return bits;
}

/// The broadcast address of an address's subnet, where it has one.
std::optional<IpPrefix> broadcast_of(const IpPrefix& address) {
  if (!address.is_ip4() || address.length > 30) return std::nullopt;
  return IpPrefix::host(address.ip4().broadcast());
}
}  // namespace

std::string Manager::bad_address(const IpPrefix& prefix, bool loopback) {
  if (prefix.length == 0) return "has a prefix length of 0";
  if (is_loopback(prefix.address)) {
    if (!loopback) return "is loopback: only an interface of the driver \"loop\" can have it";
    return prefix.is_ip4() && prefix.length < 8 ? "has a prefix length below 8" : "";
  }
  if (!prefix.is_ip4()) {
    const auto& bytes = prefix.address.bytes();
    if (bytes[0] == 0 || bytes[0] == 0xff) return "is loopback, multicast or reserved";
    if (proto::is_link_local(prefix.address) && prefix.length < 64)
      return "is link-local, of which a link has fe80::/64";
    // RFC 4291 section 2.6.1: the subnet-router anycast address; RFC 6164 exempts /127.
    if (prefix.length < 127 && prefix == prefix.network()) return "is the address of the subnet";
    return {};
  }
  const proto::Ip4Prefix p = prefix.ip4();
  const std::uint32_t net = p.address >> 24;
  if (net == 0 || net == 127 || net >= 224) return "is loopback, multicast, reserved or in 0/8";
  if (p.length <= 30 && p.address == p.network().address) return "is the address of the subnet";
  if (p.length <= 30 && p.address == p.broadcast()) return "is the broadcast address of the subnet";
  return {};
}

core::Expected<> Manager::add_address(const std::string& name, IpPrefix address) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  auto added = impl_->add_address(*id, address);
  if (added) {
    impl_->update_inet6(*id);
    impl_->publish();
    impl_->link_changed(*id);
    impl_->tell(ManagerEvent::Kind::AddressAdded, name, proto::to_string(address));
  }
  return added;
}

core::Expected<> Manager::Impl::add_address(core::InterfaceId id, IpPrefix address,
                                            const AddressLife& life) {
  if constexpr (!core::kInet6)
    if (!address.is_ip4()) return core::no_inet6(proto::to_string(address));
  if (const std::string why = bad_address(address, is_loopback_interface(id)); !why.empty())
    return Error{Errc::Invalid, fmt::format("{} {}", proto::to_string(address), why)};
  const auto same_vrf = [&](std::size_t other) {
    return vrf_of(static_cast<core::InterfaceId>(other)) == vrf_of(id);
  };
  for (std::size_t other = 0; other < managed.size(); ++other)
    for (const IpPrefix& a : managed[other].addresses)
      if (a.address == address.address &&
          (other == id || (!proto::is_link_local(address.address) && same_vrf(other))))
        return Error{Errc::Exists,
                     fmt::format("{} is already an address of {}", proto::to_string(a.address),
                                 name_of(static_cast<core::InterfaceId>(other)))};
  ManagedInterface& i = managed[id];
  if (is_loopback(address.address)) {  // no route leads there: it is a martian for all others
    i.addresses.push_back(address);
    i.connected.push_back(0);
    i.lives.push_back(life);
    return core::Done{};
  }
  proto::NextHopId connected = 0;
  if (!is_tunnel(id) && !address.is_host()) {
    proto::NextHopFields glean = link_fields(id, address.address);
    glean.kind = NextHopKind::Glean;
    const auto nh = next_hops.allocate(glean);
    if (!nh)
      return Error{Errc::Full, fmt::format("next-hop table is full: {} entries (limits.next_hops)",
                                           next_hops.capacity())};
    connected = *nh;
  }
  if (auto done = add_address_routes(id, address, connected); !done) {
    if (connected != 0) next_hops.release(connected);
    return done;
  }
  i.addresses.push_back(address);
  i.connected.push_back(connected);
  i.lives.push_back(life);
  if (auto joined = update_memberships(id); !joined) {
    remove_address(id, i.addresses.size() - 1);
    return joined;
  }
  detect(id, i.addresses.size() - 1);
  return core::Done{};
}

/// The routes that an address makes in the VRF of its interface, all or none.
/// @param connected  leads to its subnet; 0: it has none of its own.
core::Expected<> Manager::Impl::add_address_routes(core::InterfaceId id, const IpPrefix& address,
                                                   proto::NextHopId connected) {
  if (is_loopback(address.address)) return core::Done{};
  const ManagedInterface& i = managed[id];
  const bool tunnel = is_tunnel(id);
  const proto::NextHopId to_subnet =
      tunnel ? tunnel_list[*find_tunnel(name_of(id))].next_hop : connected;
  proto::RouteTable& table = routes_of(id);
  std::vector<std::pair<IpPrefix, RouteOrigin>> made;
  const auto add = [&](const IpPrefix& p, RouteOrigin origin,
                       proto::NextHopId nh) -> core::Expected<> {
    auto added = table.add(p, origin, {nh, id, std::nullopt});
    if (added) made.emplace_back(p, origin);
    return added;
  };
  const IpPrefix subnet = scoped(address, id);
  core::Expected<> done = add(IpPrefix::host(subnet.address), RouteOrigin::Local, i.local);
  // A second address in the same subnet finds the subnet's route there: that is no error.
  if (done && !address.is_host() && table.find(subnet, RouteOrigin::Connected) == nullptr)
    done = add(subnet, RouteOrigin::Connected, to_subnet);
  const std::optional<IpPrefix> broadcast = broadcast_of(address);
  if (done && broadcast && !tunnel && table.find(*broadcast, RouteOrigin::Connected) == nullptr)
    done = add(*broadcast, RouteOrigin::Connected, i.broadcast);
  if (!done)
    for (const auto& [p, origin] : made) (void)table.remove(p, origin);
  return done;
}

core::Expected<> Manager::delete_address(const std::string& name, IpPrefix address) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  auto& addresses = impl_->managed[*id].addresses;
  const auto at = std::find(addresses.begin(), addresses.end(), address);
  if (at == addresses.end())
    return Error{Errc::NotFound,
                 fmt::format("{} has no address {}", name, proto::to_string(address))};
  impl_->remove_address(*id, static_cast<std::size_t>(at - addresses.begin()));
  impl_->update_inet6(*id);
  impl_->publish();
  impl_->link_changed(*id);
  impl_->tell(ManagerEvent::Kind::AddressDeleted, name, proto::to_string(address));
  return core::Done{};
}

void Manager::Impl::remove_address(core::InterfaceId id, std::size_t index) {
  ManagedInterface& i = managed[id];
  const IpPrefix address = i.addresses[index];
  const proto::NextHopId connected = i.connected[index];
  i.addresses.erase(i.addresses.begin() + static_cast<std::ptrdiff_t>(index));
  i.connected.erase(i.connected.begin() + static_cast<std::ptrdiff_t>(index));
  i.lives.erase(i.lives.begin() + static_cast<std::ptrdiff_t>(index));
  detection.stop(id, address.address);
  std::erase_if(announcements, [&](const Announcement& a) {
    return a.interface == id && a.address == address.address;
  });
  leave_interface(id);
  remove_stranded_routes(id, /*all=*/false);
  neighbors.remove_unless(id, [&](const core::IpAddress& a) { return on_link(id, a); });

  const IpPrefix subnet = scoped(address, id);
  (void)routes_of(id).remove(IpPrefix::host(subnet.address), RouteOrigin::Local);
  const proto::Route* route = routes_of(id).find(subnet, RouteOrigin::Connected);
  if (!address.is_host() && route != nullptr && route->interface == id &&
      (connected == 0 || route->next_hop == connected))
    pass_on(vrf_of(id), subnet.network(), id);
  const std::optional<IpPrefix> broadcast = broadcast_of(address);
  route = broadcast ? routes_of(id).find(*broadcast, RouteOrigin::Connected) : nullptr;
  if (route != nullptr && route->interface == id) pass_on(vrf_of(id), *broadcast, id);
  if (connected != 0) next_hops.release(connected);
  (void)update_memberships(id);  // what is left needs no room
}

/// The next hop of the connected route to `prefix`, as the tables know it, that an address of an
/// interface makes; 0: it makes none.
proto::NextHopId Manager::Impl::connected_by(core::InterfaceId id, std::size_t index,
                                             const IpPrefix& prefix) const {
  const IpPrefix& a = managed[id].addresses[index];
  if (!a.is_host() && scoped(a, id).network() == prefix)
    return is_tunnel(id) ? tunnel_list[*find_tunnel(name_of(id))].next_hop
                         : managed[id].connected[index];
  return broadcast_of(a) == prefix && !is_tunnel(id) ? managed[id].broadcast : proto::NextHopId{0};
}

/// Takes a connected route away from `from`. Another address in the VRF that makes the same one
/// gets it, on that interface where it stays in the VRF, or else on any.
void Manager::Impl::pass_on(std::uint16_t vrf, IpPrefix prefix, core::InterfaceId from) {
  (void)routes_in(vrf).remove(prefix, RouteOrigin::Connected);
  std::vector<core::InterfaceId> order;
  if (vrf_of(from) == vrf) order.push_back(from);
  for (const Interface& i : master.interfaces)
    if (i.kind != Interface::Kind::None && i.vrf == vrf && i.id != from) order.push_back(i.id);
  for (const core::InterfaceId id : order)
    for (std::size_t n = 0; n < managed[id].addresses.size(); ++n)
      if (const proto::NextHopId nh = connected_by(id, n, prefix)) {
        (void)routes_in(vrf).add(prefix, RouteOrigin::Connected, {nh, id, std::nullopt});
        return;
      }
}

/// MTU, MAC or addresses have changed: whatever was made of them is made anew.
void Manager::Impl::link_changed(core::InterfaceId id) {
  const ManagedInterface& i = managed[id];
  for (std::size_t n = 0; n < i.connected.size(); ++n) {
    if (i.connected[n] == 0) continue;
    proto::NextHopFields glean = link_fields(id, i.addresses[n].address);
    glean.kind = NextHopKind::Glean;
    if (i.lives[n].usable()) glean.source = i.addresses[n].address;
    next_hops.set(i.connected[n], glean);
  }
  link_changed_inet6(id);
  if (i.broadcast != 0) next_hops.set(i.broadcast, broadcast_fields(id));
  neighbors.refresh_link(id);
  refresh_tunnels();
}

/// The interface has come up, or its link has: it may be another link, where others have our
/// addresses (RFC 4862 section 5.4, RFC 5227 section 2.1).
void Manager::Impl::link_is_up(core::InterfaceId id) {
  for (std::size_t n = 0; n < managed[id].addresses.size(); ++n) detect(id, n);
  update_inet6(id);
  memberships.link_up(id, now_us);
  link_is_up_inet6(id);
  publish();
  link_changed(id);
}

/// Workers see IPv4 addresses once they are usable, IPv6's while they are tentative as well.
void Manager::Impl::publish_addresses() {
  for (core::InterfaceId id = 0; id < managed.size(); ++id) {
    const ManagedInterface& i = managed[id];
    master.ip4.addresses[id].clear();
    master.ip4.tentative[id].clear();
    master.ip6.addresses[id].clear();
    master.ip6.router[id] = is_router(id);
    master.ip6.hop_limits[id] = i.inet6_hop_limit;
    master.ip6.vrfs[id] = vrf_of(id);
    for (std::size_t n = 0; n < i.addresses.size(); ++n) {
      const bool usable = i.lives[n].usable();
      if (i.lives[n].state == AddressState::Duplicated) continue;
      if (!i.addresses[n].is_ip4())
        master.ip6.addresses[id].push_back({i.addresses[n], !usable});
      else if (usable)
        master.ip4.addresses[id].push_back(i.addresses[n].ip4());
      else
        master.ip4.tentative[id].push_back(i.addresses[n].ip4().address);
    }
  }
}

/// The address that packets to `dst` by that interface come from (RFC 6724 section 5, as far as
/// addresses of one interface differ): of the same scope, preferred, of the same subnet, nearest.
/// @return "::" where none can be used.
core::IpAddress Manager::Impl::choose_source(core::InterfaceId id,
                                             const core::IpAddress& dst) const {
  const ManagedInterface& i = managed[id];
  const core::IpAddress to = proto::unscoped(dst);
  std::optional<std::size_t> best;
  const auto rank = [&](std::size_t n) {
    const IpPrefix& a = i.addresses[n];
    const bool same_scope = proto::is_link_scoped(a.address) == proto::is_link_scoped(to);
    return std::tuple{same_scope, i.lives[n].state == AddressState::Preferred, a.contains(to),
                      a.is_ip4() ? 0 : common_bits(a.address, to)};
  };
  for (std::size_t n = 0; n < i.addresses.size(); ++n)
    if (i.addresses[n].is_ip4() == to.is_ip4() && i.lives[n].usable())
      if (!best || rank(n) > rank(*best)) best = n;
  return best ? i.addresses[*best].address : core::IpAddress{};
}

/// Whether hosts with that address are on the link (RFC 4861 section 2.1).
bool Manager::Impl::on_link(core::InterfaceId id, const core::IpAddress& address) const {
  return subnet_of(id, address) || on_link_by_prefix(id, address);
}

proto::NextHopFields Manager::Impl::link_fields(core::InterfaceId id,
                                                const core::IpAddress& address) const {
  const Interface& i = master.interfaces[id];
  return {.kind = NextHopKind::NoRoute,
          .interface = id,
          .mtu = address.is_ip4() || managed[id].inet6_mtu == 0
                     ? i.mtu
                     : std::min(i.mtu, managed[id].inet6_mtu),
          .tunnel = i.vrf,  // for Glean
          .ether_type = address.is_ip4() ? proto::kEtherTypeIp4 : proto::kEtherTypeIp6,
          .gateway = address,
          .source = choose_source(id, address),
          .src_mac = i.mac,
          .port = i.port_id,
          .encapsulation = i.encapsulation};
}

bool Manager::Impl::is_ours(const core::IpAddress& address, std::uint16_t vrf) const {
  return routes_in(vrf).find(IpPrefix::host(address), RouteOrigin::Local) != nullptr;
}

std::optional<IpPrefix> Manager::Impl::subnet_of(core::InterfaceId id,
                                                 const core::IpAddress& address) const {
  for (const IpPrefix& a : managed[id].addresses)
    if (a.contains(proto::unscoped(address))) return a;
  return std::nullopt;
}

}  // namespace polluxd
