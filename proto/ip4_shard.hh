// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>

#include "core/counter.hh"
#include "proto/neighbor_hold.hh"
#include "proto/token_bucket.hh"

namespace proto {
/// What the IPv4 stages of one worker keep between bursts.
struct Ip4Shard {
  explicit Ip4Shard(std::size_t next_hops) : next_hop(next_hops) {}

  NeighborHold hold;
  TokenBucket icmp_errors;
  std::vector<core::TrafficCounter> next_hop;  ///< by NextHopId
  std::uint16_t ip_id = 0;                     ///< Identification of our own packets
};
}  // namespace proto
