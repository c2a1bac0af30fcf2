// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/pipeline.hh"

#include "proto/arp_input.hh"
#include "proto/ether_input.hh"
#include "proto/ether_output.hh"
#include "proto/icmp4_error.hh"
#include "proto/icmp4_input.hh"
#include "proto/ip4_forward.hh"
#include "proto/ip4_input.hh"
#include "proto/ip4_local.hh"
#include "proto/ip4_lookup.hh"
#include "proto/ip4_output.hh"

namespace polluxd {
namespace {
using core::Burst;
using core::DropReason;
using proto::Ip4Arrival;

/// A packet that waits longer than this will not be asked for any more. The manager gives a
/// neighbour up after three requests, one a second; this is the backstop.
constexpr std::uint64_t kHoldLimit_us = 10'000'000;

/// Turns routes into a tunnel into the tunnel's index, for the layer that knows tunnels.
void enter_tunnels(Shard& s, const StackConfig& config, proto::RoutedBurst& routed,
                   core::NotedBurst<std::uint16_t>& out) noexcept {
  const auto packets = routed.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const proto::NextHop& hop = *routed.notes()[i];
    s.ip4.next_hop[config.ip4.next_hops->id_of(hop)].add(1, packets[i]->pkt_len);
    out.push(packets[i], hop.tunnel);
  }
}

/// The way out: what is routed gets its Ethernet header; what enters a tunnel is sealed, then
/// routed once more as a packet of ours.
void output_path(Shard& s, const StackConfig& config, proto::RoutedBurst& ether,
                 proto::RoutedBurst& tunnel) noexcept {
  core::NotedBurst<std::uint16_t> inner;
  enter_tunnels(s, config, tunnel, inner);
  Burst sealed;
  crypto::esp_output(s.worker, s.esp, config.ipsec, inner, sealed);
  proto::Ip4OutputNext outer;
  proto::ip4_output(s.worker, s.ip4, config.ip4, sealed, outer);
  for (rte_mbuf* m : outer.tunnel.take()) s.worker.drop(m, DropReason::EspNested);

  proto::ether_output(s.worker, s.ip4, config.interfaces, *config.ip4.next_hops, ether);
  proto::ether_output(s.worker, s.ip4, config.interfaces, *config.ip4.next_hops, outer.ether);
}

/// From a routed packet to the transmit buffers: packets in transit lose a hop, those that cannot
/// go on are answered, and what we say ourselves is routed like everything else.
void forward_path(Shard& s, const StackConfig& config, proto::Ip4LookupNext& routed,
                  Burst& own) noexcept {
  proto::Ip4OutputNext out;
  proto::ip4_forward(s.worker, routed.forward, out.ether, routed.refused);
  proto::ip4_forward(s.worker, routed.tunnel, out.tunnel, routed.refused);
  proto::icmp4_error(s.worker, s.ip4, config.ip4, routed.refused, own);
  proto::ip4_output(s.worker, s.ip4, config.ip4, own, out);
  output_path(s, config, out.ether, out.tunnel);
}
}  // namespace

// To read this function is to read the architecture. Each stage takes a burst and puts every packet
// of it into one named burst, or ends it with a counted reason.
void input_path(Shard& s, const StackConfig& config, const core::Interface& in,
                Burst& rx) noexcept {
  core::Worker& w = s.worker;

  proto::EtherInputNext l2;
  proto::ether_input(w, in, rx, l2);
  proto::arp_input(w, config.interfaces, config.ip4, in, l2.arp);

  core::NotedBurst<std::uint32_t> checked;  // beside each packet: its destination
  proto::Ip4LookupNext routed;
  proto::ip4_input(w, in.rx_checksum, l2.ip4, checked);
  proto::ip4_lookup(w, s.ip4, config.ip4, Ip4Arrival{in.id, false}, checked, routed);
  proto::ip4_input(w, in.rx_checksum, l2.ip4_group, checked);
  proto::ip4_lookup(w, s.ip4, config.ip4, Ip4Arrival{in.id, true}, checked, routed);

  proto::Ip4LocalNext local;
  proto::ip4_local(w, routed.local, local, routed.refused);
  Burst inner;  // one level of tunnel: out of ESP, once more through IPv4
  crypto::esp_input(w, s.esp, config.ipsec, local.esp, inner);
  proto::ip4_input(w, /*trust_checksum=*/false, inner, checked);
  proto::ip4_lookup(w, s.ip4, config.ip4, Ip4Arrival{}, checked, routed);
  proto::ip4_local(w, routed.local, local, routed.refused);
  w.drop_all(local.esp, DropReason::EspNested);
  proto::ip4_broadcast(w, routed.broadcast);

  Burst own;  // packets that we say
  proto::icmp4_input(w, config.ip4, local.icmp, own);
  forward_path(s, config, routed, own);
}

std::uint32_t handoff_path(Shard& s, const StackConfig& config) noexcept {
  core::Worker& w = s.worker;
  std::uint32_t taken = 0;
  for (core::HandoffRing* ring : w.handoff_from) {
    Burst own;
    core::HandedPacket p;
    std::uint16_t n = 0;
    for (; n < Burst::kCapacity && ring->pop(p); ++n) {
      if (p.kind == core::HandedPacket::Kind::Ip4)
        own.push(p.m);
      else
        core::transmit(w, config.interfaces, p.interface, p.m);
    }
    if (n == 0) continue;
    w.enter(core::Stage::HandoffInput, n);
    taken += n;
    proto::Ip4LookupNext none;
    forward_path(s, config, none, own);
  }
  return taken;
}

void held_path(Shard& s, const StackConfig& config) noexcept {
  proto::NeighborHold& hold = s.ip4.hold;
  const std::uint32_t generation = config.ip4.next_hops->generation();
  if (hold.empty()) return;
  if (hold.seen_generation == generation && s.worker.now_us < hold.review_at_us) return;
  hold.seen_generation = generation;
  hold.review_at_us = s.worker.now_us + kHoldLimit_us / 10;

  core::NotedBurst<std::uint32_t> forward;
  Burst own;
  std::uint16_t entered = 0;
  hold.review([&](const proto::HeldPacket& p) {
    const auto& hop = (*config.ip4.next_hops)[config.ip4.fib->lookup(p.dst)];
    if (proto::must_wait(hop.kind.load(std::memory_order_acquire))) {
      if (s.worker.now_us - p.since_us < kHoldLimit_us) return false;
      s.worker.drop(p.m, DropReason::NeighborFailed);
      return true;
    }
    if (entered == Burst::kCapacity) return false;  // the rest in the next iteration
    ++entered;
    if (p.own)
      own.push(p.m);
    else
      forward.push(p.m, p.dst);
    return true;
  });
  if (entered == Burst::kCapacity) hold.review_at_us = s.worker.now_us;
  if (entered == 0) return;
  s.worker.enter(core::Stage::NeighborHold, entered);
  proto::Ip4LookupNext routed;
  proto::ip4_lookup(s.worker, s.ip4, config.ip4, Ip4Arrival{}, forward, routed);
  // The address may have become ours while the packet waited.
  proto::Ip4LocalNext local;
  proto::ip4_local(s.worker, routed.local, local, routed.refused);
  s.worker.drop_all(local.esp, DropReason::EspNested);
  proto::icmp4_input(s.worker, config.ip4, local.icmp, own);
  forward_path(s, config, routed, own);
}
}  // namespace polluxd
