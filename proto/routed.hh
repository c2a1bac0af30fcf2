// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/neighbor_hold.hh"
#include "proto/next_hop.hh"
#include "proto/next_hop_group.hh"

namespace proto {
/// Packets beside the next hop that they have been given.
using RoutedBurst = core::NotedBurst<const NextHop*>;

/// Where the flow of a packet leads: the next hop of its route, or that one's member.
struct Leads {
  const NextHop* hop;
  NextHopKind kind;  ///< read once: the manager may change it under way
};
/// @param flow  called for routes that lead to a group: the packet's flow::of_ip4() or of_ip6().
template <class Flow>
[[nodiscard]] Leads lead(const NextHopTable& next_hops, const NextHopGroups& groups,
                         std::size_t route, Flow&& flow) noexcept {
  const NextHop* hop = &next_hops[route];
  NextHopKind kind = hop->kind.load(std::memory_order_acquire);
  if (kind == NextHopKind::Group) [[unlikely]] {
    hop = &next_hops[groups.pick(hop->group, flow())];
    kind = hop->kind.load(std::memory_order_acquire);
  }
  return {hop, kind};
}

/// True for the kinds under which a packet waits for the manager.
[[nodiscard]] constexpr bool must_wait(NextHopKind k) noexcept {
  return k == NextHopKind::Glean || k == NextHopKind::Incomplete || k == NextHopKind::Changing;
}
/// The held form of a packet. @param dst  as the tables know it. @pre must_wait(l.kind).
[[nodiscard]] inline HeldPacket held(rte_mbuf* m, const core::IpAddress& dst, const Leads& l,
                                     bool own, std::uint64_t now_us) noexcept {
  if (l.kind == NextHopKind::Changing)  // nothing else of it may be read
    return {.m = m, .dst = dst, .gateway = dst, .own = own, .since_us = now_us};
  return {.m = m,
          .dst = dst,
          .gateway = l.kind == NextHopKind::Glean ? dst : l.hop->gateway,
          .interface = l.hop->interface,
          .own = own,
          .since_us = now_us};
}
}  // namespace proto
