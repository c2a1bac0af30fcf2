// SPDX-License-Identifier: BSD-3-Clause
// Echo requests and UDP probes from the stack, and what comes back: replies and ICMP errors, by a
// raw listener.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"
#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/packet_sum.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip6_extension.hh"
#include "proto/wire/udp.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using proto::Bytes;
using proto::Icmp4View;
using proto::Icmp6View;
using proto::MutBytes;
using Buffer = std::vector<std::uint8_t>;

constexpr std::size_t kTransportHeader = 8;  ///< ICMP echo's, ICMPv6 echo's and UDP's
static_assert(Icmp4View::kHeaderLen == kTransportHeader &&
              Icmp6View::kHeaderLen == kTransportHeader &&
              proto::UdpView::kHeaderLen == kTransportHeader);
/// Source ports of UDP probes, so that what comes back says of which.
constexpr std::uint16_t kFirstPort = 0x8000;

std::uint8_t data_at(std::size_t i) {
  return static_cast<std::uint8_t>(i);
}

/// A packet in as many buffers as it takes. @return null where they are not to be had.
rte_mbuf* to_mbufs(rte_mempool* pool, Bytes packet) {
  rte_mbuf* first = nullptr;
  while (!packet.empty()) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool);
    if (m != nullptr) {
      const std::size_t n = std::min<std::size_t>(packet.size(), core::tailroom(*m));
      core::grow_back(*m, static_cast<std::uint16_t>(n));
      proto::copy(packet.first(n), core::front_bytes_mut(*m));
      packet = packet.subspan(n);
      if (first == nullptr) {
        first = m;
        continue;
      }
      if (core::append(*first, *m)) continue;
      rte_pktmbuf_free(m);
    }
    if (first != nullptr) rte_pktmbuf_free(first);
    return nullptr;
  }
  return first;
}

/// The UDP checksum, its field being 0; 0 is sent as all ones (RFC 768).
void sum_up_udp(MutBytes datagram, std::uint64_t pseudo) {
  const auto sum =
      static_cast<std::uint16_t>(~proto::fold_checksum(pseudo + proto::sum_words(datagram)));
  proto::store_be16(datagram, 6, sum == 0 ? 0xffff : sum);
}

void emit_udp(const PingSpec& spec, std::uint16_t src_port, MutBytes datagram,
              std::uint64_t pseudo) {
  proto::store_be16(datagram, 0, src_port);
  proto::store_be16(datagram, 2, spec.port);
  proto::store_be16(datagram, 4, static_cast<std::uint16_t>(datagram.size()));
  proto::store_be16(datagram, 6, 0);
  sum_up_udp(datagram, pseudo);
}

struct Numbers {
  std::uint16_t id, sequence;
};

Buffer make_ip4(const PingSpec& spec, std::uint8_t ttl, Numbers n) {
  constexpr std::size_t kHeader = proto::Ip4View::kMinHeaderLen;
  Buffer packet(kHeader + kTransportHeader + spec.size);
  const MutBytes message = MutBytes{packet}.subspan(kHeader);
  for (std::size_t i = 0; i < spec.size; ++i) message[kTransportHeader + i] = data_at(i);
  const std::uint32_t source = spec.source.is_ip4() ? spec.source.ip4() : 0;
  if (spec.port != 0)
    emit_udp(spec, n.sequence, message,
             proto::pseudo_header_sum(core::IpAddress{source}, spec.destination, message.size(),
                                      proto::kProtocolUdp));
  else
    proto::emit(
        proto::Icmp4Fields{.type = Icmp4View::kEchoRequest, .word1 = n.id, .word2 = n.sequence},
        message);
  proto::emit(
      proto::Ip4Fields{.id = n.sequence,
                       .dont_fragment = spec.dont_fragment,
                       .ttl = ttl,
                       .protocol = spec.port != 0 ? proto::kProtocolUdp : proto::kProtocolIcmp,
                       .src = source,
                       .dst = spec.destination.ip4()},
      packet);
  return packet;
}

Buffer make_ip6(const PingSpec& spec, std::uint8_t hop_limit, Numbers n) {
  constexpr std::size_t kHeader = proto::Ip6View::kHeaderLen;
  Buffer packet(kHeader + kTransportHeader + spec.size);
  const MutBytes message = MutBytes{packet}.subspan(kHeader);
  for (std::size_t i = 0; i < spec.size; ++i) message[kTransportHeader + i] = data_at(i);
  const std::uint8_t protocol = spec.port != 0 ? proto::kProtocolUdp : proto::kProtocolIcmp6;
  const std::uint64_t pseudo =
      proto::pseudo_header_sum(spec.source, spec.destination, message.size(), protocol);
  if (spec.port != 0)
    emit_udp(spec, n.sequence, message, pseudo);
  else
    proto::emit(proto::Icmp6Fields{.type = Icmp6View::kEchoRequest,
                                   .code = 0,
                                   .word = std::uint32_t{n.id} << 16 | n.sequence},
                message, pseudo);
  proto::emit(proto::Ip6Fields{.next_header = protocol,
                               .hop_limit = hop_limit,
                               .src = spec.source,
                               .dst = spec.destination},
              packet);
  return packet;
}

