// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip6_config.hh"
#include "proto/ip_shard.hh"
#include "proto/routed.hh"

namespace proto {
/// Tells neighbours of a better first hop (RFC 4861 section 8.2), where we are a router: the source
/// of a packet that leaves by the interface that it came in on. The packet itself goes on. Nothing
/// is said to who is not a known neighbour there, nor about a gateway whose link-local address the
/// route does not name, for no other may be told of; net.inet6.icmp6.errppslimit counts these
/// messages too.
/// @param forward  packets that came in on `in` and are about to be forwarded, data at the checked
/// IPv6 header; left as they are.
/// @param out  new packets of ours beside their next hops, at most one for each of `forward`.
void nd_redirect(core::Worker& w, IpShard& shard, const Ip6Config& config,
                 const core::Interface& in, const RoutedBurst& forward, RoutedBurst& out) noexcept;
}  // namespace proto
