// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp4_error.hh"
#include "proto/ip4_config.hh"
#include "proto/ip_shard.hh"

namespace proto {
/// Packets beside the next hop that they have been given.
using RoutedBurst = core::NotedBurst<const NextHop*>;

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

/// True for the kinds under which a packet waits for the manager.
[[nodiscard]] constexpr bool must_wait(NextHopKind k) noexcept {
  return k == NextHopKind::Glean || k == NextHopKind::Incomplete || k == NextHopKind::Changing;
}
/// The held form of a packet whose next hop has the kind `k`. @pre must_wait(k).
[[nodiscard]] inline HeldPacket held(rte_mbuf* m, std::uint32_t dst, const NextHop& h,
                                     NextHopKind k, bool own, std::uint64_t now_us) noexcept {
  if (k == NextHopKind::Changing)  // nothing else of it may be read
    return {.m = m, .dst = dst, .gateway = dst, .own = own, .since_us = now_us};
  return {.m = m,
          .dst = dst,
          .gateway = k == NextHopKind::Glean ? core::IpAddress{dst} : h.gateway,
          .interface = h.interface,
          .own = own,
          .since_us = now_us};
}
}  // namespace proto
