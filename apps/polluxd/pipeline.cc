// SPDX-License-Identifier: BSD-3-Clause
// A received packet's way, for the worker loop: begin with input_path() at the end, and follow it
// upwards. Who comes back to a packet later is in pipeline_later.cc.
#include "apps/polluxd/pipeline.hh"

#include <algorithm>
#include <array>
#include <span>

#include "apps/polluxd/pipeline_paths.hh"
#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/arp_input.hh"
#include "proto/deliver.hh"
#include "proto/ether_input.hh"
#include "proto/ether_output.hh"
#include "proto/fragment.hh"
#include "proto/icmp4_error.hh"
#include "proto/icmp4_input.hh"
#include "proto/icmp6_error.hh"
#include "proto/icmp6_input.hh"
#include "proto/igmp_input.hh"
#include "proto/ip4_forward.hh"
#include "proto/ip4_input.hh"
#include "proto/ip4_local.hh"
#include "proto/ip4_lookup.hh"
#include "proto/ip4_output.hh"
#include "proto/ip4_redirect.hh"
#include "proto/ip6_forward.hh"
#include "proto/ip6_input.hh"
#include "proto/ip6_local.hh"
#include "proto/ip6_lookup.hh"
#include "proto/ip6_output.hh"
#include "proto/ip6_scope.hh"
#include "proto/link_header.hh"
#include "proto/nd_input.hh"
#include "proto/nd_redirect.hh"
#include "proto/reassembly.hh"
#include "proto/urpf.hh"
#include "proto/vlan_input.hh"
#include "proto/wire/flow.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip6.hh"

namespace polluxd {
namespace {
using core::Burst;
using core::DropReason;
using proto::DeliverArrival;
using proto::Ip4Arrival;
using proto::Ip6Arrival;

/// Hands the packets over by the VRF beside each: `f(vrf, Burst&)`.
template <class F>
void for_each_vrf(core::NotedBurst<std::uint16_t>& in, F&& f) noexcept {
  while (!in.empty()) {
    const auto packets = in.take();
    const std::uint16_t vrf = in.notes()[0];
    Burst same;
    core::NotedBurst<std::uint16_t> others;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (in.notes()[i] == vrf)
        same.push(packets[i]);
      else
        others.push(packets[i], in.notes()[i]);
    }
    f(vrf, same);
    const auto left = others.take();
    for (std::size_t i = 0; i < left.size(); ++i) in.push(left[i], others.notes()[i]);
  }
}

/// Turns routes into a tunnel into the tunnel's index, for the layer that knows tunnels.
/// @return whether an outer packet follows other routes than those of the default VRF.
bool enter_tunnels(Shard& s, const StackConfig& config, proto::RoutedBurst& routed,
                   core::NotedBurst<std::uint16_t>& out) noexcept {
  bool elsewhere = false;
  const auto packets = routed.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const proto::NextHop& hop = *routed.notes()[i];
    s.ip.next_hop[config.ip4.next_hops->id_of(hop)].add(1, packets[i]->pkt_len);
    elsewhere |= config.ipsec.tunnels[hop.tunnel].underlay != 0;
    out.push(packets[i], hop.tunnel);
  }
  return elsewhere;
}

/// What is larger than its next hop's MTU leaves in fragments.
void cut_path(Shard& s, const StackConfig& config, proto::RoutedBurst& too_big) noexcept {
  proto::Fragmentation cut{s.worker, s.ip, too_big};
  for (proto::RoutedBurst pieces; cut.next(pieces);)
    proto::ether_output(s.worker, s.ip, config.interfaces, *config.ip4.next_hops, pieces);
}

/// What enters a tunnel is sealed, then routed once more as a packet of ours.
/// @param inner  beside each packet: its tunnel. @param vrf  underlay of these tunnels.
void seal_path(Shard& s, const StackConfig& config, std::uint16_t vrf,
               core::NotedBurst<std::uint16_t>& inner) noexcept {
  Burst sealed;
  crypto::esp_output(s.worker, s.esp, config.ipsec, inner, sealed);
  proto::Ip4OutputNext outer;
  proto::ip4_output(s.worker, s.ip, config.ip4, vrf, sealed, outer);
  for (proto::RoutedBurst* nested : {&outer.tunnel, &outer.tunnel_too_big})
    for (rte_mbuf* m : nested->take()) s.worker.drop(m, DropReason::EspNested);
  proto::loop_output(s.worker, config.ip4.loopback, vrf, s.loop, outer.local);
  proto::ether_output(s.worker, s.ip, config.interfaces, *config.ip4.next_hops, outer.ether);
  if (!outer.ether_too_big.empty()) [[unlikely]]
    cut_path(s, config, outer.ether_too_big);
}

