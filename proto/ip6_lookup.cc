// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_lookup.hh"

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/icmp6.hh"

namespace proto {
namespace {
/// One packet that does not simply go to a known neighbour.
struct Lookup {
  rte_mbuf* m;
  const core::IpAddress& dst;
  Leads to;
};

/// Whether both addresses may be seen on more than one link. An unspecified source may not (RFC
/// 4291 section 2.5.2); what else begins with 0 may.
bool may_leave_link(const rte_mbuf& m, const core::IpAddress& dst) noexcept {
  const Bytes header = core::front_bytes(m);  // 40 bytes at least: ip6_input saw to it
  const std::uint8_t first = header[Ip6View::kSourceAt];
  if (first != 0 && first != 0xfe && dst.bytes()[0] < 0xfe) [[likely]]
    return true;
  const core::IpAddress src = load_ip6(header, Ip6View::kSourceAt);
  return !is_link_local(src) && src != core::IpAddress{} && !is_link_local(dst);
}

/// A packet that would leave its link though one of its addresses does not. @pre !may_leave_link().
void keep_on_link(core::Worker& w, const Lookup& l, Ip6LookupNext& next) noexcept {
  const core::IpAddress src = load_ip6(core::front_bytes(*l.m), Ip6View::kSourceAt);
  if (is_link_local(l.dst)) return w.drop(l.m, DropReason::Ip6BeyondScope);
  if (src == core::IpAddress{}) return w.drop(l.m, DropReason::Ip6BadSource);
  next.refused.push(
      l.m, {DropReason::Ip6BeyondScope, Icmp6View::kUnreachable, Icmp6View::kBeyondScope, 0});
}

/// All that does not go on: the rarer ways, in one switch.
void dispose(core::Worker& w, IpShard& shard, const Ip6Config& config, const Ip6Arrival& arrival,
             const Lookup& l, Ip6LookupNext& next) noexcept {
  using K = NextHopKind;
  const auto refuse = [&](DropReason why, std::uint8_t code) {
    next.refused.push(l.m, {why, Icmp6View::kUnreachable, code, 0});
  };
  switch (l.to.kind) {
    case K::Blackhole: return w.drop(l.m, DropReason::Ip6Blackhole);
    case K::Martian:
      return w.drop(l.m,
                    is_link_local(l.dst) ? DropReason::Ip6BeyondScope : DropReason::Ip6Martian);
    case K::Multicast: return w.drop(l.m, DropReason::Ip6Multicast);
    default: break;
  }
  // An unrouted group is no group of ours either: nobody is told.
  if (is_ip6_multicast(l.dst)) return w.drop(l.m, DropReason::Ip6Multicast);
  if (arrival.link_group) return w.drop(l.m, DropReason::Ip6LinkGroup);
  if (!config.sysctl.forwarding) return w.drop(l.m, DropReason::Ip6NotForwarding);
  if (!may_leave_link(*l.m, l.dst)) return keep_on_link(w, l, next);
  if (must_wait(l.to.kind))
    return shard.hold.push(
        w, held(l.m, l.dst, l.to, {.vrf = arrival.vrf, .own = false, .now_us = w.now_us}));
  switch (l.to.kind) {
    case K::Failed: return refuse(DropReason::NeighborFailed, Icmp6View::kAddressUnreachable);
    case K::Prohibited: return refuse(DropReason::Ip6Prohibited, Icmp6View::kProhibited);
    default: return refuse(DropReason::Ip6NoRoute, Icmp6View::kNoRoute);  // tunnels carry IPv4 only
  }
}

/// A packet whose next hop does not say at once where it goes: flows of a group, subnets of another
/// VRF, all that ends here.
[[gnu::cold, gnu::noinline]] void resolve(core::Worker& w, IpShard& shard, const Ip6Config& config,
                                          Ip6Arrival arrival, rte_mbuf* m,
                                          const core::IpAddress& dst, std::size_t route,
                                          Ip6LookupNext& next) noexcept {
  const bool plain = config.sysctl.forwarding && !arrival.link_group;
  const auto flow = [m] { return flow::of_ip6(core::front_bytes(*m)); };
  const Leads to = follow_leak(config, arrival.vrf, dst,
                               lead(*config.next_hops, *config.groups, route, flow), flow);
  if (to.kind == NextHopKind::Reachable && plain && may_leave_link(*m, dst))
    next.forward.push(m, to.hop);
  else if (to.kind == NextHopKind::Local && !arrival.link_group)
    next.local.push(m);
  else
    dispose(w, shard, config, arrival, {m, dst, to}, next);
}
}  // namespace

void ip6_lookup(core::Worker& w, IpShard& shard, const Ip6Config& config, Ip6Arrival arrival,
                ScopedBurst& in, Ip6LookupNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip6Lookup, in.packets());
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  const core::IpAddress* dst = in.notes();
  config.lookup(arrival.vrf, dst, hops.data(), static_cast<unsigned>(packets.size()));

  const bool plain = config.sysctl.forwarding && !arrival.link_group;
  std::array<std::uint8_t, core::Burst::kCapacity> unsettled;  // indexes
  std::size_t left = 0;
  {
    RoutedBurst::Writer forward{next.forward};
    core::Burst::Writer local{next.local};
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const NextHop& hop = (*config.next_hops)[hops[i]];
      const NextHopKind kind = hop.kind.load(std::memory_order_acquire);
      if (kind == NextHopKind::Reachable && plain && may_leave_link(*packets[i], dst[i])) [[likely]]
        forward.push(packets[i], &hop);
      else if (kind == NextHopKind::Local && (!arrival.link_group || is_ip6_multicast(dst[i])))
        local.push(packets[i]);
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
