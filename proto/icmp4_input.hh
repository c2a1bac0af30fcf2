// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/ip4_config.hh"

namespace proto {
/// Answers echo requests in place and reports echo replies to the manager (RFC 792, RFC 1122
/// section 3.2.2.6). Errors that others send us are consumed: no connection of ours waits for one.
/// In:    unfragmented packets for us, data at the IPv4 header.
/// Out:   `out`: replies, packets of our own. `in` is empty.
/// Drops: Icmp4Truncated, Icmp4BadChecksum, Icmp4UnknownType.
void icmp4_input(core::Worker& w, const Ip4Config& config, core::Burst& in,
                 core::Burst& out) noexcept;
}  // namespace proto
