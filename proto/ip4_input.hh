// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/wire/ip4.hh"

namespace proto {
/// Validates IPv4 headers (RFC 791 section 3.1, RFC 1812 section 5.2.2).
/// In:    data at the IPv4 header, one segment; link padding allowed. `trust_checksum`: the device
///        verifies header checksums, and its verdict in ol_flags counts.
/// Out:   `next`: note = destination address, host order; padding cut. `in` is empty.
/// Drops: Ip4Truncated, Ip4BadVersion, Ip4BadIhl, Ip4BadLength, Ip4BadChecksum, Ip4BadSource,
///        Ip4BadOption, Ip4SourceRoute.
void ip4_input(core::Worker& w, bool trust_checksum, core::Burst& in,
               core::NotedBurst<std::uint32_t>& next) noexcept;
}  // namespace proto
