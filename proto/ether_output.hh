// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_lookup.hh"

namespace proto {
/// Writes the next hop's finished Ethernet header and gives the frame to its interface.
/// In:    routed packets (kind Reachable) of either family, data at the IP header, 14 bytes of
///        headroom.
/// Out:   transmit buffers. Counts by next hop. `in` is empty.
void ether_output(core::Worker& w, IpShard& shard, const core::InterfaceTable& interfaces,
                  const NextHopTable& next_hops, RoutedBurst& in) noexcept;
}  // namespace proto
