// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "proto/ip4_lookup.hh"

namespace proto {
/// The held form of a packet of either family whose next hop has the kind `k`. @param dst  as the
/// tables know it. @pre must_wait(k).
[[nodiscard]] inline HeldPacket held(rte_mbuf* m, const core::IpAddress& dst, const NextHop& h,
                                     NextHopKind k, bool own, std::uint64_t now_us) noexcept {
  if (k == NextHopKind::Changing)  // nothing else of it may be read
    return {.m = m, .dst = dst, .gateway = dst, .own = own, .since_us = now_us};
  return {.m = m,
          .dst = dst,
          .gateway = k == NextHopKind::Glean ? dst : h.gateway,
          .interface = h.interface,
          .own = own,
          .since_us = now_us};
}
}  // namespace proto
