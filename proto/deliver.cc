// SPDX-License-Identifier: BSD-3-Clause
#include "proto/deliver.hh"

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/packet_sum.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/udp.hh"

namespace proto {
namespace {
/// What is known of every packet, whatever it carries `at` bytes from its beginning.
Delivered delivered(const core::Worker& w, const DeliverArrival& arrival, rte_mbuf* m,
                    const Ip4View& ip) noexcept {
  return {.m = m,
          .src = ip.src(),
          .dst = ip.dst(),
          .interface = arrival.interface,
          .vrf = arrival.vrf,
          .payload_at = ip.header_len(),
          .payload_length = ip.payload_length(),
          .protocol = ip.protocol(),
          .hop_limit = ip.ttl(),
          .tos = ip.tos(),
          .at_us = w.now_us};
}
Delivered delivered(const core::Worker& w, const DeliverArrival& arrival, rte_mbuf* m,
                    const Ip6View& ip, const Ip6Upper& upper) noexcept {
  return {.m = m,
          .src = ip.src(),
          .dst = ip.dst(),
          .interface = arrival.interface,
          .vrf = arrival.vrf,
          .payload_at = static_cast<std::uint16_t>(upper.at),
          .payload_length = static_cast<std::uint16_t>(m->pkt_len - upper.at),
          .protocol = upper.protocol,
          .hop_limit = ip.hop_limit(),
          .tos = ip.traffic_class(),
          .at_us = w.now_us};
}

void give(core::Worker& w, Listener& listener, const Delivered& d) noexcept {
  if (listener.push(w.index, d))
    w.consumed.add(1);
  else
    w.drop(d.m, DropReason::DeliverFull);
}

/// Over the datagram, in any number of segments.
bool checksum_right(const Delivered& d, const UdpView& udp) noexcept {
  if (udp.checksum() == 0) return d.dst.is_ip4();
  // The IPv4-mapped form of an address adds 0xffff, which is nothing in one's complement.
  const std::uint64_t pseudo = pseudo_header_sum(d.src, d.dst, udp.length(), kProtocolUdp);
  return fold_checksum(pseudo + packet_sum(*d.m, d.payload_at, udp.length())) == 0xffff;
}

/// @return whether somebody has it, or it has ended; else nobody listens.
bool deliver_datagram(core::Worker& w, const ListenerTable& listeners,
                      const DeliverArrival& arrival, Delivered& d) noexcept {
  const Bytes front = core::front_bytes(*d.m);
  const auto udp = UdpView::parse(front.subspan(std::min<std::size_t>(d.payload_at, front.size())),
                                  d.payload_length);
  if (!udp) {
    w.drop(d.m, udp.error());
    return true;
  }
  if (!arrival.trusted && !checksum_right(d, *udp)) {
    w.drop(d.m, DropReason::UdpBadChecksum);
    return true;
  }
  d.src_port = udp->src_port();
  d.dst_port = udp->dst_port();
  Listener* listener = listeners.find_udp({.port = d.dst_port,
                                           .ip6 = !d.dst.is_ip4(),
                                           .vrf = d.vrf,
                                           .address = scoped(d.dst, d.interface)});
  if (listener == nullptr) return false;
  d.payload_at = static_cast<std::uint16_t>(d.payload_at + UdpView::kHeaderLen);
  d.payload_length = static_cast<std::uint16_t>(udp->length() - UdpView::kHeaderLen);
  give(w, *listener, d);
  return true;
}

/// A copy of the packet for a further listener.
void give_copy(core::Worker& w, Listener& listener, Delivered d) noexcept {
  w.originated.add(1);
  d.m = w.pool != nullptr ? rte_pktmbuf_copy(d.m, w.pool, 0, UINT32_MAX) : nullptr;
  if (d.m != nullptr)
    give(w, listener, d);
  else  // no packet to end, but one that somebody misses
    w.drops[static_cast<std::size_t>(DropReason::DeliverFull)].add(1);
}

/// @return whether somebody has it; else nobody listens.
bool deliver_packet(core::Worker& w, const ListenerTable& listeners, const Delivered& d,
                    std::uint8_t type) noexcept {
  const ListenerTable::Raw* first = nullptr;
  for (const ListenerTable::Raw& raw : listeners.raw()) {
    if (!raw.takes(d.protocol, !d.dst.is_ip4(), d.vrf, type)) continue;
    if (first != nullptr)
      give_copy(w, *raw.listener, d);
    else
      first = &raw;
  }
  if (first != nullptr) give(w, *first->listener, d);
  return first != nullptr;
}

std::uint8_t first_byte(const Delivered& d) noexcept {
  const Bytes front = core::front_bytes(*d.m);
  return d.payload_at < front.size() ? front[d.payload_at] : std::uint8_t{0};
}

/// Whether an ICMP message that nobody listens for has done what it was sent for.
bool is_done_icmp4(std::uint8_t type) noexcept {
  return type == Icmp4View::kEchoReply || Icmp4View::is_error(type);
}
bool is_done_icmp6(std::uint8_t type) noexcept {
  return type == Icmp6View::kEchoReply || Icmp6View::is_error(type);
}
}  // namespace

void deliver_udp4(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::Burst& in, core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Deliver, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    Delivered d = delivered(w, arrival, m, *ip);
    if (deliver_datagram(w, listeners, arrival, d)) continue;
    if (arrival.group)
      w.drop(m, DropReason::UdpNoPort);
    else
      refused.push(
          m, {DropReason::UdpNoPort, Icmp4View::kUnreachable, Icmp4View::kPortUnreachable, 0});
  }
}

