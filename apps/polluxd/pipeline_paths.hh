// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "apps/polluxd/pipeline.hh"
#include "proto/deliver.hh"
#include "proto/ip4_local.hh"
#include "proto/ip4_lookup.hh"
#include "proto/ip6_lookup.hh"

/// Pieces of a packet's way that those who come back to it later share with those who are received:
/// of the pipeline's own files, for nobody else.
namespace polluxd {
/// From a routed packet to the transmit buffers: packets in transit lose a hop, those that cannot
/// go on are answered, and what we say ourselves is routed like everything else.
void ip4_forward_path(Shard& s, const StackConfig& config, std::uint16_t vrf,
                      proto::Ip4LookupNext& routed, core::Burst& own) noexcept;

/// The same for IPv6. @param arrival  how what is refused came in.
void ip6_forward_path(Shard& s, const StackConfig& config, const proto::Ip6Arrival& arrival,
                      proto::Ip6LookupNext& routed, proto::ScopedBurst& own) noexcept;

/// IPv4 packets for us, by who handles them; those in fragments once they are whole.
void ip4_local_path(Shard& s, const StackConfig& config, std::uint16_t vrf,
                    proto::Ip4LookupNext& routed, proto::Ip4LocalNext& local) noexcept;

/// What they carry, to who listens; echo requests are answered.
void ip4_deliver_path(Shard& s, const StackConfig& config, proto::DeliverArrival arrival,
                      proto::Ip4LookupNext& routed, proto::Ip4LocalNext& local,
                      core::Burst& own) noexcept;

/// What IPv6 packets for us carry: echo requests are answered, the messages of Neighbour Discovery
/// and MLD go to `nd`, the rest to who listens.
void ip6_local_path(Shard& s, const StackConfig& config, const proto::DeliverArrival& arrival,
                    proto::Ip6LookupNext& routed, proto::ScopedBurst& own,
                    core::Burst& nd) noexcept;
}  // namespace polluxd
