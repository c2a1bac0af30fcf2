// SPDX-License-Identifier: BSD-3-Clause
// What a worker comes back to between bursts: packets of other threads, those that waited for a
// neighbour or for their fragments, what we say to ourselves.
#include <array>
#include <span>

#include "apps/polluxd/pipeline_paths.hh"
#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/icmp4_input.hh"
#include "proto/ip6_scope.hh"
#include "proto/link_header.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/ip6.hh"

namespace polluxd {
namespace {
using core::Burst;
using core::DropReason;
using proto::Ip4Arrival;
using proto::Ip6Arrival;

/// A packet that waits longer than this will not be asked for any more. The manager gives a
/// neighbour up after three requests, one a second; this is the backstop.
constexpr std::uint64_t kHoldLimit_us = 10'000'000;

/// Frames of one ring that follow each other and arrived on one interface, as if they arrived here.
void received_path(Shard& s, const StackConfig& config, core::InterfaceId id,
                   Burst& frames) noexcept {
  if (frames.empty()) return;
  const core::Interface& in = config.interfaces[id];
  if (in.kind == core::Interface::Kind::None)
    s.worker.drop_all(frames, DropReason::InterfaceGone);
  else
    input_path(s, config, in, frames);
}

core::IpAddress destination_of(const rte_mbuf& m) noexcept {
  return proto::load_ip6(core::front_bytes(m), proto::Ip6View::kDestinationAt);
}

/// Packets of our own that another thread made, of one VRF.
void say_path(Shard& s, const StackConfig& config, std::uint16_t vrf, Burst& ip4,
              proto::ScopedBurst& ip6) noexcept {
  if (!ip4.empty()) {
    proto::Ip4LookupNext none;
    ip4_forward_path(s, config, vrf, none, ip4);
  }
  if constexpr (core::kInet6)
    if (!ip6.empty()) {
      proto::Ip6LookupNext none;
      ip6_forward_path(s, config, {.vrf = vrf}, none, ip6);
    }
}
}  // namespace

std::uint32_t handoff_path(Shard& s, const StackConfig& config) noexcept {
  core::Worker& w = s.worker;
  std::uint32_t taken = 0;
  for (core::HandoffRing* ring : w.handoff_from) {
    std::array<core::HandedPacket, Burst::kCapacity> handed;
    std::array<rte_mbuf*, Burst::kCapacity> packets;
    std::size_t n = 0;
    for (; n < handed.size() && ring->pop(handed[n]); ++n) packets[n] = handed[n].m;
    if (n == 0) continue;
    w.enter(core::Stage::HandoffInput, std::span{packets}.first(n));
    if (w.observation != nullptr) [[unlikely]]
      core::observe_handoff(w, std::span{handed}.first(n), ring == w.handoff_from.front());
    taken += static_cast<std::uint32_t>(n);

    Burst own, received;
    proto::ScopedBurst own6;
    core::InterfaceId from = core::kNoInterface;
    std::uint16_t vrf = 0;
    for (const core::HandedPacket& p : std::span{handed}.first(n)) {
      if (p.vrf != vrf) [[unlikely]]
        say_path(s, config, vrf, own, own6);
      vrf = p.vrf;
      switch (p.kind) {
        case core::HandedPacket::Kind::Ip4: own.push(p.m); break;
        case core::HandedPacket::Kind::Ip6:
          own6.push(p.m, proto::scoped(destination_of(*p.m), p.interface));
          break;
        case core::HandedPacket::Kind::Frame:
          proto::send_frames(w, config.interfaces, p.interface, {&p.m, 1});
          break;
        case core::HandedPacket::Kind::Received:
          if (p.interface != from) received_path(s, config, from, received);
          from = p.interface;
          received.push(p.m);
          break;
      }
    }
    received_path(s, config, from, received);
    say_path(s, config, vrf, own, own6);
  }
  return taken;
}

namespace {
/// Packets that need wait no longer.
struct Released {
  std::uint16_t vrf = 0;  ///< of all
  core::NotedBurst<std::uint32_t> forward4;
  Burst own4;
  proto::ScopedBurst forward6, own6;

