// SPDX-License-Identifier: BSD-3-Clause
#include "proto/rss.hh"

#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/wire/flow.hh"

namespace proto {
void rss(core::Worker& w, const core::Interface& in, core::Burst& rx) noexcept {
  w.enter(core::Stage::Rss, rx.packets());
  const std::uint64_t workers = w.handoff_to.size();
  const auto packets = rx.take();
  for (rte_mbuf* m : packets) core::prefetch_front(*m);
  const bool watched = w.observation != nullptr;
  for (rte_mbuf* m : packets) {
    // The upper bits of a product spread as a remainder would, without the division.
    const std::uint64_t owner = (flow_hash(core::front_bytes(*m)) * workers) >> 32;
    core::HandoffRing* ring = w.handoff_to[owner];
    if (watched && ring != nullptr) [[unlikely]]
      core::observe_hand_over(w, m, static_cast<std::uint16_t>(owner));
    if (ring == nullptr)
      rx.push(m);
    else if (!ring->push({m, in.id, core::HandedPacket::Kind::Received}))
      w.drop(m, DropReason::RssRingFull);
  }
}
}  // namespace proto
