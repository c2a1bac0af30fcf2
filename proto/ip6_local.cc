// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_local.hh"

#include "core/mbuf.hh"
#include "proto/packet_sum.hh"
#include "proto/wire/udp.hh"

namespace proto {
namespace {
/// Over the datagram, in any number of segments; IPv6 has no datagrams without a checksum (RFC 8200
/// section 8.1).
bool checksum_right(const rte_mbuf& m, const Ip6View& ip, std::uint32_t at,
                    const UdpView& udp) noexcept {
  // A UDP length short of the payload leaves bytes behind that the checksum does not cover.
  if (udp.checksum() == 0 || at + udp.length() != m.pkt_len) return false;
  const std::uint64_t pseudo = pseudo_header_sum(ip.src(), ip.dst(), udp.length(), kProtocolUdp);
  return fold_checksum(pseudo + packet_sum(m, at)) == 0xffff;
}

/// UDP has no listener: a well-formed datagram is answered, a malformed one is not.
void refuse_udp(core::Worker& w, rte_mbuf* m, const Ip6View& ip, const Ip6Upper& upper,
                core::NotedBurst<Ip6Cause>& refused) noexcept {
  const auto udp = UdpView::parse(ip.packet().subspan(upper.at), m->pkt_len - upper.at);
  if (!udp)
    w.drop(m, udp.error());
  else if (!checksum_right(*m, ip, upper.at, *udp))
    w.drop(m, DropReason::UdpBadChecksum);
  else
    refused.push(m,
                 {DropReason::UdpNoPort, Icmp6View::kUnreachable, Icmp6View::kPortUnreachable, 0});
}

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
      case kProtocolUdp: refuse_udp(w, m, *ip, *upper, refused); break;
      case kProtocolFragment:
        next.fragments.push(m, {arrival.link, static_cast<std::uint16_t>(upper->at)});
        break;
      case kProtocolNone: w.drop(m, DropReason::Ip6NoNextHeader); break;
      default:
        refuse(w, m,
               {DropReason::Ip6UnknownNextHeader, Icmp6View::kUnknownNextHeader, upper->named_at},
               refused);
    }
  }
}
}  // namespace proto
