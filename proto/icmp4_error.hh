// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"
#include "proto/ip_shard.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"

namespace proto {
/// Why a packet goes no further, and what its source is told.
struct Icmp4Cause {
  core::DropReason reason;
  std::uint8_t type, code;  ///< RFC 792
  std::uint16_t mtu;        ///< of the next hop, with "fragmentation needed" (RFC 1191); the
                            ///< byte that is wrong, with "parameter problem"
};

/// Whether RFC 1122 section 3.2.2 allows an error about this packet.
[[nodiscard]] bool may_tell(const Ip4View& ip) noexcept;

/// What a source is told about a packet of its own.
struct Icmp4Notice {
  Icmp4Fields message;
  std::uint32_t src = 0;  ///< of ours; 0: chosen by the route
  std::uint32_t dst = 0;
};
/// A packet with that message and as much of `original`, a packet from its IPv4 header on, as fits
/// in 576 bytes. @return null where no buffer is free.
[[nodiscard]] rte_mbuf* quote(core::Worker& w, IpShard& shard, const Ip4Config& config,
                              Bytes original, const Icmp4Notice& notice) noexcept;

/// Drops packets and tells their sources why (RFC 792, RFC 1812 section 4.3.2): as much of the
/// packet's first segment as fits in 576 bytes; never about an ICMP error, a later fragment, or
/// anything sent to or from more than one host; at most net.inet.icmp.errppslimit a second.
/// In:    data at a checked IPv4 header, unicast to us or through us.
/// Out:   `out`: new packets of our own, source 0 (chosen by the route). The originals are dropped
///        with their reason, whether an error was sent or not.
void icmp4_error(core::Worker& w, IpShard& shard, const Ip4Config& config,
                 core::NotedBurst<Icmp4Cause>& in, core::Burst& out) noexcept;
}  // namespace proto
