// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/ip6_lookup.hh"

namespace proto {
/// Where ip6_output sends packets.
struct Ip6OutputNext {
  RoutedBurst ether;                          ///< to a neighbour that is known
  RoutedBurst too_big;                        ///< the same, to be cut first
  core::NotedBurst<core::InterfaceId> local;  ///< to ourselves, for loop_output()
};

/// Routes packets of our own: ICMPv6. A source of :: becomes that of the route, or where that is
/// link-local and the destination is not, another address of ours (RFC 6724 section 5, rule 2); the
/// checksum of the ICMPv6 message or UDP datagram right behind the header follows. What must keep
/// :: (duplicate address detection) is sent as a frame. A hop limit of 0 becomes that of the link
/// that the packet leaves by (RFC 4861 section 6.3.2).
/// In:    data at an IPv6 header that we wrote; note = scoped destination.
/// Out:   one burst of `next`, held for its neighbour, or dropped: nobody is told. `in` is empty.
/// Drops: Ip6NoRoute, Ip6Blackhole, Ip6Prohibited, Ip6Martian, Ip6Multicast, Ip6OwnDestination,
///        Ip6BadSource, Ip6BeyondScope, NeighborFailed, NeighborHoldFull.
void ip6_output(core::Worker& w, IpShard& shard, const Ip6Config& config, std::uint16_t vrf,
                ScopedBurst& in, Ip6OutputNext& next) noexcept;
}  // namespace proto
