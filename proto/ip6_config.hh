// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <vector>

#include "proto/fib6.hh"
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
};

/// An address of an interface as the workers know it.
struct Ip6InterfaceAddress {
  IpPrefix prefix;         ///< not scoped
  bool tentative = false;  ///< duplicate detection is under way: nobody is answered (RFC 4862)
};

/// The IPv6 slice of what the manager publishes. The two tables are changed in place, each under
/// its own rule; the rest is replaced whole.
struct Ip6Config {
  const Fib6* fib = nullptr;  ///< by scoped address (ip6_scope.hh)
  const NextHopTable* next_hops = nullptr;
  const NextHopGroups* groups = nullptr;
  std::vector<std::vector<Ip6InterfaceAddress>> addresses;  ///< by InterfaceId
  std::vector<bool> router;  ///< by InterfaceId: it is a router there (RFC 4861 IsRouter)
  Ip6Sysctl sysctl;
};
}  // namespace proto
