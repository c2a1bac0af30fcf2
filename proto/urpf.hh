// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp6_error.hh"
#include "proto/ip4_config.hh"

namespace proto {
/// Asks whether the source of what an interface takes in is reached by the routes of its VRF
/// (unicast reverse path forwarding, RFC 3704 section 2): by that interface (strict: any member of
/// a route with several next hops counts), or at all (loose). What leads nowhere, to ourselves or
/// to a group does not count. Left alone are sources that no route can lead to and that have their
/// own rules: 0.0.0.0 (DHCP), :: and link-local addresses (Neighbour Discovery).
/// In:    note = destination; header checked; `in.urpf` is not Off.
/// Out:   stays in `packets`. Drops: Ip4Spoofed.
void urpf4(core::Worker& w, const Ip4Config& config, const core::Interface& in,
           core::NotedBurst<std::uint32_t>& packets) noexcept;
/// The same for IPv6. Drops: Ip6Spoofed.
void urpf6(core::Worker& w, const Ip6Config& config, const core::Interface& in,
           ScopedBurst& packets) noexcept;
}  // namespace proto
