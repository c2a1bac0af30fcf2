// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"

namespace proto {
/// Reports to the manager the queries of multicast routers (RFC 3376): ListenerQueried, `other` the
/// group (0.0.0.0: any), with the version as `flags`. What other listeners say is for such routers
/// and consumed.
/// In:    IPv4 packets to a broadcast address or a group of ours, data at a checked IPv4 header;
///        received on `in`.
/// Out:   those of another protocol stay in `packets`.
/// Drops: IgmpRefused (TTL, checksum, length; RFC 3376 section 9).
void igmp_input(core::Worker& w, const core::Interface& in, core::Burst& packets) noexcept;
}  // namespace proto
