// SPDX-License-Identifier: BSD-3-Clause
#include "proto/neighbor_table.hh"

#include <fmt/format.h>

namespace proto {
namespace {
constexpr std::uint64_t kSecond_us = 1'000'000;
constexpr std::uint32_t kMaxRequests = 3;  // RFC 4861 section 10: MAX_MULTICAST_SOLICIT

NextHopKind kind_of(NeighborState s) noexcept {
  switch (s) {
    case NeighborState::Reachable:
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
    case NeighborState::Probe: return "probe";
    case NeighborState::Failed: return "failed";
    case NeighborState::Permanent: return "permanent";
  }
  return "?";
}

core::Expected<NextHopId> NeighborTable::use(core::InterfaceId interface,
                                             const IpAddress& address) {
  const auto at = create({interface, address});
  if (!at) return at.error();
  ++(*at)->second.users;
  return (*at)->second.next_hop;
}

void NeighborTable::let_go(core::InterfaceId interface, const IpAddress& address) {
  const auto at = entries_.find({interface, address});
  if (at == entries_.end() || at->second.users == 0) return;
  --at->second.users;
  if (at->second.users == 0 && at->second.state == NeighborState::Idle) erase(at);
}

void NeighborTable::wanted(const core::Event& e, std::uint64_t now_us) {
  const auto at = create({e.interface, e.address});
  if (!at) return;  // full: the packet is dropped by its worker's time limit
  Entry& entry = (*at)->second;
  if (entry.state != NeighborState::Idle) return;  // asked already, or just answered
  entry.state = NeighborState::Incomplete;
  entry.asked = 0;
  ask((*at)->first, entry, now_us);
}

void NeighborTable::seen(const core::Event& e, std::uint64_t now_us) {
  const Key key{e.interface, e.address};
  auto at = entries_.find(key);
  if (at == entries_.end()) {
    if (!e.may_create) return;
    const auto made = create(key);
    if (!made) return;
    at = *made;
  }
  if (at->second.state != NeighborState::Permanent) confirm(key, at->second, e.mac, now_us);
}

void NeighborTable::poll(std::uint64_t now_us) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    Entry& e = here->second;
    const bool timed = e.state != NeighborState::Idle && e.state != NeighborState::Permanent;
    if (timed && now_us >= e.deadline_us && !expire(here->first, e, now_us)) erase(here);
  }
}

bool NeighborTable::expire(const Key& key, Entry& e, std::uint64_t now_us) {
  switch (e.state) {
    case NeighborState::Reachable:
      // Asked again only when something was sent to it meanwhile (RFC 1122 section 2.3.2.1).
      if (env_.packets(e.next_hop) == e.packets_then) break;
      e.state = NeighborState::Probe;
      e.asked = 0;
      ask(key, e, now_us);
      return true;
    case NeighborState::Probe:
      if (e.asked >= kMaxRequests) {
        e.state = NeighborState::Incomplete;  // it may have moved: ask everybody
        e.asked = 0;
        publish(key, e);
      }
      ask(key, e, now_us);
      return true;
    case NeighborState::Incomplete:
      if (e.asked < kMaxRequests) {
        ask(key, e, now_us);
      } else {
        e.state = NeighborState::Failed;
        e.deadline_us = now_us + timers_.down_s * kSecond_us;
        publish(key, e);
      }
      return true;
    default: break;
  }
  if (e.users == 0) return false;
  e.state = NeighborState::Idle;
  publish(key, e);
  return true;
}

core::Expected<> NeighborTable::add_permanent(core::InterfaceId interface, const IpAddress& address,
                                              const core::MacAddress& mac, std::uint64_t now_us) {
  if (core::is_group(mac) || mac == core::MacAddress{})
    return core::Error{core::Errc::Invalid,
                       fmt::format("{} is no address of a single host", to_string(mac))};
  const Key key{interface, address};
  const auto at = create(key);
  if (!at) return at.error();
  confirm(key, (*at)->second, mac, now_us);
  (*at)->second.state = NeighborState::Permanent;
  return core::Done{};
}

