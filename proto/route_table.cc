// SPDX-License-Identifier: BSD-3-Clause
#include "proto/route_table.hh"

#include <fmt/format.h>

#include "core/inet6.hh"

namespace proto {
std::string_view to_string(RouteOrigin o) noexcept {
  switch (o) {
    case RouteOrigin::Local: return "local";
    case RouteOrigin::Connected: return "connected";
    case RouteOrigin::Static: return "static";
    case RouteOrigin::Advertised: return "advertised";
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
    case NextHopKind::Group: return "group";
    case NextHopKind::Changing: return "changing";
  }
  return "?";
}

RouteTable::Routes::const_iterator RouteTable::best(const IpPrefix& prefix) const {
  const auto at = routes_.lower_bound({prefix, RouteOrigin{}});
  return at != routes_.end() && at->first.prefix == prefix ? at : routes_.end();
}

/// Whether no other route of its prefix comes before it.
bool RouteTable::is_best(Routes::const_iterator at) const {
  return at == routes_.begin() || std::prev(at)->first.prefix != at->first.prefix;
}

void RouteTable::count(RouteOrigin origin, const Route& route, bool there) {
  if (origin != RouteOrigin::Static || route.interface == core::kNoInterface) return;
  if (route.interface >= static_routes_.size()) static_routes_.resize(route.interface + 1u);
  static_routes_[route.interface] += there ? 1u : ~0u;
}

core::Expected<> RouteTable::set_fib(const IpPrefix& prefix, NextHopId next_hop) {
  if (!prefix.is_ip4()) {
    if constexpr (core::kInet6)
      return std::visit([&](auto* fib) { return fib->set(prefix, next_hop); }, fib6_);
    else
      return core::no_inet6(to_string(prefix));
  }
  if (Fib4* const* fib = std::get_if<Fib4*>(&fib4_)) return (*fib)->set(prefix.ip4(), next_hop);
  return std::get<CompactFib*>(fib4_)->set(prefix, next_hop);
}

void RouteTable::remove_from_fib(const IpPrefix& prefix) {
  const auto known = [&](const IpPrefix& p) { return best(p)->second.next_hop; };
  if (prefix.is_ip4()) {
    if (Fib4* const* fib = std::get_if<Fib4*>(&fib4_)) return (*fib)->remove(prefix.ip4());
    return std::get<CompactFib*>(fib4_)->remove(prefix, known);
  }
  if constexpr (core::kInet6) {
    if (Fib6* const* fib = std::get_if<Fib6*>(&fib6_)) return (*fib)->remove(prefix);
    std::get<CompactFib*>(fib6_)->remove(prefix, known);
  }
}

core::Expected<> RouteTable::add(const IpPrefix& prefix, RouteOrigin origin, const Route& route) {
  const IpPrefix p = prefix.network();
  const auto [at, is_new] = routes_.try_emplace({p, origin}, route);
  if (!is_new) return core::Error{core::Errc::Exists, fmt::format("route {} exists", to_string(p))};
  if (is_best(at))
    if (auto set = set_fib(p, route.next_hop); !set) {
      routes_.erase(at);
      return set;
    }
  count(origin, route, true);
  ++version_;
  return core::Done{};
}

core::Expected<Route> RouteTable::remove(const IpPrefix& prefix, RouteOrigin origin) {
  const IpPrefix p = prefix.network();
  const auto at = routes_.find({p, origin});
  if (at == routes_.end())
    return core::Error{core::Errc::NotFound,
                       fmt::format("no {} route {}", to_string(origin), to_string(p))};
  const Route gone = at->second;
  const bool was_best = is_best(at);
  count(origin, gone, false);
  const auto next = routes_.erase(at);
  if (was_best && (next == routes_.end() || next->first.prefix != p))
    remove_from_fib(p);
  else if (was_best)
    // The prefix has its place already, so that this cannot be refused for want of room.
    (void)set_fib(p, next->second.next_hop);
  ++version_;
  return gone;
}

const Route* RouteTable::find(const IpPrefix& prefix, RouteOrigin origin) const noexcept {
  const auto at = routes_.find({prefix.network(), origin});
  return at == routes_.end() ? nullptr : &at->second;
}

std::optional<RouteTable::Match> RouteTable::lookup(const IpAddress& dst) const {
  for (int length = dst.bits(); length >= 0; --length)
    if (const auto at = best(IpPrefix{dst, static_cast<std::uint8_t>(length)}.network());
        at != routes_.end())
      return Match{at->first.prefix, at->first.origin, at->second};
  return std::nullopt;
}

std::vector<RouteTable::Match> RouteTable::list() const {
  std::vector<Match> all;
  all.reserve(routes_.size());
  for (const auto& [key, route] : routes_) all.push_back({key.prefix, key.origin, route});
  return all;
}
}  // namespace proto
