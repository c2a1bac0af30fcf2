// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/packet6.hh"

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace test {
namespace {
void put16(Packet& p, std::uint16_t v) {
  p.push_back(static_cast<std::uint8_t>(v >> 8));
  p.push_back(static_cast<std::uint8_t>(v));
}
void put32(Packet& p, std::uint32_t v) {
  put16(p, static_cast<std::uint16_t>(v >> 16));
  put16(p, static_cast<std::uint16_t>(v));
}
void put(Packet& p, PacketBytes bytes) {
  p.insert(p.end(), bytes.begin(), bytes.end());
}
void set16(Packet& p, std::size_t at, std::uint16_t v) {
  p[at] = static_cast<std::uint8_t>(v >> 8);
  p[at + 1] = static_cast<std::uint8_t>(v);
}

/// With the pseudo-header of RFC 8200 section 8.1 in front.
std::uint16_t checksum6(const Ip6& ip, std::uint8_t protocol, PacketBytes message) {
  Packet checked;
  put(checked, ip.src.bytes());
  put(checked, ip.dst.bytes());
  put32(checked, static_cast<std::uint32_t>(message.size()));
  put32(checked, protocol);
  put(checked, message);
  return reference_checksum(checked);
}

Packet extension(const Extension6& e, std::uint8_t next) {
  Packet p{next, 0};
  put(p, e.content);
  while (p.size() % 8 != 0) p.push_back(0);
  const bool fragment = e.type == 44, ah = e.type == 51;
  const std::size_t length = fragment ? 0 : ah ? p.size() / 4 - 2 : p.size() / 8 - 1;
  p[1] = e.length.value_or(static_cast<std::uint8_t>(length));
  return p;
}
}  // namespace

core::IpAddress addr6(std::string_view text) {
  core::IpAddress a;
  if (inet_pton(AF_INET6, std::string{text}.c_str(), a.bytes().data()) != 1) {
    std::fprintf(stderr, "test support: not an IPv6 address: \"%s\"\n", std::string{text}.c_str());
    std::abort();
  }
  return a;
}

Extension6 fragment6(std::uint16_t offset, bool more, std::uint32_t id) {
  Extension6 e{.type = 44};
  put16(e.content, static_cast<std::uint16_t>(offset | (more ? 1u : 0u)));
  put32(e.content, id);
  return e;
}

Packet ip6(const Ip6& f, PacketBytes payload) {
  Packet behind;
  for (std::size_t i = 0; i < f.extensions.size(); ++i)
    put(behind, extension(f.extensions[i],
                          i + 1 < f.extensions.size() ? f.extensions[i + 1].type : f.next_header));
  put(behind, payload);
  Packet p;
  put32(p, std::uint32_t{f.version.value_or(6)} << 28 | std::uint32_t{f.traffic_class} << 20 |
               f.flow_label);
  put16(p, f.payload_length.value_or(static_cast<std::uint16_t>(behind.size())));
  p.push_back(f.extensions.empty() ? f.next_header : f.extensions[0].type);
  p.push_back(f.hop_limit);
  put(p, f.src.bytes());
  put(p, f.dst.bytes());
  put(p, behind);
  return p;
}

Packet ip6_udp(const Ip6& ip, const Udp& f, PacketBytes payload) {
  Packet udp;
  put16(udp, f.src_port);
  put16(udp, f.dst_port);
  put16(udp, f.length.value_or(static_cast<std::uint16_t>(8 + payload.size())));
  put16(udp, 0);
  put(udp, payload);
  const std::uint16_t sum = checksum6(ip, 17, udp);
  set16(udp, 6, f.checksum.value_or(sum == 0 ? 0xffff : sum));
  Ip6 outer = ip;
  outer.next_header = 17;
  return ip6(outer, udp);
}

Packet ip6_icmp(const Ip6& ip, const Icmp6& f, PacketBytes body) {
  Packet icmp{f.type, f.code, 0, 0};
  put32(icmp, f.word);
  put(icmp, body);
  set16(icmp, 2, f.checksum.value_or(checksum6(ip, 58, icmp)));
  Ip6 outer = ip;
  outer.next_header = 58;
  return ip6(outer, icmp);
}

Packet ether6(Ether f, PacketBytes ip_packet) {
  f.type = 0x86dd;
  return ether(f, ip_packet);
}
}  // namespace test
