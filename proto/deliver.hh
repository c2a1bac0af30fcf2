// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp4_error.hh"
#include "proto/icmp6_error.hh"
#include "proto/listener.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
/// How the packets of a burst came to us.
struct DeliverArrival {
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t vrf = 0;
  bool group = false;    ///< to all on a link: no error is sent (RFC 1122 section 3.2.2)
  bool trusted = false;  ///< said by ourselves: UDP checksums are not verified
};

/// Gives UDP datagrams to who listens on their port (RFC 768, RFC 8200 section 8.1). Counted as
/// consumed.
/// In:    whole datagrams for us, data at the IP header.
/// Out:   `refused`: port unreachable, where it may be told; `in` is empty.
/// Drops: UdpTruncated, UdpBadLength, UdpBadChecksum (none at all is right over IPv4 only),
///        UdpNoPort, DeliverFull.
void deliver_udp4(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::Burst& in, core::NotedBurst<Icmp4Cause>& refused) noexcept;
void deliver_udp6(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::NotedBurst<Ip6Upper>& in, core::NotedBurst<Ip6Cause>& refused) noexcept;

/// Gives packets to all who listen for their protocol: the first takes the packet itself, the
/// others copies, counted as originated.
/// In:    whole packets for us of protocols that the stack does not handle itself, and ICMP
///        messages with a right checksum that need no answer.
/// Out:   `refused`: protocol unreachable, parameter problem; `in` is empty. ICMP errors and echo
///        replies that nobody listens for are consumed: no connection of ours waits for one.
/// Drops: Ip4NoProtocol, Ip6UnknownNextHeader, Icmp4UnknownType, Icmp6UnknownType, DeliverFull.
void deliver_raw4(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::Burst& in, core::NotedBurst<Icmp4Cause>& refused) noexcept;
void deliver_raw6(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::NotedBurst<Ip6Upper>& in, core::NotedBurst<Ip6Cause>& refused) noexcept;
}  // namespace proto
