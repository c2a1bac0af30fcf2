// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "proto/compact_fib.hh"
#include "proto/fib6.hh"
#include "proto/loopback.hh"
#include "proto/next_hop.hh"
#include "proto/next_hop_group.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// What sysctl sets for the IPv6 stages. NetBSD's names where the thing is the same.
struct Ip6Sysctl {
  bool forwarding = false;                ///< net.inet6.ip6.forwarding
  std::uint8_t hop_limit = 64;            ///< net.inet6.ip6.hlim, of our own packets
  std::uint8_t max_extensions = 8;        ///< net.inet6.ip6.hdrnestlimit: extension headers
  std::uint32_t icmp_errors_per_s = 100;  ///< net.inet6.icmp6.errppslimit, per worker; 0: none
  bool redirects = false;                 ///< net.inet6.icmp6.rediraccept
  bool redirect = false;  ///< net.inet6.ip6.redirect: neighbours are told of better first hops
};

/// An address of an interface as the workers know it.
struct Ip6InterfaceAddress {
  IpPrefix prefix;         ///< not scoped
  bool tentative = false;  ///< duplicate detection is under way: nobody is answered (RFC 4862)
};

/// The IPv6 slice of what the manager publishes. The two tables are changed in place, each under
/// its own rule; the rest is replaced whole.
struct Ip6Config {
  const Fib6* fib = nullptr;  ///< of VRF 0, the default one; by scoped address (ip6_scope.hh)
  std::vector<const CompactFib*> vrf_fibs;  ///< by VRF; null where there is none
  const NextHopTable* next_hops = nullptr;
  const NextHopGroups* groups = nullptr;
  std::vector<std::vector<Ip6InterfaceAddress>> addresses;  ///< by InterfaceId
  std::vector<std::uint16_t> vrfs;                          ///< by InterfaceId
  std::vector<bool> router;  ///< by InterfaceId: it is a router there (RFC 4861 IsRouter)
  /// By InterfaceId: hop limit of our own packets that a router of the link advertises (RFC 4861
  /// CurHopLimit); 0: the sysctl's.
  std::vector<std::uint8_t> hop_limits;
  Ip6Sysctl sysctl;
  Loopback loopback;

  /// Worker side: hop limit of our own packets that leave by an interface.
  [[nodiscard]] std::uint8_t hop_limit(core::InterfaceId out) const noexcept {
    const std::uint8_t advertised = out < hop_limits.size() ? hop_limits[out] : std::uint8_t{0};
    return advertised != 0 ? advertised : sysctl.hop_limit;
  }
  /// Worker side: next hops of `n` (at most 64) destinations by the routes of a VRF.
  void lookup(std::uint16_t vrf, const core::IpAddress* dst, std::uint64_t* next_hop,
              unsigned n) const noexcept {
    if (vrf == 0) [[likely]]
      fib->lookup(dst, next_hop, n);
    else if (const CompactFib* own = vrf < vrf_fibs.size() ? vrf_fibs[vrf] : nullptr)
      own->lookup(dst, next_hop, n);
    else
      std::fill_n(next_hop, n, NextHopTable::kNoRoute);
  }
  [[nodiscard]] NextHopId lookup(std::uint16_t vrf, const core::IpAddress& dst) const noexcept {
    std::uint64_t next_hop = 0;
    lookup(vrf, &dst, &next_hop, 1);
    return static_cast<NextHopId>(next_hop);
  }
};
}  // namespace proto
