// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_output.hh"

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
    case NextHopKind::Local: return DropReason::Ip4OwnDestination;
    case NextHopKind::Failed: return DropReason::NeighborFailed;
    default: return DropReason::Ip4NoRoute;
  }
}
}  // namespace

void ip4_output(core::Worker& w, IpShard& shard, const Ip4Config& config, core::Burst& in,
                Ip4OutputNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Output, in.packets());
  std::array<std::uint32_t, core::Burst::kCapacity> dst;
  std::array<std::uint64_t, core::Burst::kCapacity> hops;
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i)
    dst[i] = load_be32(core::front_bytes(*packets[i]), kDestinationAt);
  config.fib->lookup(dst.data(), hops.data(), static_cast<unsigned>(packets.size()));

  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const auto flow = [m] { return flow::of_ip4(core::front_bytes(*m)); };
    const Leads to = lead(*config.next_hops, *config.groups, hops[i], flow);
    const NextHop& hop = *to.hop;
    const NextHopKind kind = to.kind;
    if (must_wait(kind)) {
      shard.hold.push(w, held(m, core::IpAddress{dst[i]}, to, /*own=*/true, w.now_us));
      continue;
    }
    const bool tunnel = kind == NextHopKind::Tunnel;
    if (kind != NextHopKind::Reachable && !tunnel) {
      w.drop(m, refusal(kind));
      continue;
    }
    const MutBytes header = core::front_bytes_mut(*m);
    if (load_be32(header, kSourceAt) == 0) set_source(header, hop.source.ip4());
    if (m->pkt_len <= hop.mtu) [[likely]] {
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
