// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_forward.hh"

#include "core/mbuf.hh"
#include "proto/ip4_options.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
constexpr std::size_t kFlagsAt = 6, kTtlAt = 8;
constexpr std::uint8_t kDontFragment = 0x40, kNoOptions = 0x45;

/// One hop less, and our mark in the options.
void pass_hop(const core::Worker& w, MutBytes header, const NextHop& hop) noexcept {
  decrement_ttl(header);
  if (header[0] != kNoOptions) [[unlikely]]
    record_hop(header.first((header[0] & 0xfu) * 4), hop.source.ip4(), w.now_us);
}
}  // namespace

void ip4_forward(core::Worker& w, RoutedBurst& in, RoutedBurst& out, RoutedBurst& too_big,
                 core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Forward, in.packets());
  const auto packets = in.take();
  RoutedBurst::Writer good{out};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const NextHop* hop = in.notes()[i];
    const MutBytes header = core::front_bytes_mut(*m);  // 20 bytes at least: ip4_input saw to it
    if (header[kTtlAt] <= 1) [[unlikely]] {
      refused.push(m, {DropReason::Ip4TtlExpired, Icmp4View::kTimeExceeded, 0, 0});
    } else if (m->pkt_len > hop->mtu) [[unlikely]] {
      if ((header[kFlagsAt] & kDontFragment) != 0) {
        refused.push(m, {DropReason::Ip4TooBig, Icmp4View::kUnreachable,
                         Icmp4View::kFragmentationNeeded, hop->mtu});
      } else {
        pass_hop(w, header, *hop);
        too_big.push(m, hop);
      }
    } else {
      pass_hop(w, header, *hop);
      good.push(m, hop);
    }
  }
}
}  // namespace proto
