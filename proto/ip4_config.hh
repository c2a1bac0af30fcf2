// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "proto/compact_fib.hh"
#include "proto/fib4.hh"
#include "proto/loopback.hh"
#include "proto/next_hop.hh"
#include "proto/next_hop_group.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// What sysctl sets for the IPv4 stages. NetBSD's names where the thing is the same.
struct Ip4Sysctl {
  bool forwarding = false;          ///< net.inet.ip.forwarding
  std::uint8_t ttl = 64;            ///< net.inet.ip.ttl, of our own packets
  bool accept_options = true;       ///< net.inet.ip.accept_options; off: such packets are dropped
  bool directed_broadcast = false;  ///< net.inet.ip.directed-broadcast (RFC 2644)
  bool redirect = false;            ///< net.inet.ip.redirect: hosts are told of better gateways
  std::uint32_t icmp_errors_per_s = 100;  ///< net.inet.icmp.errppslimit, per worker; 0: none sent
};

/// The IPv4 slice of what the manager publishes. The two tables are changed in place, each under
/// its own rule; the rest is replaced whole.
struct Ip4Config {
  const Fib4* fib = nullptr;                ///< of VRF 0, the default one
  std::vector<const CompactFib*> vrf_fibs;  ///< by VRF; null where there is none
  const NextHopTable* next_hops = nullptr;
  const NextHopGroups* groups = nullptr;
  std::vector<std::vector<Ip4Prefix>> addresses;  ///< by InterfaceId: address and prefix length
  /// By InterfaceId: addresses that are probed for, and answered for by nobody (RFC 5227).
  std::vector<std::vector<std::uint32_t>> tentative;
  Ip4Sysctl sysctl;
  Loopback loopback;

  /// Worker side: next hops of `n` (at most 64) destinations by the routes of a VRF.
  void lookup(std::uint16_t vrf, const std::uint32_t* dst, std::uint64_t* next_hop,
              unsigned n) const noexcept {
    if (vrf == 0) [[likely]]
      fib->lookup(dst, next_hop, n);
    else if (const CompactFib* own = vrf < vrf_fibs.size() ? vrf_fibs[vrf] : nullptr)
      own->lookup(dst, next_hop, n);
    else
      std::fill_n(next_hop, n, NextHopTable::kNoRoute);
  }
  [[nodiscard]] NextHopId lookup(std::uint16_t vrf, const std::uint32_t& dst) const noexcept {
    std::uint64_t next_hop = 0;
    lookup(vrf, &dst, &next_hop, 1);
    return static_cast<NextHopId>(next_hop);
  }
};
}  // namespace proto