void deliver_udp6(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::NotedBurst<Ip6Upper>& in, core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Deliver, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    Delivered d = delivered(w, arrival, m, *ip, in.notes()[i]);
    if (!deliver_datagram(w, listeners, arrival, d))
      refused.push(
          m, {DropReason::UdpNoPort, Icmp6View::kUnreachable, Icmp6View::kPortUnreachable, 0});
  }
}

void deliver_raw4(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::Burst& in, core::NotedBurst<Icmp4Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Deliver, in.packets());
  for (rte_mbuf* m : in.take()) {
    const auto ip = Ip4View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    const Delivered d = delivered(w, arrival, m, *ip);
    const std::uint8_t type = first_byte(d);
    if (deliver_packet(w, listeners, d, type)) continue;
    if (d.protocol != kProtocolIcmp && !arrival.group)
      refused.push(m, {DropReason::Ip4NoProtocol, Icmp4View::kUnreachable,
                       Icmp4View::kProtocolUnreachable, 0});
    else if (d.protocol != kProtocolIcmp)
      w.drop(m, DropReason::Ip4NoProtocol);
    else if (is_done_icmp4(type))
      w.consume(m);
    else
      w.drop(m, DropReason::Icmp4UnknownType);
  }
}

void deliver_raw6(core::Worker& w, const ListenerTable& listeners, const DeliverArrival& arrival,
                  core::NotedBurst<Ip6Upper>& in, core::NotedBurst<Ip6Cause>& refused) noexcept {
  if (in.empty()) return;
  w.enter(core::Stage::Deliver, in.packets());
  const auto packets = in.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    rte_mbuf* m = packets[i];
    const Ip6Upper& upper = in.notes()[i];
    const auto ip = Ip6View::parse(core::front_bytes(*m), m->pkt_len);
    if (!ip) {
      w.drop(m, ip.error());
      continue;
    }
    const Delivered d = delivered(w, arrival, m, *ip, upper);
    const std::uint8_t type = first_byte(d);
    if (deliver_packet(w, listeners, d, type)) continue;
    if (d.protocol != kProtocolIcmp6)
      refused.push(m, {DropReason::Ip6UnknownNextHeader, Icmp6View::kParameterProblem,
                       Icmp6View::kUnknownNextHeader, upper.named_at});
    else if (is_done_icmp6(type))
      w.consume(m);
    else
      w.drop(m, DropReason::Icmp6UnknownType);
  }
}
}  // namespace proto
