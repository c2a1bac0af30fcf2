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

/// A subnet may be on a link of another VRF than the one whose route led there; its neighbours are
/// found by the routes of its own. So the question is asked once more there, and the answer counts
/// where it is about that link.
/// @param vrf  whose route led to `l`; becomes the other one where that answers.
template <class Config, class Dst, class Flow>
[[nodiscard]] Leads follow_leak(const Config& config, std::uint16_t& vrf, const Dst& dst,
                                const Leads& l, Flow&& flow) noexcept {
  if (l.kind != NextHopKind::Glean || l.hop->tunnel == vrf) return l;
  const Leads there =
      lead(*config.next_hops, *config.groups, config.lookup(l.hop->tunnel, dst), flow);
  const bool answers = there.kind == NextHopKind::Changing ||
                       (there.hop->interface == l.hop->interface &&
                        (there.kind == NextHopKind::Reachable || there.kind == NextHopKind::Local ||
                         there.kind == NextHopKind::Incomplete ||
                         there.kind == NextHopKind::Failed || there.kind == NextHopKind::Glean));
  if (answers) vrf = l.hop->tunnel;
  return answers ? there : l;
}

/// True for the kinds under which a packet waits for the manager.
[[nodiscard]] constexpr bool must_wait(NextHopKind k) noexcept {
  return k == NextHopKind::Glean || k == NextHopKind::Incomplete || k == NextHopKind::Changing;
}
/// How a packet begins to wait.
struct HoldFor {
  std::uint16_t vrf;
  bool own;
  std::uint64_t now_us;
};
/// The held form of a packet. @param dst  as the tables know it. @pre must_wait(l.kind).
[[nodiscard]] inline HeldPacket held(rte_mbuf* m, const core::IpAddress& dst, const Leads& l,
                                     const HoldFor& how) noexcept {
  if (l.kind == NextHopKind::Changing)  // nothing else of it may be read
    return {
        .m = m, .dst = dst, .gateway = dst, .vrf = how.vrf, .own = how.own, .since_us = how.now_us};
  return {.m = m,
          .dst = dst,
          .gateway = l.kind == NextHopKind::Glean ? dst : l.hop->gateway,
          .interface = l.hop->interface,
          .vrf = how.vrf,
          .own = how.own,
          .since_us = how.now_us};
}
}  // namespace proto