  [[nodiscard]] std::size_t size() const noexcept {
    return forward4.size() + own4.size() + forward6.size() + own6.size();
  }
  /// @return false: it is of another VRF, or there is no room.
  bool push(const proto::HeldPacket& p) noexcept {
    if (size() == Burst::kCapacity || (size() != 0 && p.vrf != vrf)) return false;
    vrf = p.vrf;
    if (p.dst.is_ip4())
      p.own ? own4.push(p.m) : forward4.push(p.m, p.dst.ip4());
    else
      (p.own ? own6 : forward6).push(p.m, p.dst);
    return true;
  }
};

/// What the next hop of a held packet is by now.
proto::NextHopKind kind_of(const StackConfig& config, const proto::HeldPacket& p) noexcept {
  const proto::Bytes packet = core::front_bytes(*p.m);
  const auto kind = [&](proto::NextHopId route, auto&& flow) {
    return proto::lead(*config.ip4.next_hops, *config.ip4.groups, route, flow).kind;
  };
  if constexpr (core::kInet6)
    if (!p.dst.is_ip4())
      return kind(config.ip6.lookup(p.vrf, p.dst), [&] { return proto::flow::of_ip6(packet); });
  return kind(config.ip4.lookup(p.vrf, p.dst.ip4()), [&] { return proto::flow::of_ip4(packet); });
}

void count_released(core::Worker& w, std::span<rte_mbuf* const> packets) noexcept {
  if (!packets.empty()) w.enter(core::Stage::NeighborHold, packets);
}

/// Routed once more. The address may have become ours while a packet waited.
void released_ip4_path(Shard& s, const StackConfig& config, Released& r) noexcept {
  proto::Ip4LookupNext routed;
  proto::ip4_lookup(s.worker, s.ip, config.ip4, Ip4Arrival{.vrf = r.vrf}, r.forward4, routed);
  proto::Ip4LocalNext local;
  ip4_local_path(s, config, r.vrf, routed, local);
  s.worker.drop_all(local.esp, DropReason::EspNested);
  ip4_deliver_path(s, config, {.vrf = r.vrf}, routed, local, r.own4);
  ip4_forward_path(s, config, r.vrf, routed, r.own4);
}

/// The same. What is forwarded has no link-local address, so that no link is asked for; and it is
/// none of Neighbour Discovery's business, whose messages never cross a router.
void released_ip6_path(Shard& s, const StackConfig& config, Released& r) noexcept {
  proto::Ip6LookupNext routed;
  proto::ip6_lookup(s.worker, s.ip, config.ip6, Ip6Arrival{.vrf = r.vrf}, r.forward6, routed);
  Burst nd;
  ip6_local_path(s, config, {.vrf = r.vrf}, routed, r.own6, nd);
  s.worker.drop_all(nd, DropReason::NdNotForUs);
  ip6_forward_path(s, config, {.vrf = r.vrf}, routed, r.own6);
}
}  // namespace

void held_path(Shard& s, const StackConfig& config) noexcept {
  proto::NeighborHold& hold = s.ip.hold;
  const std::uint32_t generation = config.ip4.next_hops->generation();
  if (hold.empty()) return;
  if (hold.seen_generation == generation && s.worker.now_us < hold.review_at_us) return;
  hold.seen_generation = generation;
  hold.review_at_us = s.worker.now_us + kHoldLimit_us / 10;

  Released released;
  bool more = false;
  hold.review([&](const proto::HeldPacket& p) {
    if (proto::must_wait(kind_of(config, p))) {
      if (s.worker.now_us - p.since_us < kHoldLimit_us) return false;
      s.worker.drop(p.m, DropReason::NeighborFailed);
      return true;
    }
    if (released.push(p)) return true;
    more = true;  // the rest comes next
    return false;
  });
  if (more) hold.review_at_us = s.worker.now_us;
  for (const auto packets : {released.forward4.packets(), released.own4.packets(),
                             released.forward6.packets(), released.own6.packets()})
    count_released(s.worker, packets);
  if (!released.forward4.empty() || !released.own4.empty()) released_ip4_path(s, config, released);
  if constexpr (core::kInet6)
    if (!released.forward6.empty() || !released.own6.empty())
      released_ip6_path(s, config, released);
}

namespace {
void loop4_path(Shard& s, const StackConfig& config, const proto::LoopInputNext& looped,
                Burst& packets) noexcept {
  proto::Ip4LookupNext routed;
  proto::Ip4LocalNext local;
  routed.local.push(packets.take());
  ip4_local_path(s, config, looped.vrf, routed, local);
  s.worker.drop_all(local.esp, DropReason::EspNested);
  Burst own;
  ip4_deliver_path(
      s, config,
      {.interface = looped.link, .vrf = looped.vrf, .trusted = !config.ip4.loopback.udp4_checksum},
      routed, local, own);
  ip4_forward_path(s, config, looped.vrf, routed, own);
}

void loop6_path(Shard& s, const StackConfig& config, const proto::LoopInputNext& looped,
                Burst& packets) noexcept {
  proto::Ip6LookupNext routed;
  routed.local.push(packets.take());
  proto::ScopedBurst own;
  Burst nd;
  ip6_local_path(
      s, config,
      {.interface = looped.link, .vrf = looped.vrf, .trusted = !config.ip6.loopback.udp6_checksum},
      routed, own, nd);
  s.worker.drop_all(nd, DropReason::NdNotForUs);  // it has no neighbours
  ip6_forward_path(s, config, {looped.link, looped.vrf}, routed, own);
}
}  // namespace

std::uint32_t loop_path(Shard& s, const StackConfig& config) noexcept {
  if (s.loop.empty()) [[likely]]
    return 0;
  proto::LoopInputNext looped;
  const std::uint32_t taken = proto::loop_input(s.worker, config.ip4.loopback, s.loop, looped);
  if (!looped.ip4.empty()) loop4_path(s, config, looped, looped.ip4);
  if constexpr (core::kInet6)
    if (!looped.ip6.empty()) loop6_path(s, config, looped, looped.ip6);
  return taken;
}

namespace {
void late6_path(Shard& s, const StackConfig& config,
                core::NotedBurst<proto::LateDatagram>& late) noexcept {
  for (std::size_t i = 0; rte_mbuf * m : late.take()) {
    const proto::LateDatagram& from = late.notes()[i++];
    proto::Ip6LookupNext routed;
    routed.refused.push(m, {DropReason::FragmentTimeout, proto::Icmp6View::kTimeExceeded,
                            proto::Icmp6View::kReassemblyTimeExceeded, 0});
    proto::ScopedBurst own;
    ip6_forward_path(s, config, {from.link, from.vrf}, routed, own);
  }
}
}  // namespace

void reassembly_path(Shard& s, const StackConfig& config) noexcept {
  if (s.reassembler.empty()) [[likely]]
    return;
  core::NotedBurst<proto::LateDatagram> late4, late6;
  proto::reassembly_expire(s.worker, s.reassembler, config.reassembly, late4, late6);
  for (std::size_t i = 0; rte_mbuf * m : late4.take()) {
    proto::Ip4LookupNext routed;
    routed.refused.push(m, {DropReason::FragmentTimeout, proto::Icmp4View::kTimeExceeded,
                            proto::Icmp4View::kReassemblyTimeExceeded, 0});
    Burst own;
    ip4_forward_path(s, config, late4.notes()[i++].vrf, routed, own);
  }
  if constexpr (core::kInet6) late6_path(s, config, late6);
}
}  // namespace polluxd
