// SPDX-License-Identifier: BSD-3-Clause
// The table of neighbours: what is in it, and what gives way. neighbor_states.cc has their lives.
#include "proto/neighbor_table.hh"

#include <fmt/format.h>

#include "proto/ip6_scope.hh"

namespace proto {
namespace {
NextHopKind kind_of(NeighborState s) noexcept {
  switch (s) {
    case NeighborState::Reachable:
    case NeighborState::Stale:
    case NeighborState::Delay:
    case NeighborState::Probe:
    case NeighborState::Permanent: return NextHopKind::Reachable;
    case NeighborState::Failed: return NextHopKind::Failed;
    default: return NextHopKind::Incomplete;
  }
}
}  // namespace

std::string_view to_string(NeighborState s) noexcept {
  switch (s) {
    case NeighborState::Idle: return "idle";
    case NeighborState::Incomplete: return "incomplete";
    case NeighborState::Reachable: return "reachable";
    case NeighborState::Stale: return "stale";
    case NeighborState::Delay: return "delay";
    case NeighborState::Probe: return "probe";
    case NeighborState::Failed: return "failed";
    case NeighborState::Permanent: return "permanent";
  }
  return "?";
}

NeighborTable::LinkTimers NeighborTable::link_timers(core::InterfaceId interface) const {
  const auto at = links_.find(interface);
  return at == links_.end() ? LinkTimers{} : at->second.timers;
}

core::Expected<NextHopId> NeighborTable::use(core::InterfaceId interface,
                                             const IpAddress& address) {
  const auto at = create({interface, address});
  if (!at) return at.error();
  ++(*at)->second.users;
  settle((*at)->first, (*at)->second);
  return (*at)->second.next_hop;
}

void NeighborTable::let_go(core::InterfaceId interface, const IpAddress& address) {
  const auto at = entries_.find({interface, address});
  if (at == entries_.end() || at->second.users == 0) return;
  --at->second.users;
  settle(at->first, at->second);
  if (at->second.users == 0 && at->second.state == NeighborState::Idle) erase(at);
}

core::Expected<> NeighborTable::add_permanent(core::InterfaceId interface, const IpAddress& address,
                                              const core::MacAddress& mac, std::uint64_t now_us) {
  if (core::is_group(mac) || mac == core::MacAddress{})
    return core::Error{core::Errc::Invalid,
                       fmt::format("{} is no address of a single host", to_string(mac))};
  const auto at = create({interface, address});
  if (!at) return at.error();
  const auto& [key, e] = **at;
  Entry& entry = (*at)->second;
  const bool same = kind_of(e.state) == NextHopKind::Reachable && e.mac == mac;
  entry.state = NeighborState::Permanent;
  entry.mac = mac;
  entry.confirmed_us = now_us;
  set_deadline(key, entry, 0);
  settle(key, entry);
  if (!same) publish(key, entry);
  return core::Done{};
}

core::Expected<> NeighborTable::remove(core::InterfaceId interface, const IpAddress& address) {
  const auto at = entries_.find({interface, address});
  if (at == entries_.end() || at->second.state == NeighborState::Idle)
    return core::Error{core::Errc::NotFound,
                       fmt::format("no neighbour {} there", to_string(unscoped(address)))};
  if (!forget(at->first, at->second)) erase(at);
  return core::Done{};
}

void NeighborTable::remove_unless(core::InterfaceId interface,
                                  const std::function<bool(const IpAddress& address)>& keep) {
  for (auto at = entries_.lower_bound({interface, IpAddress{}}); at != entries_.end();) {
    const auto here = at++;
    if (here->first.interface != interface) break;
    if (here->second.users == 0 && !keep(here->first.address)) erase(here);
  }
}

void NeighborTable::leave_routes(core::InterfaceId interface) {
  for (auto at = entries_.lower_bound({interface, IpAddress{}});
       at != entries_.end() && at->first.interface == interface; ++at) {
    if (at->second.host_route)
      (void)env_.routes(interface).remove(IpPrefix::host(at->first.address), RouteOrigin::Neighbor);
    at->second.host_route = false;
  }
}

core::Expected<> NeighborTable::enter_routes(core::InterfaceId interface) {
  core::Expected<> done = core::Done{};
  for (auto at = entries_.lower_bound({interface, IpAddress{}});
       at != entries_.end() && at->first.interface == interface; ++at) {
    auto& [key, e] = *at;
    if (e.host_route) continue;
    const auto added = env_.routes(interface).add(
        IpPrefix::host(key.address), RouteOrigin::Neighbor, {e.next_hop, interface, key.address});
    e.host_route = static_cast<bool>(added);
    if (!added && added.error().code != core::Errc::Exists) done = added;
  }
  return done;
}

void NeighborTable::refresh_link(core::InterfaceId interface) {
  for (auto at = entries_.lower_bound({interface, IpAddress{}});
       at != entries_.end() && at->first.interface == interface; ++at)
    publish(at->first, at->second);
}

std::optional<NeighborState> NeighborTable::state(core::InterfaceId interface,
                                                  const IpAddress& address) const {
  const auto at = entries_.find({interface, address});
  return at == entries_.end() ? std::nullopt : std::optional{at->second.state};
}

std::vector<NeighborInfo> NeighborTable::list(std::uint64_t now_us) const {
  std::vector<NeighborInfo> all;
  all.reserve(entries_.size());
  for (const auto& [key, e] : entries_) {
    const std::uint64_t end_us = e.state == NeighborState::Stale ? e.forget_us : e.deadline_us;
    all.push_back({key.interface, unscoped(key.address), e.mac, e.state, now_us - e.confirmed_us,
                   e.is_router, end_us > now_us ? end_us - now_us : 0});
  }
  return all;
}

core::Expected<NeighborTable::Entries::iterator> NeighborTable::create(const Key& key) {
  if (const auto at = entries_.find(key); at != entries_.end()) return at;
  if (!make_room(key.interface))
    return core::Error{
        core::Errc::Full,
        fmt::format("neighbour table is full: {} entries (limits.neighbors)", env_.limit)};
  Entry e;
  NextHopFields fields = env_.link(key.interface, key.address);
  fields.kind = NextHopKind::Incomplete;
  const auto id = env_.next_hops.allocate(fields);
  if (!id)
    return core::Error{core::Errc::Full,
                       fmt::format("next-hop table is full: {} entries (limits.next_hops)",
                                   env_.next_hops.capacity())};
  e.next_hop = *id;
  const Route host{e.next_hop, key.interface, key.address};
  const auto added =
      env_.routes(key.interface).add(IpPrefix::host(key.address), RouteOrigin::Neighbor, host);
  if (!added && added.error().code != core::Errc::Exists) {
    env_.next_hops.release(e.next_hop);
    return added.error();
  }
  e.host_route = static_cast<bool>(added);  // the same address on a second link has none
  const auto at = entries_.emplace(key, e).first;
  settle(at->first, at->second);
  return at;
}

void NeighborTable::erase(Entries::iterator at) {
  auto& [key, e] = *at;
  set_deadline(key, e, 0);
  e.users = 1;  // out of every list
  settle(key, e);
  if (e.host_route)
    (void)env_.routes(key.interface).remove(IpPrefix::host(key.address), RouteOrigin::Neighbor);
  env_.next_hops.release(e.next_hop);
  entries_.erase(at);
}

/// Room for one more entry of a link, within the limits of the class's comment.
bool NeighborTable::make_room(core::InterfaceId interface) {
  const std::size_t of_one_link = env_.limit - env_.limit / 4;
  const Link& link = links_[interface];
  if (link.dynamic >= of_one_link && !evict(kDispensable, &link)) return false;
  return entries_.size() < env_.limit || evict(kDispensable, nullptr);
}

/// Room among those that have not answered.
void NeighborTable::bound_unanswered() {
  constexpr std::size_t kAnswered = static_cast<std::size_t>(Worth::Stranger);
  if (unanswered_ >= env_.limit / 2) evict(kAnswered, nullptr);
}

/// Lets one entry go that is worth less than `worst_kept`, of that link or of all.
bool NeighborTable::evict(std::size_t worst_kept, const Link* only) {
  for (std::size_t worth = 0; worth < worst_kept; ++worth) {
    const Link* most = only;
    for (const auto& [id, link] : links_)
      if (only == nullptr &&
          (most == nullptr || link.dispensable[worth].size() > most->dispensable[worth].size()))
        most = &link;
    if (most == nullptr || most->dispensable[worth].empty()) continue;
    erase(entries_.find(*most->dispensable[worth].front()));
    return true;
  }
  return false;
}

void NeighborTable::publish(const Key& key, Entry& e) {
  NextHopFields fields = env_.link(key.interface, key.address);
  fields.kind = kind_of(e.state);
  fields.dst_mac = e.mac;
  env_.next_hops.set(e.next_hop, fields);
}

/// After a change of state or users: what the entry is worth, and what it counts as.
void NeighborTable::settle(const Key& key, Entry& e) {
  Link& link = links_[key.interface];
  const bool dynamic = e.users == 0 && e.state != NeighborState::Permanent;
  if (dynamic != e.dynamic) link.dynamic += dynamic ? 1 : std::size_t{0} - 1;
  e.dynamic = dynamic;
  Worth worth = Worth::Kept;
  if (dynamic && e.state == NeighborState::Failed) worth = Worth::Failed;
  if (dynamic && e.state == NeighborState::Incomplete) worth = Worth::Unanswered;
  if (dynamic && e.state == NeighborState::Reachable && !e.answered) worth = Worth::Stranger;
  if (dynamic && e.state == NeighborState::Stale)
    worth = e.answered ? Worth::Stale : Worth::Stranger;
  if (worth == e.worth) return;
  const auto counts = [](Worth w) { return w < Worth::Stranger ? std::size_t{1} : 0; };
  unanswered_ += counts(worth) - counts(e.worth);
  if (e.worth != Worth::Kept) link.dispensable[static_cast<std::size_t>(e.worth)].erase(e.place);
  e.worth = worth;
  if (worth == Worth::Kept) return;
  auto& all = link.dispensable[static_cast<std::size_t>(worth)];
  e.place = all.insert(all.end(), &key);
}

void NeighborTable::set_deadline(const Key& key, Entry& e, std::uint64_t at_us) {
  if (e.deadline_us != 0) deadlines_.erase({e.deadline_us, &key});
  e.deadline_us = at_us;
  if (at_us != 0) deadlines_.insert({at_us, &key});
}
}  // namespace proto
