// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"
#include "proto/icmp4_error.hh"
#include "proto/wire/ip4.hh"

namespace proto {
/// How the packets of a burst came in, and what is let in.
struct Ip4InputRules {
  bool trust_checksum = false;  ///< the device verifies header checksums: its verdict counts
  bool link_group = false;      ///< in link-layer broadcasts or multicasts: no error is sent
  bool accept_options = true;   ///< net.inet.ip.accept_options
};

/// Validates IPv4 headers (RFC 791 section 3.1, RFC 1812 section 5.2.2).
/// In:    data at the IPv4 header; link padding allowed.
/// Out:   `next`: note = destination address, host order; padding cut. `refused`: malformed options
///        (parameter problem). `in` is empty.
/// Drops: Ip4Truncated, Ip4BadVersion, Ip4BadIhl, Ip4BadLength, Ip4BadChecksum, Ip4BadSource,
///        Ip4BadOption, Ip4SourceRoute, Ip4OptionsRefused.
void ip4_input(core::Worker& w, Ip4InputRules rules, core::Burst& in,
               core::NotedBurst<std::uint32_t>& next,
               core::NotedBurst<Icmp4Cause>& refused) noexcept;
}  // namespace proto
