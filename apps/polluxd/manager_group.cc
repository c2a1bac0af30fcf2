// SPDX-License-Identifier: BSD-3-Clause
// Routes with several next hops (ECMP), and routes whose gateway is found through another route.
// Both lead to a group; who its members are is worked out again whenever something changes, and the
// routes stay.
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using proto::NextHopKind;
using proto::RouteOrigin;
using Member = proto::NextHopGroups::Member;
}  // namespace

/// What a next hop of a group leads to now: a link and who is asked for there. @return none where
/// it leads nowhere.
std::optional<Manager::Impl::Way> Manager::Impl::find_way(const RouteNextHop& hop,
                                                          std::uint16_t vrf, bool recursive) const {
  core::InterfaceId id = core::kNoInterface;
  if (!hop.interface.empty()) {
    const auto found = find(hop.interface);
    if (!found) return std::nullopt;
    id = *found;
    if (is_tunnel(id)) return Way{id, std::nullopt, 0};
  }
  if (!hop.gateway) return Way{id, std::nullopt, 0};
  if (proto::is_link_local(*hop.gateway)) {
    if (id == core::kNoInterface) return std::nullopt;
    const core::IpAddress gateway = proto::scoped(*hop.gateway, id);
    const bool reachable = !is_ours(gateway, vrf_of(id)) && subnet_of(id, gateway);
    return reachable ? std::optional{Way{id, gateway, 0}} : std::nullopt;
  }
  if (is_ours(*hop.gateway, id == core::kNoInterface ? vrf : vrf_of(id))) return std::nullopt;
  if (id == core::kNoInterface) id = link_to(*hop.gateway, vrf);
  if (id != core::kNoInterface && subnet_of(id, *hop.gateway)) return Way{id, hop.gateway, 0};
  if (!recursive) return std::nullopt;
  const auto match = routes_in(vrf).lookup(*hop.gateway);
  if (!match || match->origin != RouteOrigin::Static) return std::nullopt;
  if (groups_by_hop.contains(match->route.next_hop))
    return Way{core::kNoInterface, std::nullopt, match->route.next_hop};
  if (match->route.gateway || is_tunnel(match->route.interface))
    return Way{match->route.interface, match->route.gateway, 0};
  return std::nullopt;  // blackholes and the like: nothing is lost by saying so
}

/// The link of a VRF that has `address` on one of its subnets, on the smallest one of all.
core::InterfaceId Manager::Impl::link_to(const core::IpAddress& address, std::uint16_t vrf) const {
  core::InterfaceId best = core::kNoInterface;
  int length = -1;
  for (const core::Interface& i : master.interfaces) {
    if (i.vrf != vrf || i.kind == core::Interface::Kind::None || !has_neighbors(i.id)) continue;
    for (const proto::IpPrefix& subnet : managed[i.id].addresses)
      if (subnet.contains(address) && subnet.length > length) {
        best = i.id;
        length = subnet.length;
      }
  }
  return best;
}

/// Takes the way: a neighbour that it needs stays as long as the member does.
core::Expected<proto::NextHopId> Manager::Impl::use_way(const Way& way) {
  if (way.through != 0) return way.through;
  if (is_tunnel(way.interface)) return tunnel_list[*find_tunnel(name_of(way.interface))].next_hop;
  if (way.gateway) return neighbors.use(way.interface, *way.gateway);
  for (const proto::NextHopId connected : managed[way.interface].connected)
    if (connected != 0) return connected;
  return Error{Errc::Invalid, fmt::format("{} has no address", name_of(way.interface))};
}

void Manager::Impl::leave_way(GroupMember& member) {
  if (member.way && member.way->gateway)
    neighbors.let_go(member.way->interface, *member.way->gateway);
  member.way.reset();
  member.id = proto::NextHopTable::kNoRoute;
}

/// Whether packets that take the member's way have a chance.
bool Manager::Impl::is_alive(const GroupMember& member) const {
  if (!member.way || member.id == proto::NextHopTable::kNoRoute) return false;
  if (member.way->through != 0) return true;
  const core::InterfaceId id = member.way->interface;
  return master.interfaces[id].up && managed[id].link != false &&
         next_hops[member.id].kind.load(std::memory_order_acquire) != NextHopKind::Failed;
}

/// The members that carry traffic now; a member that is a group itself counts as its own.
void Manager::Impl::collect_members(const RouteGroup& group, unsigned depth,
                                    std::vector<Member>& out) const {
  constexpr unsigned kMaxDepth = 4;  // routes through routes; loops end here
  if (depth == kMaxDepth) return;
  for (const GroupMember& m : group.members) {
    if (!is_alive(m)) continue;
    if (m.way->through == 0) {
      const auto same = std::ranges::find(out, m.id, &Member::id);
      if (same == out.end())
        out.push_back({m.id, m.hop.weight});
      else
        same->weight += m.hop.weight;
    } else if (const auto at = groups_by_hop.find(m.way->through); at != groups_by_hop.end()) {
      collect_members(at->second->second, depth + 1, out);
    }
  }
}

/// Works every group out anew. Cheap when nothing has changed.
void Manager::Impl::refresh_groups() {
  for (auto& [key, group] : route_groups) find_ways(key, group);
  for (auto& [key, group] : route_groups) assign_members(group);
}

void Manager::Impl::find_ways(const GroupKey& key, RouteGroup& group) {
  for (GroupMember& m : group.members) {
    const auto way = find_way(m.hop, key.vrf, key.recursive);
    if (way == m.way) continue;
    leave_way(m);
    if (!way) continue;
    if (const auto id = use_way(*way)) {
      m.way = way;
      m.id = *id;
    }
  }
}

