// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/icmp6_error.hh"
#include "proto/reassembly.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
/// Where ip6_local sends packets, by who handles what they carry; beside each, where that is.
struct Ip6LocalNext {
  core::NotedBurst<Ip6Upper> icmp;
  core::NotedBurst<Ip6FragmentPlace> fragments;
};

/// What is known of the packets of a burst for us.
struct Ip6LocalArrival {
  core::InterfaceId link = core::kNoInterface;  ///< where they came in
  bool reassembled = false;  ///< put together from fragments, the Fragment header is gone
};

/// Walks the extension headers of packets for us and demultiplexes on what is behind (RFC 8200
/// section 4).
/// In:    data at a checked IPv6 header; it stays there.
/// Out:   `next`, or `refused`: unknown option or header, port unreachable. `in` is empty.
/// Drops: Ip6BadExtension, Ip6TooManyExtensions, Ip6BadOption, Ip6UnknownOption, Ip6NoNextHeader,
///        UdpTruncated, UdpBadLength, UdpBadChecksum.
void ip6_local(core::Worker& w, const Ip6Config& config, Ip6LocalArrival arrival, core::Burst& in,
               Ip6LocalNext& next, core::NotedBurst<Ip6Cause>& refused) noexcept;
}  // namespace proto
