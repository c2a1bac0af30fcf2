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

/// Everything but the three common kinds: the rarer ways, in one switch.
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
  RoutedBurst::Writer forward{next.forward}, tunnel{next.tunnel};
  core::Burst::Writer local{next.local};
  const auto to_be_resolved = [&](std::size_t i, const Leads& led, const auto& flow) {
    Ip4Arrival there = arrival;
    const Leads to = follow_leak(config, there.vrf, dst[i], led, flow);
    if (to.kind == NextHopKind::Reachable && plain)
      forward.push(packets[i], to.hop);
    else if (to.kind == NextHopKind::Local && !arrival.link_group)
      local.push(packets[i]);
    else
      dispose(w, shard, config, there, {packets[i], dst[i], to}, next);
  };
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const auto flow = [m = packets[i]] { return flow::of_ip4(core::front_bytes(*m)); };
    const auto [hop, kind] = lead(*config.next_hops, *config.groups, hops[i], flow);
    if (kind == NextHopKind::Reachable && plain) [[likely]]
      forward.push(packets[i], hop);
    else if (kind == NextHopKind::Local && !arrival.link_group)
      local.push(packets[i]);
    else if (kind == NextHopKind::Tunnel && plain)
      tunnel.push(packets[i], hop);
    else if (kind == NextHopKind::Broadcast && is_spread(config, arrival, *hop))
      forward.push(packets[i], hop);
    else
      to_be_resolved(i, {hop, kind}, flow);
  }
}
}  // namespace proto
