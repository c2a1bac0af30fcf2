// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip6_config.hh"
#include "proto/ip_shard.hh"

namespace proto {
/// IPv6 packets beside their destinations, as the tables know these (ip6_scope.hh).
using ScopedBurst = core::NotedBurst<core::IpAddress>;

/// Why a packet goes no further, and what its source is told.
struct Ip6Cause {
  core::DropReason reason{};
  std::uint8_t type = 0, code = 0;  ///< RFC 4443
  std::uint32_t value = 0;          ///< MTU of the next hop | pointer | 0
};

/// How the packets of a burst came in.
struct Ip6Arrival {
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t vrf = 0;    ///< whose routes they follow
  bool link_group = false;  ///< in a link-layer multicast or broadcast frame
};

/// Drops packets and tells their sources why (RFC 4443 section 2.4): as much of the packet as fits
/// in 1280 bytes; never about an ICMPv6 error, a redirect, a later fragment that may be of one,
/// from a source that is no single host, nor about a packet to a group, but for "packet too big"
/// and an unknown option that asks for it; at most net.inet6.icmp6.errppslimit a second.
/// In:    data at a checked IPv6 header. The arrival's interface may be kNoInterface where none of
///        them has a link-local address.
/// Out:   `out`: new packets of our own. The source is the address of ours that the packet was for
///        (RFC 4443 section 2.2), else :: (chosen by the route); the hop limit is 0, the route's
///        link has it. The originals are dropped with their reason, whether an error was sent or
///        not.
void icmp6_error(core::Worker& w, IpShard& shard, const Ip6Config& config,
                 const Ip6Arrival& arrival, core::NotedBurst<Ip6Cause>& in,
                 ScopedBurst& out) noexcept;
}  // namespace proto
