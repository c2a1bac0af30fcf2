// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp4_error.hh"

namespace proto {
/// Where ip4_local sends packets, by who handles their protocol.
struct Ip4LocalNext {
  core::Burst icmp, esp;
  core::Burst fragments;  ///< to be put together, then once more through here
};

/// Demultiplexes packets for us on Protocol (RFC 1122 section 3.2.1).
/// In:    data at a checked IPv4 header; it stays there.
/// Out:   `next`, or `refused`: protocol or port unreachable.
/// Drops: UdpTruncated, UdpBadLength.
void ip4_local(core::Worker& w, core::Burst& in, Ip4LocalNext& next,
               core::NotedBurst<Icmp4Cause>& refused) noexcept;

/// The same for packets to all hosts of a link: nobody listens to any of them, and no error may be
/// sent about them (RFC 1122 section 3.2.2). So fragments of such are not put together.
/// Drops: Ip4FragmentForUs, Icmp4EchoToBroadcast, UdpNoPort, Ip4NoProtocol.
void ip4_broadcast(core::Worker& w, core::Burst& in) noexcept;
}  // namespace proto
