// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp4_input.hh"

#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/packet_sum.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
/// Makes the checksum of a message in several segments right; emit() sees the first only.
void sum_up(const rte_mbuf& m, MutBytes packet) noexcept {
  constexpr std::size_t kChecksumAt = Ip4View::kMinHeaderLen + 2;
  store_be16(packet, kChecksumAt, 0);
  store_be16(packet, kChecksumAt,
             static_cast<std::uint16_t>(~packet_sum(m, Ip4View::kMinHeaderLen)));
}

/// Request becomes reply: addresses change places, the body stays (RFC 792 page 15). Options are
/// left behind: none of them asks to be returned but the source routes that ip4_input refuses.
void make_reply(rte_mbuf& m, const Ip4View& ip, const Icmp4View& icmp, std::uint8_t ttl) noexcept {
  const Ip4Fields answer{.tos = ip.tos(),
                         .id = ip.id(),
                         .ttl = ttl,
                         .protocol = kProtocolIcmp,
                         .src = ip.dst(),
                         .dst = ip.src()};
  const Icmp4Fields echo{
      .type = Icmp4View::kEchoReply, .word1 = icmp.id(), .word2 = icmp.sequence()};
  core::strip_front(m, static_cast<std::uint16_t>(ip.header_len() - Ip4View::kMinHeaderLen));
  const MutBytes packet = core::front_bytes_mut(m);
  emit(echo, packet.subspan(Ip4View::kMinHeaderLen));
  if (core::is_chain(m)) [[unlikely]]
    sum_up(m, packet);
  emit(answer, packet, m.pkt_len);
  // What the device said was of the request; what stays says whose the buffer is, and who watches.
  m.ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | core::kMarkedFlag;
}

/// Over all segments; the views see what is in the first.
bool checksum_right(const rte_mbuf& m, const Ip4View& ip, const Icmp4View& icmp) noexcept {
  if (core::is_chain(m)) [[unlikely]]
    return packet_sum(m, ip.header_len()) == 0xffff;
  return icmp.verify_checksum();
}
}  // namespace

void icmp4_input(core::Worker& w, const Ip4Config& config, core::Burst& in, core::Burst& own,
                 core::Burst& raw) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Icmp4Input, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    const auto icmp = ip ? Icmp4View::parse(ip->payload()) : DropReason::Icmp4Truncated;
    if (!icmp) {
      w.drop(m, icmp.error());
    } else if (!checksum_right(*m, *ip, *icmp)) {
      w.drop(m, DropReason::Icmp4BadChecksum);
    } else if (icmp->type() == Icmp4View::kEchoRequest) {
      make_reply(*m, *ip, *icmp, config.sysctl.ttl);
      own.push(m);
    } else {
      raw.push(m);
    }
  }
}
}  // namespace proto
