// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip_shard.hh"

#include <random>

namespace proto {
IpShard::IpShard(std::size_t next_hops) : next_hop(next_hops) {
  std::random_device random;
  ip_id = static_cast<std::uint16_t>(random());
  ip6_ids = std::uint64_t{random()} << 32 | random();
}

std::uint32_t IpShard::next_ip6_fragment_id() noexcept {
  std::uint64_t z = ip6_ids += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return static_cast<std::uint32_t>(z >> 32);
}
}  // namespace proto
