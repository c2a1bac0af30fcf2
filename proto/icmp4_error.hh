// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"
#include "proto/ip_shard.hh"

namespace proto {
/// Why a packet goes no further, and what its source is told.
struct Icmp4Cause {
  core::DropReason reason;
  std::uint8_t type, code;  ///< RFC 792
  std::uint16_t mtu;        ///< of the next hop, with "fragmentation needed" (RFC 1191); the
                            ///< byte that is wrong, with "parameter problem"
};

/// Drops packets and tells their sources why (RFC 792, RFC 1812 section 4.3.2): as much of the
/// packet's first segment as fits in 576 bytes; never about an ICMP error, a later fragment, or
/// anything sent to or from more than one host; at most net.inet.icmp.errppslimit a second.
/// In:    data at a checked IPv4 header, unicast to us or through us.
/// Out:   `out`: new packets of our own, source 0 (chosen by the route). The originals are dropped
///        with their reason, whether an error was sent or not.
void icmp4_error(core::Worker& w, IpShard& shard, const Ip4Config& config,
                 core::NotedBurst<Icmp4Cause>& in, core::Burst& out) noexcept;
}  // namespace proto
