// SPDX-License-Identifier: BSD-3-Clause
// Addresses of interfaces, and what each of them makes: a route to ourselves, one to its subnet,
// one to its broadcast address.
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
using proto::NextHopKind;
using proto::RouteOrigin;

/// The subnet as the routing table knows it: that of a link-local address is its link's own.
IpPrefix scoped(const IpPrefix& subnet, core::InterfaceId id) {
  return {proto::scoped(subnet.address, id), subnet.length};
}

/// The broadcast address of an address's subnet, where it has one.
std::optional<IpPrefix> broadcast_of(const IpPrefix& address) {
  if (!address.is_ip4() || address.length > 30) return std::nullopt;
  return IpPrefix::host(address.ip4().broadcast());
}
}  // namespace

std::string Manager::bad_address(const IpPrefix& prefix) {
  if (prefix.length == 0) return "has a prefix length of 0";
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
  if (const std::string why = bad_address(address); !why.empty())
    return Error{Errc::Invalid, fmt::format("{} {}", proto::to_string(address), why)};
  for (std::size_t other = 0; other < managed.size(); ++other)
    for (const IpPrefix& a : managed[other].addresses)
      if (a.address == address.address && (other == id || !proto::is_link_local(address.address)))
        return Error{Errc::Exists,
                     fmt::format("{} is already an address of {}", proto::to_string(a.address),
                                 name_of(static_cast<core::InterfaceId>(other)))};
  ManagedInterface& i = managed[id];
  const Interface& face = master.interfaces[id];
  const bool tunnel = face.kind == Interface::Kind::Tunnel;

  proto::NextHopId connected = 0;
  if (!tunnel && !address.is_host()) {
    proto::NextHopFields glean = link_fields(id, address.address);
    glean.kind = NextHopKind::Glean;
    const auto nh = next_hops.allocate(glean);
    if (!nh)
      return Error{Errc::Full,
                   fmt::format("next-hop table is full: {} entries", next_hops.capacity())};
    connected = *nh;
  }
  const proto::NextHopId to_subnet =
      tunnel ? tunnel_list[static_cast<std::size_t>(*find_tunnel(face.name))].next_hop : connected;

  // All or nothing: each step knows how to be taken back.
  std::vector<std::pair<IpPrefix, RouteOrigin>> made;
  const auto add = [&](const IpPrefix& p, RouteOrigin origin,
                       proto::NextHopId nh) -> core::Expected<> {
    auto added = routes.add(p, origin, {nh, id, std::nullopt});
    if (added) made.emplace_back(p, origin);
    return added;
  };
  const IpPrefix subnet = scoped(address, id);
  core::Expected<> done = add(IpPrefix::host(subnet.address), RouteOrigin::Local, i.local);
  // A second address in the same subnet finds the subnet's route there: that is no error.
  if (done && !address.is_host() && routes.find(subnet, RouteOrigin::Connected) == nullptr)
    done = add(subnet, RouteOrigin::Connected, to_subnet);
  const std::optional<IpPrefix> broadcast = broadcast_of(address);
  if (done && broadcast && !tunnel && routes.find(*broadcast, RouteOrigin::Connected) == nullptr)
    done = add(*broadcast, RouteOrigin::Connected, i.broadcast);
  if (!done) {
    for (const auto& [p, origin] : made) (void)routes.remove(p, origin);
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
  (void)routes.remove(IpPrefix::host(subnet.address), RouteOrigin::Local);
  const proto::Route* route = routes.find(subnet, RouteOrigin::Connected);
  if (!address.is_host() && route != nullptr && route->interface == id &&
      (connected == 0 || route->next_hop == connected))
    pass_on(subnet.network(), id, [&](core::InterfaceId other, std::size_t n) -> proto::NextHopId {
      if (scoped(managed[other].addresses[n], other).network() != subnet.network()) return 0;
      return is_tunnel(other) ? tunnel_list[*find_tunnel(name_of(other))].next_hop
                              : managed[other].connected[n];
    });
  const std::optional<IpPrefix> broadcast = broadcast_of(address);
  route = broadcast ? routes.find(*broadcast, RouteOrigin::Connected) : nullptr;
  if (route != nullptr && route->interface == id)
    pass_on(*broadcast, id, [&](core::InterfaceId other, std::size_t n) -> proto::NextHopId {
      const bool same = broadcast_of(managed[other].addresses[n]) == broadcast;
      return same && !is_tunnel(other) ? managed[other].broadcast : proto::NextHopId{0};
    });
  if (connected != 0) next_hops.release(connected);
  (void)update_memberships(id);  // what is left needs no room
}

/// Takes a route of a subnet away from `from`. Another address that makes the same one gets it, on
/// that interface or else on any: `next_hop_of(interface, index of the address)` is not 0 for it.
void Manager::Impl::pass_on(
    IpPrefix prefix, core::InterfaceId from,
    const std::function<proto::NextHopId(core::InterfaceId, std::size_t)>& next_hop_of) {
  (void)routes.remove(prefix, RouteOrigin::Connected);
  std::vector<core::InterfaceId> order{from};
  for (const Interface& i : master.interfaces)
    if (i.kind != Interface::Kind::None && i.id != from) order.push_back(i.id);
  for (const core::InterfaceId id : order)
    for (std::size_t n = 0; n < managed[id].addresses.size(); ++n)
      if (const proto::NextHopId nh = next_hop_of(id, n)) {
        (void)routes.add(prefix, RouteOrigin::Connected, {nh, id, std::nullopt});
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
  for (const OnLinkPrefix& p : on_link_prefixes) {
    if (p.interface != id) continue;
    proto::NextHopFields glean = link_fields(id, p.prefix.address);
    glean.kind = NextHopKind::Glean;
    next_hops.set(p.next_hop, glean);
  }
  neighbors.refresh_link(id);
  refresh_tunnels();
}

proto::NextHopFields Manager::Impl::link_fields(core::InterfaceId id,
                                                const core::IpAddress& address) const {
  const Interface& i = master.interfaces[id];
  return {.kind = NextHopKind::NoRoute,
          .interface = id,
          .mtu = address.is_ip4() || managed[id].inet6_mtu == 0
                     ? i.mtu
                     : std::min(i.mtu, managed[id].inet6_mtu),
          .ether_type = address.is_ip4() ? proto::kEtherTypeIp4 : proto::kEtherTypeIp6,
          .gateway = address,
          .source = choose_source(id, address),
          .src_mac = i.mac,
          .port = i.port_id,
          .encapsulation = i.encapsulation};
}

bool Manager::Impl::is_ours(const core::IpAddress& address) const {
  return routes.find(IpPrefix::host(address), RouteOrigin::Local) != nullptr;
}

std::optional<IpPrefix> Manager::Impl::subnet_of(core::InterfaceId id,
                                                 const core::IpAddress& address) const {
  for (const IpPrefix& a : managed[id].addresses)
    if (a.contains(proto::unscoped(address))) return a;
  return std::nullopt;
}

}  // namespace polluxd
