// SPDX-License-Identifier: BSD-3-Clause
// Routes and neighbours: what an administrator asks for, resolved to next hops.
#include <fmt/format.h>

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
}  // namespace

/// Destinations that no router forwards to (RFC 1812 section 5.3.7, RFC 6890) are routes as well.
void Manager::Impl::make_builtin_next_hops() {
  const auto next_hop = [&](NextHopKind kind) {
    return next_hops.allocate({.kind = kind}).value();
  };
  blackhole = next_hop(NextHopKind::Blackhole);
  prohibited = next_hop(NextHopKind::Prohibited);
  unreachable = next_hop(NextHopKind::NoRoute);
  local_prefix = next_hop(NextHopKind::Local);
  martian = next_hop(NextHopKind::Martian);
  any_multicast = next_hop(NextHopKind::Multicast);
  any_broadcast = next_hop(NextHopKind::Broadcast);
}

/// @return Full: some are there, some are not.
core::Expected<> Manager::Impl::add_builtin_routes(proto::RouteTable& table) const {
  core::Expected<> done = core::Done{};
  const auto add = [&](const IpPrefix& prefix, proto::NextHopId nh) {
    auto added = table.add(prefix, RouteOrigin::Builtin, {nh, core::kNoInterface, std::nullopt});
    if (!added) done = added;
  };
  const std::pair<proto::Ip4Prefix, proto::NextHopId> builtin[] = {
      {{0x00000000, 8}, martian},        // "this network"
      {{0x7f000000, 8}, martian},        // loopback
      {{0xe0000000, 4}, any_multicast},  // class D
      {{0xf0000000, 4}, martian},        // class E
      {{0xffffffff, 32}, any_broadcast},
  };
  for (const auto& [prefix, nh] : builtin) add(prefix, nh);
  // RFC 4291 section 2.4. IPv4-mapped addresses, no prefix here, are ip6_input's.
  const std::pair<const char*, proto::NextHopId> builtin6[] = {
      {"::/128", martian},          // unspecified
      {"::1/128", martian},         // loopback
      {"fe80::/10", martian},       // link-local of no link
      {"ff00::/8", any_multicast},  // groups that nobody has joined
  };
  if constexpr (core::kInet6)
    for (const auto& [prefix, nh] : builtin6) add(proto::parse_ip_prefix(prefix).value(), nh);
  return done;
}

core::Expected<proto::Route> Manager::Impl::resolve(std::uint16_t vrf, const RouteSpec& spec) {
  if (spec.kind == RouteSpec::Kind::Blackhole)
    return proto::Route{blackhole, core::kNoInterface, std::nullopt};
  if (spec.kind == RouteSpec::Kind::Prohibit)
    return proto::Route{prohibited, core::kNoInterface, std::nullopt};
  if (spec.kind == RouteSpec::Kind::Unreachable)
    return proto::Route{unreachable, core::kNoInterface, std::nullopt};
  if (spec.kind == RouteSpec::Kind::Local)
    return proto::Route{local_prefix, core::kNoInterface, std::nullopt};
  if (!spec.next_hops.empty() || spec.recursive) {
    const auto group = use_group(vrf, spec);
    if (!group) return group.error();
    return proto::Route{*group, core::kNoInterface, std::nullopt};
  }

  core::InterfaceId id = core::kNoInterface;
  if (!spec.interface.empty()) {
    const auto found = find(spec.interface);
    if (!found) return found.error();
    id = *found;
    if (master.interfaces[id].kind == Interface::Kind::Tunnel) {
      const std::uint16_t tunnel = *find_tunnel(spec.interface);
      return proto::Route{tunnel_list[tunnel].next_hop, id, std::nullopt};
    }
  }
  if (spec.gateway) {
    if (id == core::kNoInterface && proto::is_link_local(*spec.gateway))
      return Error{Errc::Invalid, fmt::format("gateway {} is link-local: name its interface",
                                              proto::to_string(*spec.gateway))};
    if (id == core::kNoInterface) id = link_to(*spec.gateway, vrf);
    const auto subnet = id != core::kNoInterface ? subnet_of(id, *spec.gateway) : std::nullopt;
    if (!subnet)
      return Error{Errc::Invalid,
                   fmt::format("gateway {} is on no subnet of {}", proto::to_string(*spec.gateway),
                               spec.interface.empty() ? "ours" : spec.interface)};
    const core::IpAddress gateway = proto::scoped(*spec.gateway, id);
    if (is_ours(gateway, vrf_of(id)))
      return Error{Errc::Invalid,
                   fmt::format("gateway {} is our own address", proto::to_string(*spec.gateway))};
    const auto nh = neighbors.use(id, gateway);
    if (!nh) return nh.error();
    return proto::Route{*nh, id, gateway};
  }
  if (id == core::kNoInterface)
    return Error{Errc::Invalid, "a route needs a gateway, an interface or a kind"};
  // On the link without a gateway: every destination is a neighbour of its own. Needs an address,
  // or there is nothing to ask from.
  for (const proto::NextHopId connected : managed[id].connected)
    if (connected != 0) return proto::Route{connected, id, std::nullopt};
  return Error{Errc::Invalid, fmt::format("{} has no address: give a gateway or an address first",
                                          spec.interface)};
}

