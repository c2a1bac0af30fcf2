// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/interface.hh"
#include "core/worker.hh"
#include "proto/wire/ether.hh"

namespace proto {
/// Bytes of an Ethernet header with such tags.
[[nodiscard]] constexpr std::size_t header_length(
    const core::Interface::Encapsulation& tags) noexcept {
  return EtherView::kHeaderLen + tags.length;
}

/// An Ethernet header with the tags of an interface between its addresses and its EtherType.
/// @pre out.size() >= header_length(tags).
constexpr void emit(const EtherFields& f, const core::Interface::Encapsulation& tags,
                    MutBytes out) noexcept {
  constexpr std::size_t kAddresses = 12;
  copy(f.dst, out.subspan(0, 6));
  copy(f.src, out.subspan(6, 6));
  copy(Bytes{tags.bytes}.first(tags.length), out.subspan(kAddresses));
  store_be16(out, kAddresses + tags.length, f.type);
}

/// Puts the Ethernet header of `out` before a packet. @pre headroom(m) >= 22.
void push_link_header(rte_mbuf& m, const core::Interface& out, const core::MacAddress& dst,
                      std::uint16_t type) noexcept;

/// Sends finished frames of `out`: counted there if it is a VLAN, queued for the port beneath. Ends
/// the packets. Drops: InterfaceGone, and as core::flush_tx().
void send_frames(core::Worker& w, const core::InterfaceTable& interfaces, core::InterfaceId out,
                 std::span<rte_mbuf* const> frames) noexcept;
}  // namespace proto