/// The same where tunnels have several underlays.
void seal_by_vrf_path(Shard& s, const StackConfig& config,
                      core::NotedBurst<std::uint16_t>& inner) noexcept {
  while (!inner.empty()) {
    const auto packets = inner.take();
    const auto underlay = [&](std::size_t i) {
      return config.ipsec.tunnels[inner.notes()[i]].underlay;
    };
    const std::uint16_t vrf = underlay(0);
    core::NotedBurst<std::uint16_t> same, others;
    for (std::size_t i = 0; i < packets.size(); ++i)
      (underlay(i) == vrf ? same : others).push(packets[i], inner.notes()[i]);
    seal_path(s, config, vrf, same);
    const auto left = others.take();
    for (std::size_t i = 0; i < left.size(); ++i) inner.push(left[i], others.notes()[i]);
  }
}

/// What is routed into tunnels.
void tunnel_path(Shard& s, const StackConfig& config, proto::RoutedBurst& tunnel) noexcept {
  core::NotedBurst<std::uint16_t> inner;
  if (enter_tunnels(s, config, tunnel, inner)) [[unlikely]]
    seal_by_vrf_path(s, config, inner);
  else
    seal_path(s, config, 0, inner);
}

/// The same for packets that are cut before they enter the tunnel.
void cut_tunnel_path(Shard& s, const StackConfig& config, proto::RoutedBurst& too_big) noexcept {
  proto::Fragmentation cut{s.worker, s.ip, too_big};
  for (proto::RoutedBurst pieces; cut.next(pieces);) tunnel_path(s, config, pieces);
}

}  // namespace

void ip4_forward_path(Shard& s, const StackConfig& config, std::uint16_t vrf,
                      proto::Ip4LookupNext& routed, Burst& own) noexcept {
  proto::Ip4OutputNext out;
  proto::ip4_forward(s.worker, routed.forward, out.ether, out.ether_too_big, routed.refused);
  proto::ip4_forward(s.worker, routed.tunnel, out.tunnel, out.tunnel_too_big, routed.refused);
  proto::icmp4_error(s.worker, s.ip, config.ip4, routed.refused, own);
  proto::ip4_output(s.worker, s.ip, config.ip4, vrf, own, out);
  if (!out.tunnel.empty()) tunnel_path(s, config, out.tunnel);
  proto::ether_output(s.worker, s.ip, config.interfaces, *config.ip4.next_hops, out.ether);
  if (!out.local.empty()) [[unlikely]]
    proto::loop_output(s.worker, config.ip4.loopback, vrf, s.loop, out.local);
  if (!out.ether_too_big.empty()) [[unlikely]]
    cut_path(s, config, out.ether_too_big);
  if (!out.tunnel_too_big.empty()) [[unlikely]]
    cut_tunnel_path(s, config, out.tunnel_too_big);
}

void ip4_local_path(Shard& s, const StackConfig& config, std::uint16_t vrf,
                    proto::Ip4LookupNext& routed, proto::Ip4LocalNext& local) noexcept {
  proto::ip4_local(s.worker, routed.local, local);
  if (local.fragments.empty()) [[likely]]
    return;
  Burst whole;
  proto::reassemble_ip4(s.worker, s.reassembler, config.reassembly, vrf, local.fragments, whole);
  proto::ip4_local(s.worker, whole, local);
}

void ip4_deliver_path(Shard& s, const StackConfig& config, DeliverArrival arrival,
                      proto::Ip4LookupNext& routed, proto::Ip4LocalNext& local,
                      Burst& own) noexcept {
  proto::icmp4_input(s.worker, config.ip4, local.icmp, own, local.raw);
  proto::deliver_udp4(s.worker, config.listeners, arrival, local.udp, routed.refused);
  proto::deliver_raw4(s.worker, config.listeners, arrival, local.raw, routed.refused);
  if (routed.broadcast.empty()) [[likely]]
    return;
  proto::Ip4LocalNext group;
  arrival.group = true;
  proto::ip4_broadcast(s.worker, routed.broadcast, group);
  proto::deliver_udp4(s.worker, config.listeners, arrival, group.udp, routed.refused);
  proto::deliver_raw4(s.worker, config.listeners, arrival, group.raw, routed.refused);
}

namespace {
/// How what `in` took in comes to us.
DeliverArrival arrival_on(const core::Interface& in) noexcept {
  return {.interface = in.id, .vrf = in.vrf};
}

}  // namespace

