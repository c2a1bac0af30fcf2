// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp4_error.hh"
#include "proto/ip4_config.hh"
#include "proto/ip_shard.hh"
#include "proto/routed.hh"

namespace proto {
/// Where ip4_lookup sends packets.
struct Ip4LookupNext {
  RoutedBurst forward;                   ///< to a neighbour that is known
  RoutedBurst tunnel;                    ///< into a tunnel
  core::Burst local;                     ///< to one of our addresses
  core::Burst broadcast;                 ///< to all on the link it came in on
  core::NotedBurst<Icmp4Cause> refused;  ///< the source is to be told
};

/// How the packets of a burst came in.
struct Ip4Arrival {
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t vrf = 0;    ///< whose routes they follow
  bool link_group = false;  ///< in a link-layer broadcast or multicast frame
};

/// Finds the next hop of packets that are not ours, all at once. A local address, a martian, a
/// broadcast is a route too, so this is the only question asked.
/// In:    note = destination; header checked.
/// Out:   one burst of `next`, held for its neighbour, or dropped. `in` is empty.
/// Drops: Ip4Blackhole, Ip4Martian, Ip4Multicast, Ip4DirectedBroadcast, Ip4LinkBroadcast,
///        Ip4NotForwarding, NeighborHoldFull.
void ip4_lookup(core::Worker& w, IpShard& shard, const Ip4Config& config, Ip4Arrival arrival,
                core::NotedBurst<std::uint32_t>& in, Ip4LookupNext& next) noexcept;
}  // namespace proto
