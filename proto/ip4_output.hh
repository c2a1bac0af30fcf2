// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_lookup.hh"

namespace proto {
/// Where ip4_output sends packets.
struct Ip4OutputNext {
  RoutedBurst ether;                          ///< to a neighbour that is known
  RoutedBurst tunnel;                         ///< into a tunnel
  RoutedBurst ether_too_big, tunnel_too_big;  ///< the same, to be cut first
  core::NotedBurst<core::InterfaceId> local;  ///< to ourselves, for loop_output()
};

/// Routes packets of our own: ICMP, ESP's outer packets, echo requests. A source of 0 becomes that
/// of the route (RFC 1122 section 3.3.4.3), to ourselves the destination. What must be cut gets an
/// Identification of its own (RFC 6864 section 4.1). The TTL stays. In:    data at an IPv4 header
/// that we wrote. Out:   one burst of `next`, held for its neighbour, or dropped: nobody is told.
/// `in` is empty. Drops: Ip4NoRoute, Ip4Blackhole, Ip4Prohibited, Ip4Martian, Ip4Multicast,
/// Ip4DirectedBroadcast,
///        Ip4OwnDestination, Ip4BadSource, Ip4TooBig, NeighborFailed, NeighborHoldFull.
void ip4_output(core::Worker& w, IpShard& shard, const Ip4Config& config, std::uint16_t vrf,
                core::Burst& in, Ip4OutputNext& next) noexcept;
}  // namespace proto