void ip6_forward_path(Shard& s, const StackConfig& config, const Ip6Arrival& arrival,
                      proto::Ip6LookupNext& routed, proto::ScopedBurst& own) noexcept {
  proto::Ip6OutputNext out;
  proto::ip6_forward(s.worker, routed.forward, out.ether, routed.refused);
  proto::icmp6_error(s.worker, s.ip, config.ip6, arrival, routed.refused, own);
  proto::ip6_output(s.worker, s.ip, config.ip6, arrival.vrf, own, out);
  proto::ether_output(s.worker, s.ip, config.interfaces, *config.ip6.next_hops, out.ether);
  if (!out.too_big.empty()) [[unlikely]]
    cut_path(s, config, out.too_big);
  if (!out.local.empty()) [[unlikely]]
    proto::loop_output(s.worker, config.ip6.loopback, arrival.vrf, s.loop, out.local);
}

namespace {
/// What tunnels of other VRFs than the one that their ESP came in by have brought.
void overlay_path(Shard& s, const StackConfig& config, core::NotedBurst<std::uint16_t>& other,
                  const core::Interface& in) noexcept {
  for_each_vrf(other, [&](std::uint16_t vrf, Burst& inner) {
    core::NotedBurst<std::uint32_t> checked;
    proto::Ip4LookupNext routed;
    proto::ip4_input(s.worker, {.accept_options = config.ip4.sysctl.accept_options}, inner, checked,
                     routed.refused);
    proto::ip4_lookup(s.worker, s.ip, config.ip4, Ip4Arrival{.vrf = vrf}, checked, routed);
    proto::Ip4LocalNext local;
    ip4_local_path(s, config, vrf, routed, local);
    s.worker.drop_all(local.esp, DropReason::EspNested);
    Burst own;
    ip4_deliver_path(s, config, {.interface = in.id, .vrf = vrf}, routed, local, own);
    ip4_forward_path(s, config, vrf, routed, own);
  });
}

/// What is for us: out of a tunnel, once more through IPv4; the rest to who handles it.
void ip4_own_path(Shard& s, const StackConfig& config, const core::Interface& in,
                  proto::Ip4LookupNext& routed, Burst& own) noexcept {
  proto::Ip4LocalNext local;
  ip4_local_path(s, config, in.vrf, routed, local);
  if (!local.esp.empty()) {
    crypto::EspInputNext opened;
    core::NotedBurst<std::uint32_t> checked;
    crypto::esp_input(s.worker, s.esp, config.ipsec, in.vrf, local.esp, opened);
    proto::ip4_input(s.worker, {.accept_options = config.ip4.sysctl.accept_options}, opened.inner,
                     checked, routed.refused);
    proto::ip4_lookup(s.worker, s.ip, config.ip4, Ip4Arrival{.vrf = in.vrf}, checked, routed);
    ip4_local_path(s, config, in.vrf, routed, local);
    s.worker.drop_all(local.esp, DropReason::EspNested);  // one level of tunnel
    if (!opened.other.empty()) [[unlikely]]
      overlay_path(s, config, opened.other, in);
  }
  proto::igmp_input(s.worker, in, routed.broadcast);
  ip4_deliver_path(s, config, arrival_on(in), routed, local, own);
}

/// IPv4 packets that came in on `in`.
void ip4_path(Shard& s, const StackConfig& config, const core::Interface& in,
              proto::EtherInputNext& l2) noexcept {
  core::Worker& w = s.worker;
  core::NotedBurst<std::uint32_t> checked;  // beside each packet: its destination
  proto::Ip4LookupNext routed;
  for (const bool group : {false, true}) {
    Burst& frames = group ? l2.ip4_group : l2.ip4;
    if (frames.empty()) continue;
    proto::ip4_input(w, {in.rx_checksum, group, config.ip4.sysctl.accept_options}, frames, checked,
                     routed.refused);
    if (in.urpf != core::Interface::Urpf::Off) [[unlikely]]
      proto::urpf4(w, config.ip4, in, checked);
    proto::ip4_lookup(w, s.ip, config.ip4, Ip4Arrival{in.id, in.vrf, group}, checked, routed);
  }
  Burst own;  // packets that we say
  if (config.ip4.sysctl.redirect) [[unlikely]]
    proto::ip4_redirect(w, s.ip, config.ip4, in, routed.forward, own);
  if (!routed.local.empty() || !routed.broadcast.empty()) ip4_own_path(s, config, in, routed, own);
  ip4_forward_path(s, config, in.vrf, routed, own);
}

}  // namespace