Buffer make_packet(const PingSpec& spec, std::uint8_t ttl, Numbers n) {
  if constexpr (core::kInet6)
    if (!spec.destination.is_ip4()) return make_ip6(spec, ttl, n);
  return make_ip4(spec, ttl, n);
}

std::optional<PingReply::Kind> kind_of_icmp4(const Icmp4View& icmp) {
  switch (icmp.type()) {
    case Icmp4View::kEchoReply: return PingReply::Kind::Reply;
    case Icmp4View::kUnreachable:
      return icmp.code() == Icmp4View::kFragmentationNeeded ? PingReply::Kind::TooBig
                                                            : PingReply::Kind::Unreachable;
    case Icmp4View::kTimeExceeded: return PingReply::Kind::TimeExceeded;
    case Icmp4View::kParameterProblem: return PingReply::Kind::ParameterProblem;
    default: return std::nullopt;
  }
}
std::optional<PingReply::Kind> kind_of_icmp6(const Icmp6View& icmp) {
  switch (icmp.type()) {
    case Icmp6View::kEchoReply: return PingReply::Kind::Reply;
    case Icmp6View::kUnreachable: return PingReply::Kind::Unreachable;
    case Icmp6View::kPacketTooBig: return PingReply::Kind::TooBig;
    case Icmp6View::kTimeExceeded: return PingReply::Kind::TimeExceeded;
    case Icmp6View::kParameterProblem: return PingReply::Kind::ParameterProblem;
    default: return std::nullopt;
  }
}

/// Of which of our questions a message speaks.
struct About {
  std::uint16_t number;  ///< sequence number, or source port
  core::IpAddress dst;
};

/// The packet that an error quotes, as far as it does; nothing where it is none of ours.
std::optional<About> quoted(std::uint8_t protocol, Bytes transport, const core::IpAddress& dst,
                            std::uint16_t id) {
  if (transport.size() < kTransportHeader) return std::nullopt;
  if (protocol == proto::kProtocolUdp) return About{proto::load_be16(transport, 0), dst};
  const std::uint8_t request =
      protocol == proto::kProtocolIcmp ? Icmp4View::kEchoRequest : Icmp6View::kEchoRequest;
  const bool echo = protocol == proto::kProtocolIcmp || protocol == proto::kProtocolIcmp6;
  if (!echo || transport[0] != request || proto::load_be16(transport, 4) != id) return std::nullopt;
  return About{proto::load_be16(transport, 6), dst};
}
std::optional<About> quoted_ip4(Bytes body, std::uint16_t id) {
  if (body.size() < proto::Ip4View::kMinHeaderLen) return std::nullopt;
  const std::size_t total = proto::load_be16(body, 2);
  const auto ip = proto::Ip4View::parse(body.first(std::min(body.size(), total)), total);
  if (!ip || ip->fragment_offset() != 0) return std::nullopt;
  return quoted(ip->protocol(), ip->payload(), ip->dst(), id);
}
std::optional<About> quoted_ip6(Bytes body, std::uint16_t id) {
  const auto ip = proto::Ip6View::parse(body, 65535 + proto::Ip6View::kHeaderLen);
  const auto upper = ip ? proto::glance_at_upper(*ip) : std::nullopt;
  if (!upper || upper->later_fragment || upper->at > ip->packet().size()) return std::nullopt;
  return quoted(upper->protocol, ip->packet().subspan(upper->at), ip->dst(), id);
}

