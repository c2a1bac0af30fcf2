// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>

#include "core/interface.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// Who put a route there; for one prefix the first in this order wins.
enum class RouteOrigin : std::uint8_t { Local, Connected, Static, Neighbor, Builtin };

struct RouteInfo {
  Ip4Prefix prefix;
  RouteOrigin origin = RouteOrigin::Static;
  NextHopKind kind = NextHopKind::NoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::optional<std::uint32_t> gateway;
  std::uint64_t packets = 0, bytes = 0;  ///< sent through its next hop
};
}  // namespace proto
