// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/icmp6_error.hh"

namespace proto {
/// Validates IPv6 headers and the hop-by-hop options, which every node reads (RFC 8200 sections 3
/// and 4.3).
/// In:    data at the IPv6 header; link padding allowed. `link`: where the packets came in.
/// Out:   `next`: note = scoped destination; padding cut. `refused`: an option that the source is
///        to be told of. `in` is empty.
/// Drops: Ip6Truncated, Ip6BadVersion, Ip6BadLength, Ip6BadSource, Ip6BadDestination,
///        Ip6BadExtension, Ip6BadOption, Ip6UnknownOption, Ip6TooManyExtensions.
void ip6_input(core::Worker& w, core::InterfaceId link, core::Burst& in, ScopedBurst& next,
               core::NotedBurst<Ip6Cause>& refused) noexcept;
}  // namespace proto
