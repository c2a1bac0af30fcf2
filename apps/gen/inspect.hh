// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <cstdint>

#include "apps/gen/signature.hh"
#include "proto/wire/bytes.hh"

namespace gen {
/// What a received frame turns out to be.
enum class FrameKind : std::uint8_t {
  Ours,     ///< carries a signature of this run, checksums right
  Corrupt,  ///< carries one, but a checksum of IPv4, UDP or TCP is wrong
  Stale,    ///< carries one of another run
  Control,  ///< ARP or ICMPv6: for the port's own neighbour discovery, if for anyone
  Foreign,  ///< anything else
};
struct Inspection {
  FrameKind kind = FrameKind::Foreign;
  Signature signature{};  ///< of Ours, Corrupt and Stale
};

/// @param run  the number of this run.
[[nodiscard]] Inspection inspect(const rte_mbuf& m, std::uint16_t run) noexcept;
/// The same of a frame that lies in one piece.
[[nodiscard]] Inspection inspect(proto::Bytes frame, std::uint16_t run) noexcept;

/// Steps over VLAN tags, up to four. @return where the payload begins and of what type it is; at 0:
/// no Ethernet frame.
struct EtherPayload {
  std::size_t at = 0;
  std::uint16_t type = 0;
};
[[nodiscard]] EtherPayload ether_payload(proto::Bytes frame) noexcept;
}  // namespace gen
