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

/// Everything but the common kinds: the rarer ways, in one switch.
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
  RoutedBurst::Writer forward{next.forward};
  core::Burst::Writer local{next.local};
  const auto to_be_resolved = [&](std::size_t i, const Leads& led, const auto& flow) {
    Ip6Arrival there = arrival;
    const Leads to = follow_leak(config, there.vrf, dst[i], led, flow);
    if (to.kind == NextHopKind::Reachable && plain && may_leave_link(*packets[i], dst[i]))
      forward.push(packets[i], to.hop);
    else if (to.kind == NextHopKind::Local && !arrival.link_group)
      local.push(packets[i]);
    else
      dispose(w, shard, config, there, {packets[i], dst[i], to}, next);
  };
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const auto flow = [m = packets[i]] { return flow::of_ip6(core::front_bytes(*m)); };
    const auto [hop, kind] = lead(*config.next_hops, *config.groups, hops[i], flow);
    if (kind == NextHopKind::Reachable && plain && may_leave_link(*packets[i], dst[i])) [[likely]]
      forward.push(packets[i], hop);
    else if (kind == NextHopKind::Local && (!arrival.link_group || is_ip6_multicast(dst[i])))
      local.push(packets[i]);
    else
      to_be_resolved(i, {hop, kind}, flow);
  }
}
}  // namespace proto
