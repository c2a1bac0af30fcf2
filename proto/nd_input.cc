// SPDX-License-Identifier: BSD-3-Clause
#include "proto/nd_input.hh"

#include <array>
#include <optional>

#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/link_header.hh"
#include "proto/wire/ip6_extension.hh"
#include "proto/wire/mld.hh"
#include "proto/wire/nd.hh"

namespace proto {
namespace {
/// More prefixes of one advertisement are not reported: a link has a few.
constexpr unsigned kMaxPrefixes = 16;

/// What each message meets: who takes it, on which interface, and how it says why it must go.
struct Context {
  core::Worker& w;
  const core::InterfaceTable& interfaces;
  const Ip6Config& config;
  const core::Interface& in;

  [[nodiscard]] const Ip6InterfaceAddress* ours(const IpAddress& address) const noexcept {
    for (const Ip6InterfaceAddress& a : config.addresses[in.id])
      if (a.prefix.address == address) return &a;
    return nullptr;
  }
  [[nodiscard]] bool is_router() const noexcept { return config.router[in.id]; }
  [[nodiscard]] core::Event event(core::EventKind kind, const IpAddress& address,
                                  const core::MacAddress& mac = {}) const noexcept {
    return {.kind = kind,
            .interface = in.id,
            .address = scoped(address, in.id),
            .mac = mac,
            .at_us = w.now_us};
  }
};

/// A message and what was in front of it.
struct Message {
  nd::Envelope ip;
  bool router_alert = false;
  Bytes bytes;
};
using Refusal = std::optional<DropReason>;

core::Result<Message, DropReason> find_message(rte_mbuf& m, unsigned max_extensions) noexcept {
  if (core::is_chain(m) && !core::linearize(m)) return DropReason::NdTruncated;
  const auto ip = Ip6View::parse(core::front_bytes(m));
  if (!ip) return ip.error();
  const auto upper = walk_extensions(*ip, max_extensions);
  if (!upper) return upper.error().reason;
  if (upper->fragmented) return DropReason::NdFragmented;
  if (upper->protocol != kProtocolIcmp6) return DropReason::NdTruncated;
  const Bytes bytes = ip->packet().subspan(upper->at);
  if (bytes.size() < Icmp6View::kHeaderLen) return DropReason::NdTruncated;
  return Message{{ip->src(), ip->dst(), ip->hop_limit()}, upper->router_alert, bytes};
}

/// Where the frame came from, as far as its Ethernet header still lies in front of the packet.
core::MacAddress frame_source(rte_mbuf& m, const core::Interface& in) noexcept {
  const std::size_t length = header_length(in.encapsulation);
  return core::headroom(m) < length ? core::MacAddress{}
                                    : load_mac(core::room_before(m, length), 6);
}

/// Turns the solicitation into the advertisement, in place (RFC 4861 section 7.2.4).
/// @return whether the buffer had room for it.
bool advertise(const Context& c, rte_mbuf& m, const nd::Envelope& asker, const IpAddress& target,
               const core::MacAddress& to) noexcept {
  using View = nd::NeighborAdvertisementView;
  constexpr std::uint16_t kLength = Ip6View::kHeaderLen + View::kFixedLen + nd::Options::kMacLen;
  const bool probe = asker.src == IpAddress{};  // nobody there yet to be answered
  const std::uint8_t flags = static_cast<std::uint8_t>(
      (c.is_router() ? View::kRouter : 0) | (probe ? 0 : View::kSolicited) | View::kOverride);
  if (m.pkt_len >= kLength) {
    core::keep_front(m, kLength);
  } else {
    const auto missing = static_cast<std::uint16_t>(kLength - m.pkt_len);
    if (core::tailroom(m) < missing) return false;
    core::grow_back(m, missing);
  }
  const MutBytes packet = core::front_bytes_mut(m);
  emit(nd::NeighborAdvertisement{flags, target, c.in.mac}, packet.subspan(Ip6View::kHeaderLen));
  nd::finish({.src = target, .dst = probe ? nd::kAllNodes : asker.src}, packet);
  push_link_header(m, c.in, probe ? nd::group_mac(nd::kAllNodes) : to, kEtherTypeIp6);
  return true;
}

/// @param answered  set where the packet has become the answer.
Refusal solicitation(const Context& c, rte_mbuf& m, const Message& message,
                     bool& answered) noexcept {
  const auto ns = nd::NeighborSolicitationView::parse(message.ip, message.bytes);
  if (!ns) return ns.error();
  const IpAddress target = ns->target(), src = message.ip.src;
  const core::MacAddress mac = ns->source_mac();
  const Ip6InterfaceAddress* const ours = c.ours(target);
  if (c.ours(src) != nullptr) {
    c.w.post(c.event(core::EventKind::AddressConflict, src, mac));
    return DropReason::NdConflict;
  }
  if (ours == nullptr) return DropReason::NdNotForUs;
  if (ours->tentative) {
    // Not ours yet. Somebody else who is about to take it shows by asking as nobody (RFC 4862
    // section 5.4.3); whoever wants to send to it is not answered.
    if (src != IpAddress{}) return DropReason::NdNotForUs;
    c.w.post(c.event(core::EventKind::AddressConflict, target, frame_source(m, c.in)));
    return DropReason::NdConflict;
  }
  core::MacAddress to = mac;
  if (src != IpAddress{}) {
    if (mac == core::MacAddress{}) {
      to = frame_source(m, c.in);  // a unicast probe need not say where from (section 7.2.2)
      if (to == core::MacAddress{} || core::is_group(to)) return DropReason::NdBadSource;
    } else {
      core::Event seen = c.event(core::EventKind::NeighborSeen, src, mac);
      seen.may_create = true;
      c.w.post(seen);
    }
  }
  if (!advertise(c, m, message.ip, target, to)) return DropReason::NdTruncated;
  send_frames(c.w, c.interfaces, c.in.id, std::array<rte_mbuf*, 1>{&m});
  answered = true;
  return {};
}

Refusal advertisement(const Context& c, const Message& message) noexcept {
  const auto na = nd::NeighborAdvertisementView::parse(message.ip, message.bytes);
  if (!na) return na.error();
  core::Event e = c.event(core::EventKind::NeighborAdvertised, na->target(), na->target_mac());
  e.flags = na->flags();
  const bool conflict = c.ours(na->target()) != nullptr;
  if (conflict) e.kind = core::EventKind::AddressConflict;
  c.w.post(e);
  return conflict ? Refusal{DropReason::NdConflict} : Refusal{};
}

Refusal router_solicitation(const Context& c, const Message& message) noexcept {
  const auto rs = nd::RouterSolicitationView::parse(message.ip, message.bytes);
  if (!rs) return rs.error();
  if (!c.is_router()) return DropReason::NdNotRouter;
  c.w.post(c.event(core::EventKind::RouterSolicited, message.ip.src, rs->source_mac()));
  return {};
}

Refusal router_advertisement(const Context& c, const Message& message) noexcept {
  const auto ra = nd::RouterAdvertisementView::parse(message.ip, message.bytes);
  if (!ra) return ra.error();
  core::Event e = c.event(core::EventKind::RouterAdvertised, message.ip.src, ra->source_mac());
  e.ttl = ra->hop_limit();
  e.flags = ra->flags();
  e.lifetime_s = ra->lifetime_s();
  e.reachable_ms = ra->reachable_ms();
  e.retrans_ms = ra->retrans_ms();
  e.mtu = ra->mtu();
  c.w.post(e);
  unsigned prefixes = 0;
  ra->options().for_each_prefix([&](const nd::PrefixInformation& p) {
    if (++prefixes > kMaxPrefixes) return;
    core::Event prefix = c.event(core::EventKind::PrefixAdvertised, message.ip.src);
    prefix.other = p.prefix.address;
    prefix.length = p.prefix.length;
    prefix.flags = p.flags;
    prefix.lifetime_s = p.valid_s;
    prefix.preferred_s = p.preferred_s;
    c.w.post(prefix);
  });
  return {};
}

/// Whether packets to `destination` go to `router` first (RFC 4861 section 8.1).
bool is_first_hop(const Context& c, const IpAddress& router,
                  const IpAddress& destination) noexcept {
  const NextHop& hop =
      (*c.config.next_hops)[c.config.lookup(c.in.vrf, scoped(destination, c.in.id))];
  const NextHopKind kind = hop.kind.load(std::memory_order_acquire);
  const bool neighbor = kind == NextHopKind::Reachable || kind == NextHopKind::Incomplete ||
                        kind == NextHopKind::Failed;
  return neighbor && hop.interface == c.in.id && hop.gateway == scoped(router, c.in.id);
}

Refusal redirect(const Context& c, const Message& message) noexcept {
  const auto view = nd::RedirectView::parse(message.ip, message.bytes);
  if (!view) return view.error();
  if (c.is_router()) return DropReason::NdNotRouter;
  if (!c.config.sysctl.redirects) return DropReason::NdRedirectOff;
  if (!is_first_hop(c, message.ip.src, view->destination())) return DropReason::NdBadSource;
  core::Event e = c.event(core::EventKind::Redirected, view->target(), view->target_mac());
  e.other = scoped(view->destination(), c.in.id);
  c.w.post(e);
  return {};
}

Refusal query(const Context& c, const Message& message) noexcept {
  const auto view = mld::QueryView::parse(message.ip, message.router_alert, message.bytes);
  if (!view) return view.error();
  core::Event e = c.event(core::EventKind::ListenerQueried, message.ip.src);
  e.other = scoped(view->group(), c.in.id);
  e.retrans_ms = view->max_response_ms();
  e.flags = view->version();
  c.w.post(e);
  return {};
}

Refusal take(const Context& c, rte_mbuf& m, const Message& message, bool& answered) noexcept {
  switch (message.bytes[0]) {
    case Icmp6View::kNeighborSolicitation: return solicitation(c, m, message, answered);
    case Icmp6View::kNeighborAdvertisement: return advertisement(c, message);
    case Icmp6View::kRouterSolicitation: return router_solicitation(c, message);
    case Icmp6View::kRouterAdvertisement: return router_advertisement(c, message);
    case Icmp6View::kRedirect: return redirect(c, message);
    case Icmp6View::kMldQuery: return query(c, message);
    // What other listeners say is for multicast routers.
    case Icmp6View::kMldReport:
    case Icmp6View::kMldDone:
    case Icmp6View::kMld2Report: return {};
    default: return DropReason::Icmp6UnknownType;
  }
}
}  // namespace

void nd_input(core::Worker& w, const core::InterfaceTable& interfaces, const Ip6Config& config,
              const core::Interface& in, core::Burst& packets) noexcept {
  if (packets.empty()) return;
  w.enter(core::Stage::NdInput, packets.packets());
  const Context context{w, interfaces, config, in};
  for (rte_mbuf* m : packets.take()) {
    const auto message = find_message(*m, config.sysctl.max_extensions);
    if (!message) {
      w.drop(m, message.error());
      continue;
    }
    bool answered = false;
    if (const Refusal why = take(context, *m, *message, answered))
      w.drop(m, *why);
    else if (!answered)
      w.consume(m);
  }
}
}  // namespace proto