void Manager::Impl::assign_members(RouteGroup& group) {
  std::vector<Member> members;
  collect_members(group, 0, members);
  if (members == group.assigned) return;
  groups.assign(group.group, members);
  group.assigned = std::move(members);
}

/// Something that groups lean on may have changed.
void Manager::Impl::follow_changes() {
  if (route_groups.empty()) return;
  const std::uint64_t seen = next_hops.generation() + route_version() + link_version;
  if (seen == groups_seen) return;
  refresh_groups();
  groups_seen = next_hops.generation() + route_version() + link_version;
}

/// Members that lean on an interface let it go, before it goes itself.
void Manager::Impl::leave_interface(core::InterfaceId id) {
  bool left = false;
  for (auto& [spec, group] : route_groups)
    for (GroupMember& m : group.members)
      if (m.way && m.way->interface == id) {
        leave_way(m);
        left = true;
      }
  if (!left) return;
  for (auto& [spec, group] : route_groups) {
    group.assigned.clear();
    collect_members(group, 0, group.assigned);
    groups.assign(group.group, group.assigned);
  }
  ++link_version;
  env.rcu.grace_period();  // nobody is on the way to a member any more
}

/// The next hop of a group with these members, made when nobody had it yet.
core::Expected<proto::NextHopId> Manager::Impl::use_group(std::uint16_t vrf,
                                                          const RouteSpec& spec) {
  std::vector<RouteNextHop> hops = spec.next_hops;
  if (hops.empty()) hops.push_back({spec.gateway, spec.interface, 1});
  const GroupKey key{hops, spec.recursive, vrf};
  if (const auto at = route_groups.find(key); at != route_groups.end()) {
    ++at->second.users;
    return at->second.next_hop;
  }
  const auto index = groups.allocate();
  if (!index)
    return Error{Errc::Full,
                 fmt::format("table of next-hop groups is full: {} groups (limits.next_hop_groups)",
                             groups.capacity())};
  const auto hop = next_hops.allocate({.kind = NextHopKind::Group, .group = *index});
  if (!hop) {
    groups.release(*index);
    return Error{Errc::Full, fmt::format("next-hop table is full: {} entries (limits.next_hops)",
                                         next_hops.capacity())};
  }
  const auto at = route_groups.try_emplace(key).first;
  RouteGroup& group = at->second;
  group.group = *index;
  group.next_hop = *hop;
  group.users = 1;
  for (const RouteNextHop& h : hops) group.members.push_back({h, std::nullopt, 0});
  groups_by_hop[*hop] = at;
  find_ways(key, group);  // others follow when the route is there: see follow_changes()
  assign_members(group);
  return *hop;
}

void Manager::Impl::let_go_group(proto::NextHopId next_hop) {
  const auto known = groups_by_hop.find(next_hop);
  if (known == groups_by_hop.end()) return;
  const RouteGroups::iterator at = known->second;
  if (--at->second.users != 0) return;
  for (GroupMember& m : at->second.members) leave_way(m);
  const std::uint16_t index = at->second.group;
  groups_by_hop.erase(known);
  route_groups.erase(at);
  const bool led_others = std::ranges::any_of(route_groups, [&](const auto& g) {
    return std::ranges::any_of(g.second.members, [&](const GroupMember& m) {
      return m.way && m.way->through == next_hop;
    });
  });
  if (led_others) refresh_groups();
  next_hops.release(next_hop);
  groups.release(index);
}

/// What is asked of a route's next hops, before anything is done.
core::Expected<> Manager::check_next_hops(const RouteSpec& spec) {
  constexpr std::size_t kMost = proto::NextHopGroups::kBuckets;
  if (spec.next_hops.empty()) return core::Done{};
  if (spec.gateway || !spec.interface.empty() || spec.kind != RouteSpec::Kind::Unicast)
    return Error{Errc::Invalid, "a route has a list of next hops or one of its own, not both"};
  if (spec.next_hops.size() > kMost)
    return Error{Errc::Full,
                 fmt::format("{} next hops, expected at most {}", spec.next_hops.size(), kMost)};
  for (const RouteNextHop& hop : spec.next_hops) {
    if (!hop.gateway && hop.interface.empty())
      return Error{Errc::Invalid, "a next hop leads nowhere, expected a gateway or an interface"};
    if (hop.gateway && hop.gateway->is_ip4() != spec.prefix.is_ip4())
      return Error{Errc::Invalid,
                   fmt::format("gateway {} is of another family than {}",
                               proto::to_string(*hop.gateway), proto::to_string(spec.prefix))};
    if (hop.weight < 1 || hop.weight > 65535)
      return Error{Errc::Invalid, fmt::format("weight {}, expected 1 to 65535", hop.weight)};
  }
  return core::Done{};
}

std::vector<NextHopInfo> Manager::Impl::members_of(proto::NextHopId next_hop) const {
  std::vector<NextHopInfo> all;
  const auto at = groups_by_hop.find(next_hop);
  if (at == groups_by_hop.end()) return all;
  const RouteGroup& group = at->second->second;
  for (const GroupMember& m : group.members)
    all.push_back({.hop = m.hop,
                   .interface = m.way && m.way->through == 0 ? name_of(m.way->interface) : "",
                   .via = m.way && m.way->gateway ? std::optional{proto::unscoped(*m.way->gateway)}
                                                  : std::nullopt,
                   .alive = is_alive(m),
                   .share = m.way && m.way->through == 0
                                ? static_cast<double>(groups.buckets_of(group.group, m.id)) /
                                      proto::NextHopGroups::kBuckets
                                : 0});
  return all;
}
}  // namespace polluxd
