// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ether_input.hh"

#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "proto/wire/ether.hh"

namespace proto {
namespace {
/// All but IPv4 for this interface: the rarer ways.
void demultiplex(core::Worker& w, rte_mbuf* m, std::uint16_t type, bool group,
                 EtherInputNext& next) noexcept {
  switch (type) {
    case kEtherTypeIp4: next.ip4_group.push(m); break;
    case kEtherTypeIp6:
      if constexpr (core::kInet6)
        (group ? next.ip6_group : next.ip6).push(m);
      else
        w.drop(m, DropReason::EtherUnknownType);
      break;
    case kEtherTypeArp: next.arp.push(m); break;
    case kTpidC:
    case kTpidS: next.vlan.push(m); break;
    default: w.drop(m, DropReason::EtherUnknownType);
  }
}
}  // namespace

void ether_input(core::Worker& w, const core::Interface& in, core::Burst& rx, EtherInputNext& next,
                 bool counted) noexcept {
  w.enter(core::Stage::EtherInput, rx.packets());
  const auto packets = rx.take();
  for (rte_mbuf* m : packets) core::prefetch_front(*m);
  std::uint64_t bytes = 0;
  if (!in.up) [[unlikely]] {
    // Taken and ended, so that nothing old comes out of the queue when it goes up again.
    for (rte_mbuf* m : packets) {
      bytes += m->pkt_len;
      w.drop(m, DropReason::InterfaceDown);
    }
    if (!counted) w.interface[in.id].rx.add(packets.size(), bytes);
    return;
  }
  core::Burst::Writer ip4{next.ip4};
  for (rte_mbuf* m : packets) {
    bytes += m->pkt_len;
    if (core::is_chain(*m) && !counted && !core::headers_in_front(*m)) [[unlikely]] {
      w.drop(m, DropReason::RxChained);
      continue;
    }
    const auto frame = EtherView::parse(core::front_bytes(*m));
    if (!frame) {
      w.drop(m, frame.error());
      continue;
    }
    const core::MacAddress dst = frame->dst();
    const bool group = core::is_group(dst);
    if (!group && dst != in.mac) {
      w.drop(m, DropReason::EtherNotForUs);
      continue;
    }
    const std::uint16_t type = frame->type();
    core::strip_front(*m, EtherView::kHeaderLen);
    if (type == kEtherTypeIp4 && !group) [[likely]]
      ip4.push(m);
    else
      demultiplex(w, m, type, group, next);
  }
  if (!counted) w.interface[in.id].rx.add(packets.size(), bytes);
}
}  // namespace proto
