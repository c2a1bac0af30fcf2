// SPDX-License-Identifier: BSD-3-Clause
#include "proto/neighbor_hold.hh"

#include "core/observation.hh"

namespace proto {
void NeighborHold::push(core::Worker& w, const HeldPacket& packet) noexcept {
  std::size_t waiting = 0;
  if (size_ < kCapacity)
    for (std::size_t i = 0; i < size_; ++i)
      waiting += packets_[i].gateway == packet.gateway && packets_[i].interface == packet.interface;
  if (size_ == kCapacity || waiting == kPerNeighbor) {
    w.drop(packet.m, core::DropReason::NeighborHoldFull);
    return;
  }
  if (waiting == 0 && packet.interface != core::kNoInterface)
    w.post({.kind = core::EventKind::NeighborWanted,
            .interface = packet.interface,
            .address = packet.gateway,
            .at_us = w.now_us});
  if (w.observation != nullptr) [[unlikely]]
    core::observe_hold(w, packet.m);
  packets_[size_] = packet;
  set_size(size_ + 1);
}
}  // namespace proto
