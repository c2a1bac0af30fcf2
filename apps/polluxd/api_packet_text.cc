// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/api_packet_text.hh"

#include <fmt/format.h>

#include <optional>

#include "proto/wire/arp.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/icmp4.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip4_address.hh"

namespace polluxd {
namespace {
using proto::Bytes;
using proto::load_be16;
using proto::load_be32;
using proto::to_string;

std::string icmp_text(Bytes l4) {
  const auto type = l4[0];
  const auto numbered = [&](const char* what) {
    return l4.size() >= 8
               ? fmt::format("ICMP {} id {} seq {}", what, load_be16(l4, 4), load_be16(l4, 6))
               : fmt::format("ICMP {}", what);
  };
  switch (type) {
    case proto::Icmp4View::kEchoRequest: return numbered("echo request");
    case proto::Icmp4View::kEchoReply: return numbered("echo reply");
    case proto::Icmp4View::kUnreachable: return fmt::format("ICMP unreachable, code {}", l4[1]);
    case proto::Icmp4View::kTimeExceeded: return "ICMP time exceeded";
    default: return fmt::format("ICMP type {} code {}", type, l4[1]);
  }
}

std::string tcp_text(Bytes l4) {
  std::string text = fmt::format("TCP {} > {}", load_be16(l4, 0), load_be16(l4, 2));
  if (l4.size() < 14) return text;
  constexpr std::string_view kFlags = "FSRPAU";
  std::string flags;
  for (std::size_t bit = 0; bit < kFlags.size(); ++bit)
    if ((l4[13] >> bit & 1) != 0) flags += kFlags[bit];
  return text + fmt::format(" [{}] seq {} ack {}", flags, load_be32(l4, 4), load_be32(l4, 8));
}

std::string l4_text(std::uint8_t protocol, Bytes l4) {
  constexpr std::size_t kPorts = 4, kEsp = 8, kTcp = 12;
  if (protocol == proto::kProtocolIcmp && l4.size() >= 2) return icmp_text(l4);
  if (protocol == proto::kProtocolUdp && l4.size() >= kPorts)
    return fmt::format("UDP {} > {}", load_be16(l4, 0), load_be16(l4, 2));
  if (protocol == proto::kProtocolTcp && l4.size() >= kTcp) return tcp_text(l4);
  if (protocol == proto::kProtocolEsp && l4.size() >= kEsp)
    return fmt::format("ESP spi 0x{:08x} seq {}", load_be32(l4, 0), load_be32(l4, 4));
  return fmt::format("protocol {}", protocol);
}

std::string ip_text(Bytes l3) {
  if (l3.empty()) return "nothing";
  if (l3[0] >> 4 == 6) return "IPv6";
  if (l3.size() < proto::Ip4View::kMinHeaderLen || l3[0] >> 4 != 4) return "no IPv4 header";
  const std::size_t ihl = std::size_t{l3[0] & 0xfU} * 4;
  const std::uint32_t fragment = load_be16(l3, 6);
  std::string text =
      fmt::format("{} > {} ", to_string(load_be32(l3, 12)), to_string(load_be32(l3, 16)));
  if (ihl < proto::Ip4View::kMinHeaderLen || ihl > l3.size())
    return text + fmt::format("header of {} bytes", ihl);
  const bool first = (fragment & 0x1fffU) == 0;
  text += first ? l4_text(l3[9], l3.subspan(ihl)) : fmt::format("protocol {}", l3[9]);
  if ((fragment & 0x3fffU) != 0)
    text += fmt::format(", fragment at {}{}", (fragment & 0x1fffU) * 8,
                        (fragment & 0x2000U) != 0 ? "+" : "");
  return text + fmt::format(", ttl {}", l3[8]);
}

std::string arp_text(Bytes payload) {
  const auto arp = proto::ArpView::parse(payload);
  if (!arp) return "ARP, malformed";
  if (arp->operation() == proto::ArpView::kRequest)
    return fmt::format("ARP who has {} tell {}", to_string(arp->target_ip()),
                       to_string(arp->sender_ip()));
  return fmt::format("ARP {} is at {}", to_string(arp->sender_ip()), to_string(arp->sender_mac()));
}

/// @param type  the EtherType of what is in front.
std::string payload_text(std::uint16_t type, Bytes payload) {
  constexpr std::size_t kTag = 4;
  std::string tags;
  while (type == proto::kTpidC || type == proto::kTpidS) {
    if (payload.size() < kTag) return tags + "VLAN tag, cut off";
    tags += fmt::format("vlan {}, ", load_be16(payload, 0) & 0xfffU);
    type = load_be16(payload, 2);
    payload = payload.subspan(kTag);
  }
  switch (type) {
    case proto::kEtherTypeIp4: return tags + ip_text(payload);
    case proto::kEtherTypeArp: return tags + arp_text(payload);
    case proto::kEtherTypeIp6: return tags + "IPv6";
    default: return tags + fmt::format("EtherType 0x{:04x}", type);
  }
}

std::string ether_text(Bytes frame) {
  const auto ether = proto::EtherView::parse(frame);
  if (!ether) return "no Ethernet header";
  return fmt::format("{} > {}, {}", to_string(ether->src()), to_string(ether->dst()),
                     payload_text(ether->type(), ether->payload()));
}
}  // namespace

std::string packet_text(core::Layer layer, Bytes bytes, std::uint32_t length) {
  std::string text;
  switch (layer) {
    case core::Layer::Ethernet: text = ether_text(bytes); break;
    case core::Layer::Ip: text = ip_text(bytes); break;
    case core::Layer::Arp: text = arp_text(bytes); break;
    case core::Layer::VlanTag: text = payload_text(proto::kTpidC, bytes); break;
    case core::Layer::Unknown: text = "bytes"; break;
  }
  return text + fmt::format(", length {}", length);
}
}  // namespace polluxd
