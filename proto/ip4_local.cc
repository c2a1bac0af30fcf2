// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_local.hh"

#include "core/mbuf.hh"
#include "proto/wire/ip4.hh"

namespace proto {
void ip4_local(core::Worker& w, core::Burst& in, Ip4LocalNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Local, in.packets());
  core::Burst::Writer esp{next.esp};
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
    } else if (ip->is_fragment()) {
      next.fragments.push(m);
    } else {
      switch (ip->protocol()) {
        case kProtocolIcmp: next.icmp.push(m); break;
        case kProtocolEsp: esp.push(m); break;
        case kProtocolUdp: next.udp.push(m); break;
        default: next.raw.push(m);
      }
    }
  }
}

void ip4_broadcast(core::Worker& w, core::Burst& in, Ip4LocalNext& next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip4Local, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip)
      w.drop(m, ip.error());
    else if (ip->is_fragment())
      w.drop(m, DropReason::Ip4FragmentForUs);
    else if (ip->protocol() == kProtocolIcmp)
      w.drop(m, DropReason::Icmp4EchoToBroadcast);
    else
      (ip->protocol() == kProtocolUdp ? next.udp : next.raw).push(m);
  }
}
}  // namespace proto
