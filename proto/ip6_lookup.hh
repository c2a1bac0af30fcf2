// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/icmp6_error.hh"
#include "proto/routed.hh"

namespace proto {
/// Where ip6_lookup sends packets.
struct Ip6LookupNext {
  RoutedBurst forward;                 ///< to a neighbour that is known
  core::Burst local;                   ///< to one of our addresses or groups
  core::NotedBurst<Ip6Cause> refused;  ///< the source is to be told
};

/// Finds the next hop of packets that are not ours, all at once. A local address, a group that we
/// are in, a martian is a route too, so this is the only question asked. What has a link-local
/// address is for us or for nobody: it never goes on (RFC 4291 section 2.5.6, RFC 4007 section 9).
/// In:    note = scoped destination; header checked.
/// Out:   one burst of `next`, held for its neighbour, or dropped. `in` is empty.
/// Drops: Ip6Blackhole, Ip6Martian, Ip6Multicast, Ip6LinkGroup, Ip6BeyondScope, Ip6BadSource,
///        Ip6NotForwarding, NeighborHoldFull.
void ip6_lookup(core::Worker& w, IpShard& shard, const Ip6Config& config, Ip6Arrival arrival,
                ScopedBurst& in, Ip6LookupNext& next) noexcept;
}  // namespace proto
