// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/ip6_local.hh"

namespace proto {
/// Where icmp6_input sends packets.
struct Icmp6InputNext {
  ScopedBurst& own;                 ///< replies, packets of our own
  core::Burst& nd;                  ///< Neighbour Discovery and MLD, checksum right
  core::NotedBurst<Ip6Upper>& raw;  ///< all other messages, checksum right, for who listens
};

/// Answers echo requests in place (RFC 4443 section 4).
/// In:    packets for us that came in on `link`, data at the IPv6 header; note = where the message
///        is.
/// Out:   `next`. What was sent to a group is answered from :: (chosen by the route, RFC 4443
///        section 4.2); replies have the hop limit 0, the route's link has it. `in` is empty.
/// Drops: Icmp6Truncated, Icmp6BadChecksum, NdFragmented.
void icmp6_input(core::Worker& w, core::InterfaceId link, core::NotedBurst<Ip6Upper>& in,
                 Icmp6InputNext next) noexcept;
}  // namespace proto