/// What a message says, and of which question.
struct Heard {
  PingReply reply;
  About about;
};
std::optional<Heard> hear_ip4(const proto::Delivered& d, Bytes message, std::uint16_t id) {
  const auto icmp = Icmp4View::parse(message);
  const auto kind = icmp ? kind_of_icmp4(*icmp) : std::nullopt;
  if (!kind) return std::nullopt;
  Heard heard{.reply = {.kind = *kind, .code = icmp->code(), .mtu = icmp->mtu()}, .about = {}};
  if (*kind == PingReply::Kind::Reply) {
    if (icmp->id() != id) return std::nullopt;
    heard.about = {icmp->sequence(), d.src};
  } else if (const auto about = quoted_ip4(icmp->body(), id)) {
    heard.about = *about;
  } else {
    return std::nullopt;
  }
  return heard;
}
std::optional<Heard> hear_ip6(const proto::Delivered& d, Bytes message, std::uint16_t id) {
  const auto icmp = Icmp6View::parse(message);
  const auto kind = icmp ? kind_of_icmp6(*icmp) : std::nullopt;
  if (!kind) return std::nullopt;
  Heard heard{.reply = {.kind = *kind, .code = icmp->code(), .mtu = icmp->word()}, .about = {}};
  if (*kind == PingReply::Kind::Reply) {
    if (icmp->id() != id) return std::nullopt;
    heard.about = {icmp->sequence(), d.src};
  } else if (const auto about = quoted_ip6(icmp->body(), id)) {
    heard.about = *about;
  } else {
    return std::nullopt;
  }
  return heard;
}
std::optional<Heard> hear_any(const proto::Delivered& d, Bytes message, std::uint16_t id) {
  if constexpr (core::kInet6)
    if (!d.dst.is_ip4()) return hear_ip6(d, message, id);
  return hear_ip4(d, message, id);
}

bool is_intact(Bytes data, std::uint16_t size) {
  if (data.size() != size) return false;
  for (std::size_t i = 0; i < data.size(); ++i)
    if (data[i] != data_at(i)) return false;
  return true;
}
}  // namespace

/// Listens for answers while there are questions, and a while longer: what nobody asked for costs
/// nothing.
void Manager::Impl::listen_for_answers() {
  constexpr std::uint64_t kAfterwards_us = 10'000'000;
  const bool listening = ping_until_us != 0;
  ping_until_us = now_us + kAfterwards_us;
  if (listening) return;
  ping_id = static_cast<std::uint16_t>(std::random_device{}());
  proto::RawEndpoint icmp4{.protocol = proto::kProtocolIcmp};
  for (const std::uint8_t type : {Icmp4View::kEchoReply, Icmp4View::kUnreachable,
                                  Icmp4View::kTimeExceeded, Icmp4View::kParameterProblem})
    icmp4.types.set(type);
  proto::RawEndpoint icmp6{.protocol = proto::kProtocolIcmp6, .ip6 = true};
  for (const std::uint8_t type :
       {Icmp6View::kEchoReply, Icmp6View::kUnreachable, Icmp6View::kPacketTooBig,
        Icmp6View::kTimeExceeded, Icmp6View::kParameterProblem})
    icmp6.types.set(type);
  master.listeners.add(icmp4, ping_listener);
  if constexpr (core::kInet6) master.listeners.add(icmp6, ping_listener);
  publish();
}

/// Why the packet cannot be sent, as far as that can be known beforehand; fills in the source.
core::Expected<> Manager::Impl::prepare_ping(PingSpec& spec, core::InterfaceId link,
                                             const RouteAnswer& route) const {
  const core::IpAddress& dst = spec.destination;
  const bool ip6 = !dst.is_ip4();
  if (spec.source != core::IpAddress{} && spec.source.is_ip4() == ip6)
    return Error{Errc::Invalid, fmt::format("source {} is of another family than {}",
                                            proto::to_string(spec.source), proto::to_string(dst))};
  if (spec.source != core::IpAddress{} && !is_ours(proto::scoped(spec.source, link), spec.vrf) &&
      !is_loopback_address(spec.source))
    return Error{Errc::Invalid,
                 fmt::format("source {} is no address of ours", proto::to_string(spec.source))};
  if (proto::is_link_scoped(dst) && spec.interface.empty())
    return Error{Errc::Invalid, fmt::format("{} needs its link, as in \"{}%eth0\"",
                                            proto::to_string(dst), proto::to_string(dst))};
  if (route.kind == proto::NextHopKind::NoRoute)
    return Error{Errc::NotFound, fmt::format("no route to {}", proto::to_string(dst))};
  const auto out = find(route.interface);
  const std::size_t mtu = out && route.kind != proto::NextHopKind::Local
                              ? master.interfaces[*out].mtu
                              : std::size_t{65535};
  const std::size_t header = ip6 ? proto::Ip6View::kHeaderLen : proto::Ip4View::kMinHeaderLen;
  if (spec.dont_fragment && header + kTransportHeader + spec.size > mtu)
    return Error{Errc::Invalid,
                 fmt::format("{} bytes are too many for one packet: {} at most, the MTU is {}",
                             spec.size, mtu - header - kTransportHeader, mtu)};
  // UDP's checksum covers the source, which IPv4 does not tell it later.
  if (!ip6 && spec.port != 0 && spec.source == core::IpAddress{})
    spec.source =
        route.kind == proto::NextHopKind::Local || is_loopback_address(dst) ? dst : route.source;
  return core::Done{};
}

