// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_local.hh"

#include "core/mbuf.hh"

namespace proto {
namespace {
void refuse(core::Worker& w, rte_mbuf* m, const Ip6Refusal& why,
            core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (why.silent())
    w.drop(m, why.reason);
  else
    refused.push(m, {why.reason, Icmp6View::kParameterProblem, why.code, why.pointer});
}
}  // namespace

void ip6_local(core::Worker& w, const Ip6Config& config, Ip6LocalArrival arrival, core::Burst& in,
               Ip6LocalNext& next, core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip6Local, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    auto upper = walk_extensions(*ip, config.sysctl.max_extensions);
    if (!upper) {
      refuse(w, m, upper.error(), refused);
      continue;
    }
    upper->fragmented |= arrival.reassembled;
    switch (upper->protocol) {
      case kProtocolIcmp6: next.icmp.push(m, *upper); break;
      case kProtocolUdp: next.udp.push(m, *upper); break;
      case kProtocolFragment:
        next.fragments.push(m, {arrival.link, static_cast<std::uint16_t>(upper->at), arrival.vrf});
        break;
      case kProtocolNone: w.drop(m, DropReason::Ip6NoNextHeader); break;
      default: next.raw.push(m, *upper);
    }
  }
}
}  // namespace proto
