// SPDX-License-Identifier: BSD-3-Clause
#include "proto/route_table.hh"

#include <fmt/format.h>

namespace proto {
std::string_view to_string(RouteOrigin o) noexcept {
  switch (o) {
    case RouteOrigin::Local: return "local";
    case RouteOrigin::Connected: return "connected";
    case RouteOrigin::Static: return "static";
    case RouteOrigin::Neighbor: return "neighbor";
    case RouteOrigin::Builtin: return "builtin";
  }
  return "?";
}

std::string_view to_string(NextHopKind k) noexcept {
  switch (k) {
    case NextHopKind::NoRoute: return "unreachable";
    case NextHopKind::Blackhole: return "blackhole";
    case NextHopKind::Prohibited: return "prohibit";
    case NextHopKind::Martian: return "martian";
    case NextHopKind::Multicast: return "multicast";
    case NextHopKind::Broadcast: return "broadcast";
    case NextHopKind::Local: return "local";
    case NextHopKind::Glean: return "connected";
    case NextHopKind::Incomplete: return "incomplete";
    case NextHopKind::Failed: return "failed";
    case NextHopKind::Reachable: return "reachable";
    case NextHopKind::Tunnel: return "tunnel";
    case NextHopKind::Changing: return "changing";
  }
  return "?";
}

core::Expected<> RouteTable::add(Ip4Prefix prefix, RouteOrigin origin, const Route& route) {
  const Ip4Prefix p = prefix.network();
  Candidates& candidates = routes_[p];
  if (candidates.contains(origin))
    return core::Error{core::Errc::Exists, fmt::format("route {} exists", to_string(p))};
  const bool best = candidates.empty() || origin < candidates.begin()->first;
  if (best) {
    if (auto set = fib_.set(p, route.next_hop); !set) {
      if (candidates.empty()) routes_.erase(p);
      return set.error();
    }
  }
  candidates.emplace(origin, route);
  return core::Done{};
}

core::Expected<Route> RouteTable::remove(Ip4Prefix prefix, RouteOrigin origin) {
  const Ip4Prefix p = prefix.network();
  const auto at = routes_.find(p);
  if (at == routes_.end() || !at->second.contains(origin))
    return core::Error{core::Errc::NotFound,
                       fmt::format("no {} route {}", to_string(origin), to_string(p))};
  Candidates& candidates = at->second;
  const Route gone = candidates.at(origin);
  const bool was_best = candidates.begin()->first == origin;
  candidates.erase(origin);
  if (candidates.empty()) {
    fib_.remove(p);
    routes_.erase(at);
  } else if (was_best) {
    // The prefix has its place already, so that this cannot be refused for want of room.
    (void)fib_.set(p, candidates.begin()->second.next_hop);
  }
  return gone;
}

const Route* RouteTable::find(Ip4Prefix prefix, RouteOrigin origin) const noexcept {
  const auto at = routes_.find(prefix.network());
  if (at == routes_.end()) return nullptr;
  const auto route = at->second.find(origin);
  return route == at->second.end() ? nullptr : &route->second;
}

std::optional<RouteTable::Match> RouteTable::lookup(std::uint32_t dst) const {
  for (int length = 32; length >= 0; --length) {
    const Ip4Prefix p = Ip4Prefix{dst, static_cast<std::uint8_t>(length)}.network();
    if (const auto at = routes_.find(p); at != routes_.end()) {
      const auto& [origin, route] = *at->second.begin();
      return Match{p, origin, route};
    }
  }
  return std::nullopt;
}

std::vector<RouteTable::Match> RouteTable::list() const {
  std::vector<Match> all;
  for (const auto& [prefix, candidates] : routes_)
    for (const auto& [origin, route] : candidates) all.push_back({prefix, origin, route});
  return all;
}
}  // namespace proto