core::Expected<> NeighborTable::remove(core::InterfaceId interface, const IpAddress& address) {
  const auto at = entries_.find({interface, address});
  if (at == entries_.end() || at->second.state == NeighborState::Idle)
    return core::Error{core::Errc::NotFound,
                       fmt::format("no neighbour {} there", to_string(address))};
  if (at->second.users == 0) {
    erase(at);
  } else {
    at->second.state = NeighborState::Idle;
    publish(at->first, at->second);
  }
  return core::Done{};
}

void NeighborTable::remove_unless(core::InterfaceId interface,
                                  const std::function<bool(const IpAddress& address)>& keep) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    if (here->first.interface == interface && here->second.users == 0 && !keep(here->first.address))
      erase(here);
  }
}

void NeighborTable::refresh_link(core::InterfaceId interface) {
  for (auto& [key, e] : entries_)
    if (key.interface == interface) publish(key, e);
}

std::vector<NeighborInfo> NeighborTable::list(std::uint64_t now_us) const {
  std::vector<NeighborInfo> all;
  for (const auto& [key, e] : entries_)
    all.push_back({key.interface, key.address, e.mac, e.state, now_us - e.confirmed_us});
  return all;
}

core::Expected<NeighborTable::Entries::iterator> NeighborTable::create(const Key& key) {
  if (const auto at = entries_.find(key); at != entries_.end()) return at;
  if (entries_.size() >= env_.limit && !make_room())
    return core::Error{core::Errc::Full,
                       fmt::format("neighbour table is full: {} entries", env_.limit)};
  Entry e;
  NextHopFields fields = env_.link(key.interface, key.address);
  fields.kind = NextHopKind::Incomplete;
  const auto id = env_.next_hops.allocate(fields);
  if (!id)
    return core::Error{core::Errc::Full, fmt::format("next-hop table is full: {} entries",
                                                     env_.next_hops.capacity())};
  e.next_hop = *id;
  const Route host{e.next_hop, key.interface, key.address};
  const auto added = env_.routes.add(IpPrefix::host(key.address), RouteOrigin::Neighbor, host);
  if (!added && added.error().code != core::Errc::Exists) {
    env_.next_hops.release(e.next_hop);
    return added.error();
  }
  e.host_route = static_cast<bool>(added);  // the same address on a second link has none
  return entries_.emplace(key, e).first;
}

void NeighborTable::erase(Entries::iterator at) {
  if (at->second.host_route)
    (void)env_.routes.remove(IpPrefix::host(at->first.address), RouteOrigin::Neighbor);
  env_.next_hops.release(at->second.next_hop);
  entries_.erase(at);
}

/// Lets the entry go that is worth least: one that failed, or one that never answered.
bool NeighborTable::make_room() {
  auto victim = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    const Entry& e = at->second;
    const bool useless =
        e.users == 0 && (e.state == NeighborState::Failed || e.state == NeighborState::Incomplete);
    if (useless && (victim == entries_.end() || e.deadline_us < victim->second.deadline_us))
      victim = at;
  }
  if (victim == entries_.end()) return false;
  erase(victim);
  return true;
}

void NeighborTable::publish(const Key& key, Entry& e) {
  NextHopFields fields = env_.link(key.interface, key.address);
  fields.kind = kind_of(e.state);
  fields.dst_mac = e.mac;
  env_.next_hops.set(e.next_hop, fields);
}

void NeighborTable::ask(const Key& key, Entry& e, std::uint64_t now_us) {
  ++e.asked;
  e.deadline_us = now_us + kSecond_us;
  const bool unicast = e.state == NeighborState::Probe;
  env_.request(key.interface, key.address,
               unicast ? std::optional{e.mac} : std::optional<core::MacAddress>{});
}

void NeighborTable::confirm(const Key& key, Entry& e, const core::MacAddress& mac,
                            std::uint64_t now_us) {
  const bool known = kind_of(e.state) == NextHopKind::Reachable;
  const bool same = known && e.mac == mac;
  e.state = NeighborState::Reachable;
  e.mac = mac;
  e.asked = 0;
  e.confirmed_us = now_us;
  e.packets_then = env_.packets(e.next_hop);
  const std::uint32_t early = std::min(timers_.refresh_s, timers_.keep_s / 2);
  e.deadline_us = now_us + (timers_.keep_s - early) * kSecond_us;
  if (!same) publish(key, e);
}
}  // namespace proto