void ip6_local_path(Shard& s, const StackConfig& config, const DeliverArrival& arrival,
                    proto::Ip6LookupNext& routed, proto::ScopedBurst& own, Burst& nd) noexcept {
  core::Worker& w = s.worker;
  const core::InterfaceId link = arrival.interface;
  proto::Ip6LocalNext local;
  const std::uint16_t vrf = arrival.vrf;
  proto::ip6_local(w, config.ip6, {.link = link, .vrf = vrf}, routed.local, local, routed.refused);
  if (!local.fragments.empty()) [[unlikely]] {
    Burst whole;
    proto::reassemble_ip6(w, s.reassembler, config.reassembly, local.fragments, whole,
                          routed.refused);
    proto::ip6_local(w, config.ip6, {.link = link, .reassembled = true, .vrf = vrf}, whole, local,
                     routed.refused);
    for (rte_mbuf* m : local.fragments.take()) w.drop(m, DropReason::Ip6TooManyExtensions);
  }
  proto::icmp6_input(w, link, local.icmp, {own, nd, local.raw});
  proto::deliver_udp6(w, config.listeners, arrival, local.udp, routed.refused);
  proto::deliver_raw6(w, config.listeners, arrival, local.raw, routed.refused);
}

namespace {
/// IPv6 packets that came in on `in`.
void ip6_path(Shard& s, const StackConfig& config, const core::Interface& in,
              proto::EtherInputNext& l2) noexcept {
  core::Worker& w = s.worker;
  proto::ScopedBurst checked;  // beside each packet: its destination
  proto::Ip6LookupNext routed;
  for (const bool group : {false, true}) {
    proto::ip6_input(w, in.id, group ? l2.ip6_group : l2.ip6, checked, routed.refused);
    if (in.urpf != core::Interface::Urpf::Off) [[unlikely]]
      proto::urpf6(w, config.ip6, in, checked);
    proto::ip6_lookup(w, s.ip, config.ip6, Ip6Arrival{in.id, in.vrf, group}, checked, routed);
  }

  proto::ScopedBurst own;  // packets that we say
  Burst nd;
  ip6_local_path(s, config, arrival_on(in), routed, own, nd);
  proto::nd_input(w, config.interfaces, config.ip6, in, nd);
  if (config.ip6.sysctl.redirect) [[unlikely]] {
    proto::RoutedBurst redirects;
    proto::nd_redirect(w, s.ip, config.ip6, in, routed.forward, redirects);
    proto::ether_output(w, s.ip, config.interfaces, *config.ip6.next_hops, redirects);
  }
  ip6_forward_path(s, config, {in.id, in.vrf}, routed, own);
}

/// Frames with a VLAN tag: those of each interface, without the tag, as if they had arrived there.
void vlan_path(Shard& s, const StackConfig& config, const core::Interface& in, Burst& tagged,
               unsigned tags) noexcept {
  constexpr unsigned kMaxTags = 2;  // IEEE 802.1ad
  if (tags == kMaxTags) return s.worker.drop_all(tagged, DropReason::VlanNested);
  core::NotedBurst<core::InterfaceId> untagged;
  proto::vlan_input(s.worker, in, tagged, untagged);
  auto left = untagged.take();
  std::array<core::InterfaceId, Burst::kCapacity> ids;
  std::array<rte_mbuf*, Burst::kCapacity> packets;
  std::copy_n(untagged.notes(), left.size(), ids.begin());
  std::copy_n(left.begin(), left.size(), packets.begin());
  for (std::size_t n = left.size(); n != 0;) {
    const core::InterfaceId id = ids[0];
    Burst same;
    std::size_t others = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (ids[i] == id) {
        same.push(packets[i]);
        continue;
      }
      ids[others] = ids[i];
      packets[others++] = packets[i];
    }
    n = others;
    if (s.worker.observation != nullptr && id != in.id) [[unlikely]]
      core::observe_receive(s.worker, config.interfaces[id], same.packets());
    input_path(s, config, config.interfaces[id], same, tags + 1);
  }
}
}  // namespace

// To read this function is to read the architecture. Each stage takes a burst and puts every packet
// of it into one named burst, or ends it with a counted reason.
void input_path(Shard& s, const StackConfig& config, const core::Interface& in, Burst& rx,
                unsigned tags) noexcept {
  core::Worker& w = s.worker;

  proto::EtherInputNext l2;
  proto::ether_input(w, in, rx, l2, /*counted=*/tags != 0);
  if (!l2.vlan.empty()) [[unlikely]]
    vlan_path(s, config, in, l2.vlan, tags);
  proto::arp_input(w, config.interfaces, config.ip4, in, l2.arp);

  ip4_path(s, config, in, l2);
  if constexpr (core::kInet6)
    if (!l2.ip6.empty() || !l2.ip6_group.empty()) ip6_path(s, config, in, l2);
}
}  // namespace polluxd
