// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_forward.hh"

#include "core/mbuf.hh"
#include "proto/wire/icmp6.hh"

namespace proto {
void ip6_forward(core::Worker& w, RoutedBurst& in, RoutedBurst& out,
                 core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip6Forward, in.packets());
  const auto packets = in.take();
  RoutedBurst::Writer good{out};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const NextHop* hop = in.notes()[i];
    const MutBytes header = core::front_bytes_mut(*m);  // 40 bytes at least: ip6_input saw to it
    if (header[Ip6View::kHopLimitAt] <= 1) [[unlikely]] {
      refused.push(m, {DropReason::Ip6HopLimitExpired, Icmp6View::kTimeExceeded,
                       Icmp6View::kHopLimitExceeded, 0});
    } else if (m->pkt_len > hop->mtu) [[unlikely]] {
      refused.push(m, {DropReason::Ip6TooBig, Icmp6View::kPacketTooBig, 0, hop->mtu});
    } else {
      decrement_hop_limit(header);
      good.push(m, hop);
    }
  }
}
}  // namespace proto
