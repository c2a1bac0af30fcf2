// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <vector>

#include "core/counter.hh"
#include "proto/neighbor_hold.hh"
#include "proto/token_bucket.hh"

namespace proto {
/// What the IP stages of one worker keep between bursts.
struct IpShard {
  /// Identifications begin anywhere: those of two workers, or before and after a restart, do not
  /// run beside each other (RFC 6864 section 4.1).
  explicit IpShard(std::size_t next_hops);
  /// Identification of an IPv6 packet of ours in fragments: pseudo-random, so that nobody can
  /// foresee it (RFC 7739 section 5.2).
  [[nodiscard]] std::uint32_t next_ip6_fragment_id() noexcept;

  NeighborHold hold;
  TokenBucket icmp4_errors, icmp6_errors;
  std::vector<core::TrafficCounter> next_hop;  ///< by NextHopId
  std::uint16_t ip_id = 0;                     ///< the next IPv4 Identification of our own packets
  std::uint64_t ip6_ids = 0;                   ///< state of next_ip6_fragment_id()
};
}  // namespace proto
