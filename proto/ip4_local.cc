// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_local.hh"

#include "core/mbuf.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/udp.hh"

namespace proto {
namespace {
/// UDP has no listener: a well-formed datagram is answered, a malformed one is not.
void refuse_udp(core::Worker& w, rte_mbuf* m, const Ip4View& ip,
                core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (const auto udp = UdpView::parse(ip.payload(), ip.payload_length()); !udp)
    w.drop(m, udp.error());
  else
    refused.push(m,
                 {DropReason::UdpNoPort, Icmp4View::kUnreachable, Icmp4View::kPortUnreachable, 0});
}
}  // namespace

void ip4_local(core::Worker& w, core::Burst& in, Ip4LocalNext& next,
               core::NotedBurst<Icmp4Cause>& refused) noexcept {
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
        case kProtocolUdp: refuse_udp(w, m, *ip, refused); break;
        default:
          refused.push(m, {DropReason::Ip4NoProtocol, Icmp4View::kUnreachable,
                           Icmp4View::kProtocolUnreachable, 0});
      }
    }
  }
}

void ip4_broadcast(core::Worker& w, core::Burst& in) noexcept {
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
    else if (ip->protocol() == kProtocolUdp)
      w.drop(m, DropReason::UdpNoPort);
    else
      w.drop(m, DropReason::Ip4NoProtocol);
  }
}
}  // namespace proto
