// SPDX-License-Identifier: BSD-3-Clause
#include "proto/icmp6_input.hh"

#include "core/mbuf.hh"
#include "core/observation.hh"
#include "proto/ip6_scope.hh"
#include "proto/packet_sum.hh"
#include "proto/wire/icmp6.hh"

namespace proto {
namespace {
/// A message, its packet, and where it came in.
struct Message {
  const Ip6View& ip;
  const Icmp6View& icmp;
  const Ip6Upper& upper;
  core::InterfaceId link;
};

/// Request becomes reply: addresses change places, the body stays (RFC 4443 section 4.2), extension
/// headers are left behind. The checksum follows by RFC 1624, in any number of segments: of what it
/// covers, only the type changes, and the group that does not come back.
void make_reply(rte_mbuf& m, const Message& msg) noexcept {
  const core::IpAddress us = msg.ip.dst();
  const bool to_group = is_ip6_multicast(us);
  const Ip6Fields answer{.traffic_class = msg.ip.traffic_class(),
                         .next_header = kProtocolIcmp6,
                         .hop_limit = 0,
                         .src = to_group ? core::IpAddress{} : us,
                         .dst = msg.ip.src()};
  const auto word = static_cast<std::uint16_t>(msg.icmp.type() << 8 | msg.icmp.code());
  constexpr std::uint16_t kReplyWord = Icmp6View::kEchoReply << 8;
  std::uint16_t sum = update_checksum(msg.icmp.checksum(), word, kReplyWord);
  if (to_group) sum = update_checksum(sum, fold_checksum(sum_words(us.bytes())), 0);

  core::strip_front(m, static_cast<std::uint16_t>(msg.upper.at - Ip6View::kHeaderLen));
  const MutBytes packet = core::front_bytes_mut(m);
  emit(answer, packet, m.pkt_len);
  store_be16(packet, Ip6View::kHeaderLen, kReplyWord);
  store_be16(packet, Ip6View::kHeaderLen + 2, sum);
  // What the device said was of the request; what stays says whose the buffer is, and who watches.
  m.ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | core::kMarkedFlag;
}

/// Over all segments; the views see what is in the first.
bool checksum_right(const rte_mbuf& m, const Message& msg) noexcept {
  const std::uint64_t pseudo =
      pseudo_header_sum(msg.ip.src(), msg.ip.dst(), m.pkt_len - msg.upper.at, kProtocolIcmp6);
  if (core::is_chain(m)) [[unlikely]]
    return fold_checksum(pseudo + packet_sum(m, msg.upper.at)) == 0xffff;
  return msg.icmp.verify_checksum(pseudo);
}

/// A message whose checksum is right.
void take(core::Worker& w, rte_mbuf* m, const Message& msg, const Icmp6InputNext& next) noexcept {
  const std::uint8_t type = msg.icmp.type();
  if (type == Icmp6View::kEchoRequest) {
    const core::IpAddress asker = msg.ip.src();
    // There is nobody to answer (RFC 4291 section 2.5.2).
    if (asker == core::IpAddress{}) return w.drop(m, DropReason::Ip6BadSource);
    make_reply(*m, msg);
    next.own.push(m, scoped(asker, msg.link));
  } else if (msg.icmp.is_discovery()) {
    if (msg.upper.fragmented) return w.drop(m, DropReason::NdFragmented);
    next.nd.push(m);
  } else {
    next.raw.push(m, msg.upper);
  }
}
}  // namespace

void icmp6_input(core::Worker& w, core::InterfaceId link, core::NotedBurst<Ip6Upper>& in,
                 Icmp6InputNext next) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Icmp6Input, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const Ip6Upper& upper = in.notes()[i];
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    const auto icmp = ip && upper.at <= ip->packet().size()
                          ? Icmp6View::parse(ip->packet().subspan(upper.at))
                          : DropReason::Icmp6Truncated;
    if (!icmp)
      w.drop(m, icmp.error());
    else if (const Message msg{*ip, *icmp, upper, link}; !checksum_right(*m, msg))
      w.drop(m, DropReason::Icmp6BadChecksum);
    else
      take(w, m, msg, next);
  }
}
}  // namespace proto
