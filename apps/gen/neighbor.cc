// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/neighbor.hh"

#include <algorithm>

#include "apps/gen/inspect.hh"
#include "proto/wire/arp.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/ip6.hh"
#include "proto/wire/nd.hh"

namespace gen {
using core::IpAddress;
using core::MacAddress;
using proto::Bytes;
using proto::MutBytes;
namespace nd = proto::nd;

namespace {
constexpr std::size_t kMinFrame = 60;
constexpr std::size_t kAddresses = 12;  ///< bytes of both MAC addresses, in front of the tags

/// An ICMPv6 message whose checksum holds.
struct NdPacket {
  nd::Envelope envelope;
  Bytes message;
};
std::optional<NdPacket> nd_packet(Bytes l3) noexcept {
  const auto ip = proto::Ip6View::parse(l3);
  if (!ip || ip->next_header() != proto::kProtocolIcmp6) return std::nullopt;
  const auto icmp = proto::Icmp6View::parse(ip->payload());
  if (!icmp) return std::nullopt;
  if (!icmp->verify_checksum(proto::pseudo_header_sum(ip->src(), ip->dst(), ip->payload_length(),
                                                      proto::kProtocolIcmp6)))
    return std::nullopt;
  return NdPacket{{.src = ip->src(), .dst = ip->dst(), .hop_limit = ip->hop_limit()},
                  ip->payload()};
}

/// Fills up to the smallest frame with zeros. @return its length.
std::size_t padded(MutBytes out, std::size_t length) noexcept {
  if (length >= kMinFrame) return length;
  std::ranges::fill(out.subspan(length, kMinFrame - length), std::uint8_t{0});
  return kMinFrame;
}
}  // namespace

NeighborSpeaker::NeighborSpeaker(const PortPlan& port, const MacAddress& mac)
    : mac_{mac}, subnets_{port.addresses}, answers_{port.answers} {
  for (const auto& a : port.addresses) own_.push_back(a.address);
  for (const auto& g : port.gateways) gateways_.push_back({.address = g});
  for (const VlanPlan& v : port.vlans) {
    const auto tci = static_cast<std::uint16_t>(v.pcp << 13 | static_cast<int>(v.id.min));
    for (const std::uint16_t word : {v.tpid, tci}) {
      tags_.push_back(static_cast<std::uint8_t>(word >> 8));
      tags_.push_back(static_cast<std::uint8_t>(word));
    }
  }
}

bool NeighborSpeaker::answers_for(const IpAddress& a) const noexcept {
  // The prefixes hold the gateway too, which answers for itself.
  const auto is_gateway = [&](const Gateway& g) { return g.address == a; };
  if (std::ranges::any_of(gateways_, is_gateway)) return false;
  return std::ranges::find(own_, a) != own_.end() ||
         std::ranges::any_of(answers_, [&](const proto::IpPrefix& p) {
           return p.is_ip4() == a.is_ip4() && p.contains(a);
         });
}

const IpAddress* NeighborSpeaker::source_for(const IpAddress& gateway) const noexcept {
  const IpAddress* found = nullptr;
  for (std::size_t i = 0; i < own_.size(); ++i) {
    if (own_[i].is_ip4() != gateway.is_ip4()) continue;
    if (subnets_[i].contains(gateway)) return &own_[i];
    if (found == nullptr) found = &own_[i];
  }
  return found;
}

std::size_t NeighborSpeaker::ether(const MacAddress& dst, std::uint16_t type, Bytes tags,
                                   MutBytes out) const noexcept {
  proto::copy(dst, out);
  proto::copy(mac_, out.subspan(6));
  proto::copy(tags, out.subspan(kAddresses));
  proto::store_be16(out, kAddresses + tags.size(), type);
  return kAddresses + tags.size() + 2;
}

std::size_t NeighborSpeaker::answer(Bytes frame, MutBytes out) const noexcept {
  const auto [at, type] = ether_payload(frame);
  if (at == 0) return 0;
  const Bytes tags = frame.subspan(kAddresses, at - 2 - kAddresses);
  if (type == proto::kEtherTypeArp) return answer_arp(frame.subspan(at), tags, out);
  if (type == proto::kEtherTypeIp6) return answer_nd(frame.subspan(at), tags, out);
  return 0;
}

std::size_t NeighborSpeaker::answer_arp(Bytes payload, Bytes tags, MutBytes out) const noexcept {
  const auto arp = proto::ArpView::parse(payload);
  if (!arp || arp->operation() != proto::ArpView::kRequest) return 0;
  if (!answers_for(arp->target_ip())) return 0;
  const std::size_t at = ether(arp->sender_mac(), proto::kEtherTypeArp, tags, out);
  emit(proto::ArpFields{.operation = proto::ArpView::kReply,
                        .sender_mac = mac_,
                        .sender_ip = arp->target_ip(),
                        .target_mac = arp->sender_mac(),
                        .target_ip = arp->sender_ip()},
       out.subspan(at));
  return padded(out, at + proto::ArpView::kLen);
}

std::size_t NeighborSpeaker::answer_nd(Bytes l3, Bytes tags, MutBytes out) const noexcept {
  const auto packet = nd_packet(l3);
  if (!packet || packet->message[0] != proto::Icmp6View::kNeighborSolicitation) return 0;
  const auto ns = nd::NeighborSolicitationView::parse(packet->envelope, packet->message);
  // Who detects duplicates asks from "::" and is not answered: we stand for others' addresses.
  if (!ns || ns->source_mac() == MacAddress{} || !answers_for(ns->target())) return 0;
  const std::size_t at = ether(ns->source_mac(), proto::kEtherTypeIp6, tags, out);
  const MutBytes ip = out.subspan(at);
  const std::size_t length =
      nd::emit(nd::NeighborAdvertisement{.flags = nd::NeighborAdvertisementView::kSolicited |
                                                  nd::NeighborAdvertisementView::kOverride,
                                         .target = ns->target(),
                                         .target_mac = mac_},
               ip.subspan(proto::Ip6View::kHeaderLen));
  nd::finish({.src = ns->target(), .dst = packet->envelope.src},
             ip.first(proto::Ip6View::kHeaderLen + length));
  return at + proto::Ip6View::kHeaderLen + length;
}

std::size_t NeighborSpeaker::question(std::size_t n, MutBytes out) const noexcept {
  const IpAddress& gateway = gateways_[n].address;
  const IpAddress* source = source_for(gateway);
  if (source == nullptr) return 0;
  if (gateway.is_ip4()) {
    const std::size_t at = ether(core::kBroadcastMac, proto::kEtherTypeArp, tags_, out);
    emit(proto::ArpFields{.operation = proto::ArpView::kRequest,
                          .sender_mac = mac_,
                          .sender_ip = source->ip4(),
                          .target_mac = {},
                          .target_ip = gateway.ip4()},
         out.subspan(at));
    return padded(out, at + proto::ArpView::kLen);
  }
  const IpAddress group = nd::solicited_node(gateway);
  const std::size_t at = ether(nd::group_mac(group), proto::kEtherTypeIp6, tags_, out);
  const MutBytes ip = out.subspan(at);
  const std::size_t length =
      nd::emit(nd::NeighborSolicitation{.target = gateway, .source_mac = mac_},
               ip.subspan(proto::Ip6View::kHeaderLen));
  nd::finish({.src = *source, .dst = group}, ip.first(proto::Ip6View::kHeaderLen + length));
  return at + proto::Ip6View::kHeaderLen + length;
}

void NeighborSpeaker::learn(const IpAddress& address, const MacAddress& mac) noexcept {
  if (core::is_group(mac) || mac == MacAddress{}) return;
  for (Gateway& g : gateways_)
    if (g.address == address) g.mac = mac;
}

void NeighborSpeaker::learn(Bytes frame) noexcept {
  const auto [at, type] = ether_payload(frame);
  if (at == 0) return;
  const Bytes payload = frame.subspan(at);
  if (type == proto::kEtherTypeArp) {
    if (const auto arp = proto::ArpView::parse(payload)) learn(arp->sender_ip(), arp->sender_mac());
    return;
  }
  if (type != proto::kEtherTypeIp6) return;
  const auto packet = nd_packet(payload);
  if (!packet || packet->message[0] != proto::Icmp6View::kNeighborAdvertisement) return;
  const auto na = nd::NeighborAdvertisementView::parse(packet->envelope, packet->message);
  if (na) learn(na->target(), na->target_mac());
}

std::vector<MacAddress> NeighborSpeaker::groups() const {
  std::vector<MacAddress> all;
  for (const IpAddress& a : own_)
    if (!a.is_ip4()) all.push_back(nd::group_mac(nd::solicited_node(a)));
  return all;
}
}  // namespace gen
