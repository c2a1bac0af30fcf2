// SPDX-License-Identifier: BSD-3-Clause
#include "proto/urpf.hh"

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6.hh"

namespace proto {
namespace {
constexpr std::size_t kIp4SourceAt = 12;

/// What is asked of every source of a burst.
struct Question {
  const NextHopTable& next_hops;
  const NextHopGroups& groups;
  core::InterfaceId interface;
  bool strict;

  /// Whether packets from where the route leads may come in here.
  [[nodiscard]] bool admits(NextHopId route) const noexcept {
    const NextHop& hop = next_hops[route];
    switch (hop.kind.load(std::memory_order_acquire)) {
      case NextHopKind::Glean:
      case NextHopKind::Incomplete:
      case NextHopKind::Failed:
      case NextHopKind::Reachable:
      case NextHopKind::Tunnel: return !strict || hop.interface == interface;
      case NextHopKind::Group:
        return groups.any(hop.group, [&](NextHopId member) {
          return next_hops[member].kind.load(std::memory_order_acquire) != NextHopKind::Group &&
                 admits(member);
        });
      // There is a route, being rewritten: for that moment nobody can say where it leads.
      case NextHopKind::Changing: return true;
      default: return false;
    }
  }
};

/// Keeps the packets whose source is admitted, in their order.
template <class Note>
void sift(core::Worker& w, const Question& question, const std::uint64_t* routes,
          const bool* exempt, DropReason why, core::NotedBurst<Note>& packets) noexcept {
  const auto all = packets.take();
  typename core::NotedBurst<Note>::Writer kept{packets};  // never overtakes what is read
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (exempt[i] || question.admits(static_cast<NextHopId>(routes[i]))) [[likely]]
      kept.push(all[i], packets.notes()[i]);
    else
      w.drop(all[i], why);
  }
}
using Flags = std::array<bool, core::Burst::kCapacity>;
using Routes = std::array<std::uint64_t, core::Burst::kCapacity>;
}  // namespace

void urpf4(core::Worker& w, const Ip4Config& config, const core::Interface& in,
           core::NotedBurst<std::uint32_t>& packets) noexcept {
  if (packets.empty()) return;
  w.enter(core::Stage::Urpf, packets.packets());
  std::array<std::uint32_t, core::Burst::kCapacity> sources;
  Flags exempt;
  Routes routes;
  for (std::size_t i = 0; const rte_mbuf* m : packets.packets()) {
    sources[i] = load_be32(core::front_bytes(*m), kIp4SourceAt);
    exempt[i] = sources[i] == 0;
    ++i;
  }
  config.lookup(in.vrf, sources.data(), routes.data(), packets.size());
  sift(w, {*config.next_hops, *config.groups, in.id, in.urpf == core::Interface::Urpf::Strict},
       routes.data(), exempt.data(), DropReason::Ip4Spoofed, packets);
}

void urpf6(core::Worker& w, const Ip6Config& config, const core::Interface& in,
           ScopedBurst& packets) noexcept {
  if (packets.empty()) return;
  w.enter(core::Stage::Urpf, packets.packets());
  std::array<core::IpAddress, core::Burst::kCapacity> sources;
  Flags exempt;
  Routes routes;
  for (std::size_t i = 0; const rte_mbuf* m : packets.packets()) {
    sources[i] = load_ip6(core::front_bytes(*m), Ip6View::kSourceAt);
    exempt[i] = sources[i] == core::IpAddress{} || is_link_local(sources[i]);
    ++i;
  }
  config.lookup(in.vrf, sources.data(), routes.data(), packets.size());
  sift(w, {*config.next_hops, *config.groups, in.id, in.urpf == core::Interface::Urpf::Strict},
       routes.data(), exempt.data(), DropReason::Ip6Spoofed, packets);
}
}  // namespace proto
