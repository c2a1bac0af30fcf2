// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hh"
#include "core/interface.hh"
#include "proto/fib4.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// Who put a route there; for one prefix the first in this order wins.
enum class RouteOrigin : std::uint8_t {
  Local,      ///< an address of ours
  Connected,  ///< the subnet of an address of ours, and its broadcast address
  Static,     ///< asked for by an administrator
  Neighbor,   ///< a host on a connected subnet
  Builtin,    ///< martians, multicast, limited broadcast
};
[[nodiscard]] std::string_view to_string(RouteOrigin o) noexcept;
[[nodiscard]] std::string_view to_string(NextHopKind k) noexcept;

/// A route as the table keeps it.
struct Route {
  NextHopId next_hop = NextHopTable::kNoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::optional<std::uint32_t> gateway;  ///< host order
};

/// What is shown of a route.
struct RouteInfo {
  Ip4Prefix prefix;
  RouteOrigin origin = RouteOrigin::Static;
  NextHopKind kind = NextHopKind::NoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::optional<std::uint32_t> gateway;
  std::uint64_t packets = 0, bytes = 0;  ///< sent through its next hop
};

/// The IPv4 routing table (RIB): every route by prefix and origin; the best one of each prefix is
/// in the FIB. Manager thread.
class RouteTable {
public:
  explicit RouteTable(Fib4& fib) noexcept : fib_{fib} {}

  /// @return Exists (same prefix and origin) | Full.
  core::Expected<> add(Ip4Prefix prefix, RouteOrigin origin, const Route& route);
  /// @return the route that was there | NotFound.
  core::Expected<Route> remove(Ip4Prefix prefix, RouteOrigin origin);
  [[nodiscard]] const Route* find(Ip4Prefix prefix, RouteOrigin origin) const noexcept;

  struct Match {
    Ip4Prefix prefix;
    RouteOrigin origin;
    Route route;
  };
  /// The route that a packet to `dst` takes.
  [[nodiscard]] std::optional<Match> lookup(std::uint32_t dst) const;
  /// All routes, by prefix and then origin.
  [[nodiscard]] std::vector<Match> list() const;

private:
  using Candidates = std::map<RouteOrigin, Route>;
  Fib4& fib_;
  std::map<Ip4Prefix, Candidates> routes_;
};
}  // namespace proto
