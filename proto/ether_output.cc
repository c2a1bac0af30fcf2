// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ether_output.hh"

#include <cstring>

#include "core/mbuf.hh"
#include "proto/link_header.hh"

namespace proto {
namespace {
/// Packets of one next hop, which follow each other in a burst: counted and queued together.
void send_run(core::Worker& w, IpShard& shard, const core::InterfaceTable& interfaces,
              const NextHopTable& next_hops, const NextHop& hop,
              std::span<rte_mbuf* const> run) noexcept {
  std::uint64_t bytes = 0;
  for (rte_mbuf* m : run) {
    bytes += m->pkt_len;
    std::memcpy(core::room_before(*m, hop.ether.size()).data(), hop.ether.data(), hop.ether.size());
    core::grow_front(*m, hop.ether_length);
  }
  shard.next_hop[next_hops.id_of(hop)].add(run.size(), bytes);
  if (hop.port == hop.interface) [[likely]]
    core::transmit(w, interfaces, hop.interface, run);
  else
    send_frames(w, interfaces, hop.interface, run);
}
}  // namespace

void ether_output(core::Worker& w, IpShard& shard, const core::InterfaceTable& interfaces,
                  const NextHopTable& next_hops, RoutedBurst& in) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::EtherOutput, in.packets());
  const auto packets = in.take();
  const NextHop* const* hops = in.notes();
  for (std::size_t first = 0, end = 0; first < packets.size(); first = end) {
    while (end < packets.size() && hops[end] == hops[first]) ++end;
    send_run(w, shard, interfaces, next_hops, *hops[first], packets.subspan(first, end - first));
  }
}
}  // namespace proto
