// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/ip6_lookup.hh"

namespace proto {
/// What a router does to a packet on its way through: the hop limit, and the next hop's MTU, for
/// routers do not fragment (RFC 8200 sections 3 and 4.5, RFC 4443 section 3.2).
/// In: routed packets, data at the IPv6 header. Out: `out`: hop limit one less, fits the MTU.
/// `refused`: unchanged, the source is to be told.
void ip6_forward(core::Worker& w, RoutedBurst& in, RoutedBurst& out,
                 core::NotedBurst<Ip6Cause>& refused) noexcept;
}  // namespace proto
