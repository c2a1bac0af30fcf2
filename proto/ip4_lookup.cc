// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_lookup.hh"

#include "core/mbuf.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/icmp4.hh"

namespace proto {
namespace {
/// One packet that does not simply go to a known neighbour.
struct Lookup {
  rte_mbuf* m;
  std::uint32_t dst;
  Leads to;
};

/// 255.255.255.255 belongs to every link, a subnet's broadcast address to its own (RFC 2644).
bool is_of_link(const NextHop& broadcast, const Ip4Arrival& arrival) noexcept {
  return broadcast.interface == core::kNoInterface || broadcast.interface == arrival.interface;
}

/// Whether a broadcast goes on to all hosts of another link, which its next hop has the header for.
bool is_spread(const Ip4Config& config, const Ip4Arrival& arrival, const NextHop& hop) noexcept {
  return config.sysctl.directed_broadcast && config.sysctl.forwarding && !arrival.link_group &&
         !is_of_link(hop, arrival);
}

void to_broadcast(core::Worker& w, const Ip4Arrival& arrival, const Lookup& l,
                  Ip4LookupNext& next) noexcept {
  if (is_of_link(*l.to.hop, arrival) && arrival.interface != core::kNoInterface)
    next.broadcast.push(l.m);
  else
    w.drop(l.m, DropReason::Ip4DirectedBroadcast);
}

/// All that does not go on: the rarer ways, in one switch.
void dispose(core::Worker& w, IpShard& shard, const Ip4Config& config, const Ip4Arrival& arrival,
             const Lookup& l, Ip4LookupNext& next) noexcept {
  using K = NextHopKind;
  constexpr std::uint8_t kUnreachable = Icmp4View::kUnreachable;
  switch (l.to.kind) {
    case K::Broadcast: return to_broadcast(w, arrival, l, next);
    case K::Blackhole: return w.drop(l.m, DropReason::Ip4Blackhole);
    case K::Martian: return w.drop(l.m, DropReason::Ip4Martian);
    case K::Multicast: return w.drop(l.m, DropReason::Ip4Multicast);
    default: break;
  }
  // RFC 1122 section 3.3.6: silently discarded, also when it is for us.
  if (arrival.link_group) return w.drop(l.m, DropReason::Ip4LinkBroadcast);
  if (!config.sysctl.forwarding) return w.drop(l.m, DropReason::Ip4NotForwarding);
  switch (l.to.kind) {
    case K::Failed:
      return next.refused.push(
          l.m, {DropReason::NeighborFailed, kUnreachable, Icmp4View::kHostUnreachable, 0});
    case K::Prohibited:
      return next.refused.push(
          l.m, {DropReason::Ip4Prohibited, kUnreachable, Icmp4View::kProhibited, 0});
    case K::NoRoute:
      return next.refused.push(
          l.m, {DropReason::Ip4NoRoute, kUnreachable, Icmp4View::kNetUnreachable, 0});
    default:
      return shard.hold.push(w, held(l.m, core::IpAddress{l.dst}, l.to,
                                     {.vrf = arrival.vrf, .own = false, .now_us = w.now_us}));
  }
}

/// A packet whose next hop does not say at once where it goes: flows of a group, subnets of another
/// VRF, broadcasts, all that ends here.
[[gnu::cold, gnu::noinline]] void resolve(core::Worker& w, IpShard& shard, const Ip4Config& config,
                                          Ip4Arrival arrival, rte_mbuf* m, std::uint32_t dst,
                                          std::size_t route, Ip4LookupNext& next) noexcept {
  const bool plain = config.sysctl.forwarding && !arrival.link_group;
  const auto flow = [m] { return flow::of_ip4(core::front_bytes(*m)); };
  Leads to = lead(*config.next_hops, *config.groups, route, flow);
  if (to.kind == NextHopKind::Broadcast && is_spread(config, arrival, *to.hop))
    return next.forward.push(m, to.hop);
  to = follow_leak(config, arrival.vrf, dst, to, flow);
  if (to.kind == NextHopKind::Reachable && plain)
    next.forward.push(m, to.hop);
  else if (to.kind == NextHopKind::Tunnel && plain)
    next.tunnel.push(m, to.hop);
  else if (to.kind == NextHopKind::Local && !arrival.link_group)
    next.local.push(m);
  else
    dispose(w, shard, config, arrival, {m, dst, to}, next);
}
}  // namespace

void ip4_lookup(core::Worker& w, IpShard& shard, const Ip4Config& config, Ip4Arrival arrival,
                core::NotedBurst<std::uint32_t>& in, Ip4LookupNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Lookup, in.packets());
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  const std::uint32_t* dst = in.notes();
  config.lookup(arrival.vrf, dst, hops.data(), static_cast<unsigned>(packets.size()));

  const bool plain = config.sysctl.forwarding && !arrival.link_group;
  std::array<std::uint8_t, core::Burst::kCapacity> unsettled;  // indexes
  std::size_t left = 0;
  {
    RoutedBurst::Writer forward{next.forward}, tunnel{next.tunnel};
    core::Burst::Writer local{next.local};
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const NextHop& hop = (*config.next_hops)[hops[i]];
      const NextHopKind kind = hop.kind.load(std::memory_order_acquire);
      if (kind == NextHopKind::Reachable && plain) [[likely]]
        forward.push(packets[i], &hop);
      else if (kind == NextHopKind::Local && !arrival.link_group)
        local.push(packets[i]);
      else if (kind == NextHopKind::Tunnel && plain)
        tunnel.push(packets[i], &hop);
      else
        unsettled[left++] = static_cast<std::uint8_t>(i);
    }
  }
  for (std::size_t n = 0; n < left; ++n) {
    const std::size_t i = unsettled[n];
    resolve(w, shard, config, arrival, packets[i], dst[i], hops[i], next);
  }
}
}  // namespace proto
