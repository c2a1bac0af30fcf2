// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <vector>

#include "proto/fib4.hh"
#include "proto/next_hop.hh"
#include "proto/next_hop_group.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// What sysctl sets for the IPv4 stages. NetBSD's names where the thing is the same.
struct Ip4Sysctl {
  bool forwarding = false;                ///< net.inet.ip.forwarding
  std::uint8_t ttl = 64;                  ///< net.inet.ip.ttl, of our own packets
  std::uint32_t icmp_errors_per_s = 100;  ///< net.inet.icmp.errppslimit, per worker; 0: none sent
};

/// The IPv4 slice of what the manager publishes. The two tables are changed in place, each under
/// its own rule; the rest is replaced whole.
struct Ip4Config {
  const Fib4* fib = nullptr;
  const NextHopTable* next_hops = nullptr;
  const NextHopGroups* groups = nullptr;
  std::vector<std::vector<Ip4Prefix>> addresses;  ///< by InterfaceId: address and prefix length
  /// By InterfaceId: addresses that are probed for, and answered for by nobody (RFC 5227).
  std::vector<std::vector<std::uint32_t>> tentative;
  Ip4Sysctl sysctl;
};
}  // namespace proto
