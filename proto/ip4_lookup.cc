// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_lookup.hh"

#include "proto/wire/icmp4.hh"

namespace proto {
namespace {
/// One packet that does not simply go to a known neighbour.
struct Lookup {
  rte_mbuf* m;
  std::uint32_t dst;
  const NextHop* hop;
  NextHopKind kind;  ///< read once: the manager may change it under way
};

void for_us(core::Worker& w, const Ip4Arrival& arrival, const Lookup& l,
            Ip4LookupNext& next) noexcept {
  if (l.kind == NextHopKind::Local) {
    if (arrival.link_group)  // RFC 1122 section 3.3.6: silently discarded
      w.drop(l.m, DropReason::Ip4LinkBroadcast);
    else
      next.local.push(l.m);
    return;
  }
  // 255.255.255.255 belongs to every link, a subnet's broadcast address to its own (RFC 2644).
  const bool ours = l.hop->interface == core::kNoInterface || l.hop->interface == arrival.interface;
  if (ours && arrival.interface != core::kNoInterface)
    next.broadcast.push(l.m);
  else
    w.drop(l.m, DropReason::Ip4DirectedBroadcast);
}

/// Everything but Reachable: the rarer ways, in one switch.
void dispose(core::Worker& w, Ip4Shard& shard, const Ip4Config& config, const Ip4Arrival& arrival,
             const Lookup& l, Ip4LookupNext& next) noexcept {
  using K = NextHopKind;
  constexpr std::uint8_t kUnreachable = Icmp4View::kUnreachable;
  switch (l.kind) {
    case K::Local:
    case K::Broadcast: return for_us(w, arrival, l, next);
    case K::Blackhole: return w.drop(l.m, DropReason::Ip4Blackhole);
    case K::Martian: return w.drop(l.m, DropReason::Ip4Martian);
    case K::Multicast: return w.drop(l.m, DropReason::Ip4Multicast);
    default: break;
  }
  if (arrival.link_group) return w.drop(l.m, DropReason::Ip4LinkBroadcast);
  if (!config.sysctl.forwarding) return w.drop(l.m, DropReason::Ip4NotForwarding);
  switch (l.kind) {
    case K::Tunnel: return next.tunnel.push(l.m, l.hop);
    case K::Failed:
      return next.refused.push(
          l.m, {DropReason::NeighborFailed, kUnreachable, Icmp4View::kHostUnreachable, 0});
    case K::Prohibited:
      return next.refused.push(
          l.m, {DropReason::Ip4Prohibited, kUnreachable, Icmp4View::kProhibited, 0});
    case K::NoRoute:
      return next.refused.push(
          l.m, {DropReason::Ip4NoRoute, kUnreachable, Icmp4View::kNetUnreachable, 0});
    default: return shard.hold.push(w, held(l.m, l.dst, *l.hop, l.kind, /*own=*/false, w.now_us));
  }
}
}  // namespace

void ip4_lookup(core::Worker& w, Ip4Shard& shard, const Ip4Config& config, Ip4Arrival arrival,
                core::NotedBurst<std::uint32_t>& in, Ip4LookupNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Lookup, in.size());
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  const std::uint32_t* dst = in.notes();
  config.fib->lookup(dst, hops.data(), static_cast<unsigned>(packets.size()));

  const bool plain = config.sysctl.forwarding && !arrival.link_group;
  RoutedBurst::Writer forward{next.forward};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const NextHop& hop = (*config.next_hops)[hops[i]];
    const NextHopKind kind = hop.kind.load(std::memory_order_acquire);
    if (kind == NextHopKind::Reachable && plain) [[likely]]
      forward.push(packets[i], &hop);
    else
      dispose(w, shard, config, arrival, {packets[i], dst[i], &hop, kind}, next);
  }
}
}  // namespace proto