/// @return a sequence number that no question has that waits: from kFirstPort on for UDP, below for
/// others.
std::uint16_t Manager::Impl::next_ping_number(bool udp) {
  do {
    ping_sequence = static_cast<std::uint16_t>((ping_sequence + 1) % kFirstPort);
  } while (pings.contains(static_cast<std::uint16_t>(ping_sequence + (udp ? kFirstPort : 0))));
  return static_cast<std::uint16_t>(ping_sequence + (udp ? kFirstPort : 0));
}

/// A route that leads to a link of another VRF has answers come in there.
std::uint16_t Manager::Impl::answer_vrf(const RouteAnswer& route, std::uint16_t vrf) const {
  const auto out = find(route.interface);
  return out ? vrf_of(*out) : vrf;
}

core::Expected<> Manager::ping(const PingSpec& asked, PingDone done) {
  constexpr std::size_t kMaxOutstanding = 1024;
  Impl& m = *impl_;
  PingSpec spec = asked;
  core::InterfaceId link = core::kNoInterface;
  if (!spec.interface.empty()) {
    const auto id = m.find(spec.interface);
    if (!id) return id.error();
    link = *id;
    spec.vrf = m.vrf_of(*id);
  }
  const bool ip6 = !spec.destination.is_ip4();
  const RouteAnswer route = get_route(proto::scoped(spec.destination, link), spec.vrf);
  if (auto prepared = m.prepare_ping(spec, link, route); !prepared) return prepared;
  if (m.pings.size() >= kMaxOutstanding)
    return Error{Errc::Full, "too many echo requests wait for a reply"};

  m.listen_for_answers();
  const Numbers numbers{m.ping_id, m.next_ping_number(spec.port != 0)};
  const std::uint8_t ttl = spec.ttl != 0 ? spec.ttl
                           : ip6         ? std::uint8_t{0}  // the link's
                                         : m.master.ip4.sysctl.ttl;
  const Buffer bytes = make_packet(spec, ttl, numbers);
  rte_mbuf* packet = to_mbufs(m.env.pool, bytes);
  if (packet == nullptr) return Error{Errc::Full, "no packet buffers are free"};
  using Kind = core::HandedPacket::Kind;
  if (!m.handoff.to_worker(0, {packet, link, ip6 ? Kind::Ip6 : Kind::Ip4, spec.vrf})) {
    rte_pktmbuf_free(packet);
    return Error{Errc::Full, "the worker is behind"};
  }
  m.pings[numbers.sequence] = {m.now_us,         m.now_us + std::uint64_t{spec.timeout_ms} * 1000,
                               spec.destination, spec.size,
                               spec.vrf,         m.answer_vrf(route, spec.vrf),
                               std::move(done)};
  return core::Done{};
}

/// A message that may be an answer.
void Manager::Impl::hear(const proto::Delivered& d) {
  Buffer message(d.payload_length);
  message.resize(core::copy_bytes(*d.m, d.payload_at, message));
  auto heard = hear_any(d, message, ping_id);
  if (!heard) return;
  const auto at = pings.find(heard->about.number);
  if (at == pings.end()) return;
  if (d.vrf != at->second.vrf && d.vrf != at->second.answer_vrf) return;
  if (at->second.dst != heard->about.dst && !proto::is_ip6_multicast(at->second.dst)) return;
  const Ping asked = std::move(at->second);
  pings.erase(at);
  PingReply& reply = heard->reply;
  reply.from = d.src;
  reply.ttl = d.hop_limit;
  reply.bytes = static_cast<std::uint16_t>(message.size() - kTransportHeader);
  reply.rtt_us = d.at_us > asked.sent_us ? d.at_us - asked.sent_us : 0;
  if (reply.kind == PingReply::Kind::Reply)
    reply.intact = is_intact(Bytes{message}.subspan(kTransportHeader), asked.size);
  if (reply.kind != PingReply::Kind::TooBig) reply.mtu = 0;
  asked.done(reply);
}

/// Takes answers and gives up what has waited too long. @return whether there was an answer.
bool Manager::Impl::run_pings() {
  const std::size_t heard = ping_listener.take(1024, [this](const proto::Delivered& d) {
    hear(d);
    rte_pktmbuf_free(d.m);
  });
  for (auto at = pings.begin(); at != pings.end();) {
    const auto here = at++;
    if (now_us < here->second.deadline_us) continue;
    const auto done = std::move(here->second.done);
    const core::IpAddress dst = here->second.dst;
    pings.erase(here);
    done(Error{Errc::Timeout, fmt::format("no reply from {}", proto::to_string(dst))});
  }
  if (ping_until_us != 0 && pings.empty() && now_us >= ping_until_us) {
    ping_until_us = 0;
    master.listeners.remove(ping_listener);
    publish();
    ping_listener.drain();
  }
  return heard != 0;
}
}  // namespace polluxd
