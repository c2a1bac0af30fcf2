// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>

#include "core/counter.hh"
#include "proto/neighbor_hold.hh"
#include "proto/token_bucket.hh"

namespace proto {
/// What the IP stages of one worker keep between bursts.
struct IpShard {
  explicit IpShard(std::size_t next_hops) : next_hop(next_hops) {}

  NeighborHold hold;
  TokenBucket icmp4_errors, icmp6_errors;
  std::vector<core::TrafficCounter> next_hop;  ///< by NextHopId
  std::uint16_t ip_id = 0;                     ///< IPv4 Identification of our own packets
};
}  // namespace proto