void Manager::Impl::let_go(const proto::Route& route) {
  if (route.gateway) neighbors.let_go(route.interface, *route.gateway);
  if (groups_by_hop.contains(route.next_hop)) let_go_group(route.next_hop);
}

core::Expected<> Manager::add_route(const RouteSpec& spec) {
  if (spec.prefix != spec.prefix.network())
    return Error{Errc::Invalid, fmt::format("{} has bits below its length: did you mean {}?",
                                            proto::to_string(spec.prefix),
                                            proto::to_string(spec.prefix.network()))};
  const auto vrf = impl_->find_vrf(spec.vrf);
  if (!vrf) return vrf.error();
  proto::RouteTable& table = impl_->routes_in(*vrf);
  if (table.find(spec.prefix, RouteOrigin::Static) != nullptr)
    return Error{Errc::Exists, fmt::format("route {} exists", proto::to_string(spec.prefix))};
  if (const auto good = check_next_hops(spec); !good) return good;
  if (spec.gateway && spec.gateway->is_ip4() != spec.prefix.is_ip4())
    return Error{Errc::Invalid,
                 fmt::format("gateway {} is of another family than {}",
                             proto::to_string(*spec.gateway), proto::to_string(spec.prefix))};
  const auto route = impl_->resolve(*vrf, spec);
  if (!route) return route.error();
  auto added = table.add(spec.prefix, RouteOrigin::Static, *route);
  if (!added) impl_->let_go(*route);
  return added;
}

core::Expected<> Manager::delete_route(IpPrefix prefix, const std::string& vrf_name) {
  const auto vrf = impl_->find_vrf(vrf_name);
  if (!vrf) return vrf.error();
  const auto gone = impl_->routes_in(*vrf).remove(prefix, RouteOrigin::Static);
  if (!gone) return gone.error();
  impl_->let_go(*gone);
  return core::Done{};
}

/// Static routes that lean on an interface: all of them, or those whose gateway or source has gone
/// with an address.
void Manager::Impl::remove_stranded_routes(core::InterfaceId id, bool all) {
  struct Stranded {
    std::uint16_t vrf;
    IpPrefix prefix;
    proto::Route route;
  };
  std::vector<Stranded> stranded;
  const auto& connected = managed[id].connected;
  const auto stays = [&](const proto::Route& route) {
    if (route.gateway) return subnet_of(id, *route.gateway).has_value();
    return master.interfaces[id].kind == Interface::Kind::Tunnel ||
           std::find(connected.begin(), connected.end(), route.next_hop) != connected.end();
  };
  for_each_vrf([&](std::uint16_t vrf, const proto::RouteTable& table) {
    if (table.static_routes(id) == 0) return;  // most interfaces: the table may be long
    table.for_each([&](const IpPrefix& prefix, RouteOrigin origin, const proto::Route& route) {
      if (origin == RouteOrigin::Static && route.interface == id && (all || !stays(route)))
        stranded.push_back({vrf, prefix, route});
    });
  });
  for (const Stranded& s : stranded) {
    (void)routes_in(s.vrf).remove(s.prefix, RouteOrigin::Static);
    let_go(s.route);
  }
}

