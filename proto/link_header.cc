// SPDX-License-Identifier: BSD-3-Clause
#include "proto/link_header.hh"

#include "core/mbuf.hh"
#include "core/observation.hh"

namespace proto {
void push_link_header(rte_mbuf& m, const core::Interface& out, const core::MacAddress& dst,
                      std::uint16_t type) noexcept {
  core::grow_front(m, static_cast<std::uint16_t>(header_length(out.encapsulation)));
  emit(EtherFields{dst, out.mac, type}, out.encapsulation, core::front_bytes_mut(m));
}

void send_frames(core::Worker& w, const core::InterfaceTable& interfaces, core::InterfaceId id,
                 std::span<rte_mbuf* const> frames) noexcept {
  const core::Interface& out = interfaces[id];
  if (out.kind != core::Interface::Kind::Vlan) [[likely]] {
    core::transmit(w, interfaces, id, frames);
    return;
  }
  if (!out.up) {
    for (rte_mbuf* m : frames) w.drop(m, DropReason::InterfaceGone);
    return;
  }
  std::uint64_t bytes = 0;
  for (const rte_mbuf* m : frames) bytes += m->pkt_len;
  w.interface[id].tx.add(frames.size(), bytes);
  if (w.observation != nullptr) [[unlikely]]
    core::observe_vlan_transmit(w, out, frames);
  core::transmit(w, interfaces, out.port_id, frames);
}
}  // namespace proto
