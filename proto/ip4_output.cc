// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_output.hh"

#include <optional>

#include "core/mbuf.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
constexpr std::size_t kFlagsAt = 6, kSourceAt = 12, kDestinationAt = 16;
constexpr std::uint8_t kDontFragment = 0x40;

DropReason refusal(NextHopKind kind) noexcept {
  switch (kind) {
    case NextHopKind::Blackhole: return DropReason::Ip4Blackhole;
    case NextHopKind::Prohibited: return DropReason::Ip4Prohibited;
    case NextHopKind::Martian: return DropReason::Ip4Martian;
    case NextHopKind::Multicast: return DropReason::Ip4Multicast;
    case NextHopKind::Broadcast: return DropReason::Ip4DirectedBroadcast;
    case NextHopKind::Failed: return DropReason::NeighborFailed;
    default: return DropReason::Ip4NoRoute;
  }
}

/// Whether it is for ourselves: 127/8, a martian for all others, is lo0's where that has such an
/// address (RFC 1122 section 3.2.1.3 (g)).
bool is_ours(const Ip4Config& config, NextHopKind kind, std::uint32_t dst) noexcept {
  if (kind == NextHopKind::Local) return true;
  return kind == NextHopKind::Martian && config.loopback.ip4.length != 0 && is_ip4_loopback(dst) &&
         config.loopback.ip4.contains(dst);
}

/// @return why it goes no further, where it does not.
std::optional<DropReason> refuse(const Ip4Config& config, NextHopKind kind, Bytes header,
                                 bool ours) noexcept {
  if (ours) return config.loopback.on ? std::nullopt : std::optional{DropReason::Ip4OwnDestination};
  if (kind != NextHopKind::Reachable && kind != NextHopKind::Tunnel) return refusal(kind);
  if (is_ip4_loopback(load_be32(header, kSourceAt))) return DropReason::Ip4BadSource;
  return std::nullopt;
}
}  // namespace

void ip4_output(core::Worker& w, IpShard& shard, const Ip4Config& config, std::uint16_t vrf,
                core::Burst& in, Ip4OutputNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Output, in.packets());
  std::array<std::uint32_t, core::Burst::kCapacity> dst;
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i)
    dst[i] = load_be32(core::front_bytes(*packets[i]), kDestinationAt);
  config.lookup(vrf, dst.data(), hops.data(), static_cast<unsigned>(packets.size()));

  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const auto flow = [m] { return flow::of_ip4(core::front_bytes(*m)); };
    std::uint16_t of = vrf;
    const Leads to = follow_leak(config, of, dst[i],
                                 lead(*config.next_hops, *config.groups, hops[i], flow), flow);
    const NextHop& hop = *to.hop;
    const NextHopKind kind = to.kind;
    if (must_wait(kind)) {
      shard.hold.push(
          w, held(m, core::IpAddress{dst[i]}, to, {.vrf = of, .own = true, .now_us = w.now_us}));
      continue;
    }
    const bool tunnel = kind == NextHopKind::Tunnel, ours = is_ours(config, kind, dst[i]);
    const MutBytes header = core::front_bytes_mut(*m);
    if (const auto why = refuse(config, kind, header, ours)) {
      w.drop(m, *why);
      continue;
    }
    if (load_be32(header, kSourceAt) == 0) set_source(header, ours ? dst[i] : hop.source.ip4());
    if (ours) {
      next.local.push(m, core::kNoInterface);
    } else if (m->pkt_len <= hop.mtu) [[likely]] {
      (tunnel ? next.tunnel : next.ether).push(m, &hop);
    } else if ((header[kFlagsAt] & kDontFragment) != 0) {
      w.drop(m, DropReason::Ip4TooBig);
    } else {
      set_id(header, shard.ip_id++);
      (tunnel ? next.tunnel_too_big : next.ether_too_big).push(m, &hop);
    }
  }
}
}  // namespace proto