std::uint64_t Manager::Impl::next_hop_packets(proto::NextHopId id) const {
  std::uint64_t packets = 0;
  for (const Shard* s : env.shards) packets += s->ip.next_hop[id].packets.read();
  return packets;
}

std::vector<RouteListing> Manager::routes(const std::optional<std::string>& vrf) const {
  const Impl& m = *impl_;
  std::vector<RouteListing> all;
  m.for_each_vrf([&](std::uint16_t id, const proto::RouteTable& table) {
    const std::string name = m.vrf_name(id);
    if (vrf && name != (vrf->empty() ? kDefaultVrf : *vrf)) return;
    table.for_each([&](const IpPrefix& prefix, RouteOrigin origin, const proto::Route& route) {
      const proto::NextHopId nh = route.next_hop;
      RouteListing info{{.prefix = {proto::unscoped(prefix.address), prefix.length},
                         .origin = origin,
                         .kind = m.next_hops[nh].kind.load(std::memory_order_acquire),
                         .interface = route.interface,
                         .gateway = route.gateway},
                        m.members_of(nh),
                        m.is_recursive(nh),
                        id == 0 ? std::string{} : name};
      if (info.gateway) info.gateway = proto::unscoped(*info.gateway);
      for (const Shard* s : m.env.shards) {
        info.packets += s->ip.next_hop[nh].packets.read();
        info.bytes += s->ip.next_hop[nh].bytes.read();
      }
      all.push_back(std::move(info));
    });
  });
  return all;
}

RouteAnswer Manager::get_route(const core::IpAddress& dst, std::uint16_t vrf) const {
  const auto match = impl_->routes_in(vrf).lookup(dst);
  if (!match) return {};
  const proto::NextHop& hop = impl_->next_hops[match->route.next_hop];
  return {.prefix = match->prefix,
          .kind = hop.kind.load(std::memory_order_acquire),
          .interface = impl_->name_of(match->route.interface),
          .gateway = match->origin == RouteOrigin::Neighbor ? std::nullopt : match->route.gateway,
          .source = hop.source};
}

core::Expected<> Manager::add_neighbor(const NeighborSpec& spec) {
  const auto id = impl_->find(spec.interface);
  if (!id) return id.error();
  if (!impl_->subnet_of(*id, spec.address))
    return Error{Errc::Invalid, fmt::format("{} is on no subnet of {}",
                                            proto::to_string(spec.address), spec.interface)};
  if (impl_->is_tunnel(*id))
    return Error{Errc::Invalid,
                 fmt::format("{} is a tunnel: it has no neighbours", spec.interface)};
  const core::IpAddress address = proto::scoped(spec.address, *id);
  if (impl_->is_ours(address, impl_->vrf_of(*id)))
    return Error{Errc::Invalid,
                 fmt::format("{} is our own address", proto::to_string(spec.address))};
  return impl_->neighbors.add_permanent(*id, address, spec.mac, impl_->now_us);
}

core::Expected<> Manager::delete_neighbor(const std::string& interface,
                                          const core::IpAddress& address) {
  const auto id = impl_->find(interface);
  if (!id) return id.error();
  return impl_->neighbors.remove(*id, proto::scoped(address, *id));
}

std::vector<proto::NeighborInfo> Manager::neighbors() const {
  return impl_->neighbors.list(impl_->now_us);
}
}  // namespace polluxd
