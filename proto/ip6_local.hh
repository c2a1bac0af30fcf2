// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/icmp6_error.hh"
#include "proto/reassembly.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
/// Where ip6_local sends packets, by who handles what they carry; beside each, where that is.
struct Ip6LocalNext {
  core::NotedBurst<Ip6Upper> icmp, udp;
  core::NotedBurst<Ip6Upper> raw;  ///< protocols that only a listener can want
  core::NotedBurst<Ip6FragmentPlace> fragments;
};

/// What is known of the packets of a burst for us.
struct Ip6LocalArrival {
  core::InterfaceId link = core::kNoInterface;  ///< where they came in
  bool reassembled = false;  ///< put together from fragments, the Fragment header is gone
  std::uint16_t vrf = 0;
};

/// Walks the extension headers of packets for us and demultiplexes on what is behind (RFC 8200
/// section 4).
/// In:    data at a checked IPv6 header; it stays there.
/// Out:   `next`, or `refused`: unknown option or routing header. `in` is empty.
/// Drops: Ip6BadExtension, Ip6TooManyExtensions, Ip6BadOption, Ip6UnknownOption, Ip6NoNextHeader.
void ip6_local(core::Worker& w, const Ip6Config& config, Ip6LocalArrival arrival, core::Burst& in,
               Ip6LocalNext& next, core::NotedBurst<Ip6Cause>& refused) noexcept;
}  // namespace proto
