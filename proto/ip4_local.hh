// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"

namespace proto {
/// Where ip4_local sends packets, by who handles their protocol.
struct Ip4LocalNext {
  core::Burst icmp, esp, udp;
  core::Burst raw;        ///< protocols that only a listener can want
  core::Burst fragments;  ///< to be put together, then once more through here
};

/// Demultiplexes packets for us on Protocol (RFC 1122 section 3.2.1).
/// In:    data at a checked IPv4 header; it stays there.
/// Out:   `next`. `in` is empty.
void ip4_local(core::Worker& w, core::Burst& in, Ip4LocalNext& next) noexcept;

/// The same for packets to all hosts of a link, which nothing in the stack answers (RFC 1122
/// section 3.2.2.6): only listeners may want them. Their fragments are not put together.
/// Out:   `next.udp`, `next.raw`.
/// Drops: Ip4FragmentForUs, Icmp4EchoToBroadcast.
void ip4_broadcast(core::Worker& w, core::Burst& in, Ip4LocalNext& next) noexcept;
}  // namespace proto
