// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_input.hh"

#include <optional>

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/ip6_extension.hh"

namespace proto {
namespace {
/// Addresses that are in no packet on a link (RFC 4291 sections 2.5.3, 2.5.5.2 and 2.7). All begin
/// with 0 or are groups: one byte lets nearly all others pass.
bool bad_source(Bytes header) noexcept {
  const std::uint8_t first = header[Ip6View::kSourceAt];
  if (first != 0 && first != 0xff) [[likely]]
    return false;
  const core::IpAddress src = load_ip6(header, Ip6View::kSourceAt);
  return first == 0xff || src == kIp6Loopback || src.is_ip4();
}
bool bad_destination(const core::IpAddress& dst) noexcept {
  if (dst.bytes()[0] != 0) [[likely]]
    return false;
  return dst == kIp6Loopback || dst == core::IpAddress{} || dst.is_ip4();
}

/// @return whether the packet may go on; else it has ended, or is in `refused`.
bool pass_hop_by_hop(core::Worker& w, rte_mbuf* m, const Ip6View& ip,
                     core::NotedBurst<Ip6Cause>& refused) noexcept {
  const auto refusal = judge_hop_by_hop(ip);
  if (!refusal) return true;
  if (refusal->silent())
    w.drop(m, refusal->reason);
  else
    refused.push(m,
                 {refusal->reason, Icmp6View::kParameterProblem, refusal->code, refusal->pointer});
  return false;
}
}  // namespace

void ip6_input(core::Worker& w, core::InterfaceId link, core::Burst& in, ScopedBurst& next,
               core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Ip6Input, in.packets());
  ScopedBurst::Writer good{next};
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    const core::IpAddress dst = ip->dst();
    if (bad_source(ip->packet())) {
      w.drop(m, DropReason::Ip6BadSource);
      continue;
    }
    if (bad_destination(dst)) {
      w.drop(m, DropReason::Ip6BadDestination);
      continue;
    }
    core::keep_front(*m, static_cast<std::uint32_t>(ip->total_length()));
    if (ip->next_header() == kProtocolHopByHop && !pass_hop_by_hop(w, m, *ip, refused)) [[unlikely]]
      continue;
    good.push(m, scoped(dst, link));
  }
}
}  // namespace proto
