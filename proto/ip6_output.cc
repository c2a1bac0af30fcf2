// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_output.hh"

#include <optional>

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/ip6.hh"

namespace proto {
namespace {
DropReason refusal(NextHopKind kind) noexcept {
  switch (kind) {
    case NextHopKind::Blackhole: return DropReason::Ip6Blackhole;
    case NextHopKind::Prohibited: return DropReason::Ip6Prohibited;
    case NextHopKind::Martian: return DropReason::Ip6Martian;
    case NextHopKind::Multicast: return DropReason::Ip6Multicast;
    case NextHopKind::Local: return DropReason::Ip6Multicast;  // a group that we are in
    case NextHopKind::Failed: return DropReason::NeighborFailed;
    default: return DropReason::Ip6NoRoute;  // tunnels carry IPv4 only
  }
}

/// An address of the interface that is known beyond its link.
std::optional<core::IpAddress> wide_address(const Ip6Config& config,
                                            std::size_t interface) noexcept {
  if (interface >= config.addresses.size()) return std::nullopt;
  for (const Ip6InterfaceAddress& a : config.addresses[interface])
    if (!a.tentative && !is_link_local(a.prefix.address)) return a.prefix.address;
  return std::nullopt;
}

/// The address that a packet to `dst` by way of `hop` comes from, or nothing where we have none
/// that its receiver could answer to.
std::optional<core::IpAddress> choose_source(const Ip6Config& config, std::uint16_t vrf,
                                             const NextHop& hop,
                                             const core::IpAddress& dst) noexcept {
  const core::IpAddress& routes = hop.source;
  const bool usable = routes != core::IpAddress{} && !routes.is_ip4();
  if (usable && (!is_link_local(routes) || is_link_scoped(dst))) return unscoped(routes);
  if (is_link_scoped(dst)) return std::nullopt;
  if (const auto own = wide_address(config, hop.interface)) return own;
  for (std::size_t other = 0; other < config.addresses.size(); ++other)
    if (other < config.vrfs.size() && config.vrfs[other] != vrf)
      continue;
    else if (const auto any = wide_address(config, other))
      return any;
  return std::nullopt;
}

/// A hop limit of 0 is the link's (RFC 4861 section 6.3.2, CurHopLimit).
void choose_hop_limit(const Ip6Config& config, MutBytes packet, core::InterfaceId out) noexcept {
  std::uint8_t& hop_limit = packet[Ip6View::kHopLimitAt];
  if (hop_limit == 0) hop_limit = config.hop_limit(out);
}

/// @return why the packet cannot go, where it cannot.
std::optional<DropReason> finish(const Ip6Config& config, std::uint16_t vrf, rte_mbuf& m,
                                 const NextHop& hop, const core::IpAddress& dst) noexcept {
  const MutBytes packet = core::front_bytes_mut(m);
  choose_hop_limit(config, packet, hop.interface);
  const core::IpAddress src = load_ip6(packet, Ip6View::kSourceAt);
  if (src == core::IpAddress{}) {
    const auto chosen = choose_source(config, vrf, hop, dst);
    if (!chosen) return DropReason::Ip6NoRoute;
    set_source(packet, *chosen);
  } else if (is_link_local(src) && !is_link_scoped(dst)) {
    return DropReason::Ip6BeyondScope;
  } else if (src == kIp6Loopback) {
    return DropReason::Ip6BadSource;
  }
  return std::nullopt;
}

/// Whether it is for ourselves: ::1, a martian for all others, is lo0's where that has it (RFC 4291
/// section 2.5.3).
bool is_ours(const Ip6Config& config, NextHopKind kind, const core::IpAddress& dst) noexcept {
  if (kind == NextHopKind::Local) return !is_ip6_multicast(dst);
  return kind == NextHopKind::Martian && config.loopback.ip6 && dst == kIp6Loopback;
}

void to_ourselves(core::Worker& w, const Ip6Config& config, rte_mbuf* m, const core::IpAddress& dst,
                  const NextHop& hop, Ip6OutputNext& next) noexcept {
  if (!config.loopback.on) return w.drop(m, DropReason::Ip6OwnDestination);
  const MutBytes packet = core::front_bytes_mut(*m);
  choose_hop_limit(config, packet, core::kNoInterface);
  if (load_ip6(packet, Ip6View::kSourceAt) == core::IpAddress{}) set_source(packet, unscoped(dst));
  next.local.push(m, is_link_scoped(dst) ? hop.interface : core::kNoInterface);
}
}  // namespace

void ip6_output(core::Worker& w, IpShard& shard, const Ip6Config& config, std::uint16_t vrf,
                ScopedBurst& in, Ip6OutputNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip6Output, in.packets());
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  const core::IpAddress* dst = in.notes();
  config.lookup(vrf, dst, hops.data(), static_cast<unsigned>(packets.size()));

  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const auto flow = [m] { return flow::of_ip6(core::front_bytes(*m)); };
    std::uint16_t of = vrf;
    const Leads to = follow_leak(config, of, dst[i],
                                 lead(*config.next_hops, *config.groups, hops[i], flow), flow);
    const NextHop& hop = *to.hop;
    if (must_wait(to.kind))
      shard.hold.push(w, held(m, dst[i], to, {.vrf = of, .own = true, .now_us = w.now_us}));
    else if (is_ours(config, to.kind, dst[i]))
      to_ourselves(w, config, m, dst[i], hop, next);
    else if (to.kind != NextHopKind::Reachable)
      w.drop(m, refusal(to.kind));
    else if (const auto why = finish(config, vrf, *m, hop, dst[i]))
      w.drop(m, *why);
    else
      (m->pkt_len <= hop.mtu ? next.ether : next.too_big).push(m, &hop);
  }
}
}  // namespace proto
