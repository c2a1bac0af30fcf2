// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_lookup.hh"

namespace proto {
/// What a router does to a packet on its way through (RFC 1812 section 5.3): TTL, and the next
/// hop's MTU; record route and timestamp options.
/// In:    routed packets, data at the IPv4 header.
/// Out:   `out`: TTL one less, fits the MTU. `too_big`: TTL one less, to be cut. `refused`:
///        unchanged, the source is to be told.
void ip4_forward(core::Worker& w, RoutedBurst& in, RoutedBurst& out, RoutedBurst& too_big,
                 core::NotedBurst<Icmp4Cause>& refused) noexcept;
}  // namespace proto
