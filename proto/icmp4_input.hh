// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"

namespace proto {
/// Answers echo requests in place (RFC 792, RFC 1122 section 3.2.2.6).
/// In:    unfragmented packets for us, data at the IPv4 header.
/// Out:   `own`: replies, packets of our own. `raw`: all other messages, for who listens. `in` is
///        empty.
/// Drops: Icmp4Truncated, Icmp4BadChecksum.
void icmp4_input(core::Worker& w, const Ip4Config& config, core::Burst& in, core::Burst& own,
                 core::Burst& raw) noexcept;
}  // namespace proto
