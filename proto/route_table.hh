// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hh"
#include "core/interface.hh"
#include "proto/compact_fib.hh"
#include "proto/fib4.hh"
#include "proto/fib6.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// Who put a route there; for one prefix the first in this order wins.
enum class RouteOrigin : std::uint8_t {
  Local,       ///< an address of ours
  Connected,   ///< the subnet of an address of ours, and its broadcast address
  Static,      ///< asked for by an administrator
  Advertised,  ///< said by a router of the link: default route, on-link prefix, redirect
  Neighbor,    ///< a host on a connected subnet
  Builtin,     ///< martians, multicast, limited broadcast
};
[[nodiscard]] std::string_view to_string(RouteOrigin o) noexcept;
[[nodiscard]] std::string_view to_string(NextHopKind k) noexcept;

/// A route as the table keeps it.
struct Route {
  NextHopId next_hop = NextHopTable::kNoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::optional<IpAddress> gateway;
};

/// What is shown of a route.
struct RouteInfo {
  IpPrefix prefix{};
  RouteOrigin origin = RouteOrigin::Static;
  NextHopKind kind = NextHopKind::NoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::optional<IpAddress> gateway;
  std::uint64_t packets = 0, bytes = 0;  ///< sent through its next hop
};

/// The routing table (RIB) of a VRF, of both families: every route by prefix and origin; the best
/// one of each prefix is in its family's FIB. Manager thread.
class RouteTable {
public:
  RouteTable(Fib4& fib4, Fib6& fib6) noexcept : fib4_{&fib4}, fib6_{&fib6} {}
  RouteTable(CompactFib& fib4, CompactFib& fib6) noexcept : fib4_{&fib4}, fib6_{&fib6} {}
  /// Of IPv4 alone, until it is given the other family's FIB.
  explicit RouteTable(Fib4& fib4) noexcept : fib4_{&fib4} {}
  /// @pre no IPv6 route is there.
  void set_fib6(Fib6& fib6) noexcept { fib6_ = &fib6; }

  /// @return Exists (same prefix and origin) | Full | Unsupported (IPv6, in a build without it).
  core::Expected<> add(const IpPrefix& prefix, RouteOrigin origin, const Route& route);
  /// @return the route that was there | NotFound.
  core::Expected<Route> remove(const IpPrefix& prefix, RouteOrigin origin);
  [[nodiscard]] const Route* find(const IpPrefix& prefix, RouteOrigin origin) const noexcept;

  struct Match {
    IpPrefix prefix;
    RouteOrigin origin;
    Route route;
  };
  /// The route that a packet to `dst` takes.
  [[nodiscard]] std::optional<Match> lookup(const IpAddress& dst) const;
  /// All routes, by prefix and then origin; IPv4's together.
  [[nodiscard]] std::vector<Match> list() const;
  /// Calls `f(const IpPrefix&, RouteOrigin, const Route&)` with each, in that order.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [key, route] : routes_) f(key.prefix, key.origin, route);
  }
  [[nodiscard]] std::size_t size() const noexcept { return routes_.size(); }
  /// Static routes of an interface, as Route::interface has it.
  [[nodiscard]] std::size_t static_routes(core::InterfaceId interface) const noexcept {
    return interface < static_routes_.size() ? static_routes_[interface] : 0;
  }
  /// Changes with every change of a route.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

private:
  struct Key {
    IpPrefix prefix;
    RouteOrigin origin;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Routes = std::map<Key, Route>;  ///< the first of a prefix is its best

  [[nodiscard]] Routes::const_iterator best(const IpPrefix& prefix) const;
  [[nodiscard]] bool is_best(Routes::const_iterator at) const;
  void count(RouteOrigin origin, const Route& route, bool there);
  core::Expected<> set_fib(const IpPrefix& prefix, NextHopId next_hop);
  void remove_from_fib(const IpPrefix& prefix);

  std::variant<Fib4*, CompactFib*> fib4_;
  std::variant<Fib6*, CompactFib*> fib6_;
  Routes routes_;
  std::vector<std::uint32_t> static_routes_;  ///< by interface
  std::uint64_t version_ = 0;
};
}  // namespace proto
