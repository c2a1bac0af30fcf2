// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"
#include "proto/ip_shard.hh"
#include "proto/routed.hh"

namespace proto {
/// Tells hosts of a better first hop (RFC 1812 section 5.2.7.2): the source of a packet that leaves
/// by the interface that it came in on, to a next hop which is on one subnet of ours with it. The
/// packet itself goes on. Always for the host, never for its network; not where an error is said or
/// none may be (RFC 1122 section 3.2.2); net.inet.icmp.errppslimit counts these messages too.
/// @param forward  packets that came in on `in` and are about to be forwarded, data at the checked
/// IPv4 header; left as they are.
/// @param own  new packets of ours, at most one for each; it has room for as many.
void ip4_redirect(core::Worker& w, IpShard& shard, const Ip4Config& config,
                  const core::Interface& in, const RoutedBurst& forward, core::Burst& own) noexcept;
}  // namespace proto
