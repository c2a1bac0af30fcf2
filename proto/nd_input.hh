// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip6_config.hh"

namespace proto {
/// Answers Neighbour Solicitations for our addresses in place and reports to the manager what
/// others say of theirs: neighbours, routers, prefixes, conflicts (RFC 4861, RFC 4862 section 5.4),
/// and queries of multicast routers (RFC 3810), with their version as `flags`. The addresses in
/// those events are scoped.
/// In:    packets for us whose ICMPv6 checksum holds; data at the IPv6 header, extension headers
///        may follow; received on `in`. Message types 130 to 137 and 143.
/// Out:   advertisements: the received buffer, a finished frame given to send_frames(). `packets`
///        is empty.
/// Drops: NdFragmented, NdBadHopLimit, NdBadCode, NdTruncated, NdBadOption, NdBadTarget,
///        NdBadSource, NdBadDestination, NdNotForUs, NdConflict, NdNotRouter, NdRedirectOff,
///        MldRefused, and as walk_extensions(). What was learnt from is consumed.
void nd_input(core::Worker& w, const core::InterfaceTable& interfaces, const Ip6Config& config,
              const core::Interface& in, core::Burst& packets) noexcept;
}  // namespace proto
