// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ether_output.hh"

#include <cstring>

#include "core/mbuf.hh"

namespace proto {
void ether_output(core::Worker& w, Ip4Shard& shard, const core::InterfaceTable& interfaces,
                  const NextHopTable& next_hops, RoutedBurst& in) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::EtherOutput, in.size());
  const auto packets = in.take();
  // Packets of one next hop come in runs: each run is counted once.
  const NextHop* counted = in.notes()[0];
  std::uint64_t n = 0, bytes = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const NextHop* hop = in.notes()[i];
    if (hop != counted) {
      shard.next_hop[next_hops.id_of(*counted)].add(n, bytes);
      counted = hop;
      n = bytes = 0;
    }
    ++n;
    bytes += m->pkt_len;
    core::grow_front(*m, static_cast<std::uint16_t>(hop->ether.size()));
    std::memcpy(core::front_bytes_mut(*m).data(), hop->ether.data(), hop->ether.size());
    core::transmit(w, interfaces, hop->interface, m);
  }
  shard.next_hop[next_hops.id_of(*counted)].add(n, bytes);
}
}  // namespace proto
