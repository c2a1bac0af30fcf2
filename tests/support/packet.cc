// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/packet.hh"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace test {
namespace {
[[noreturn]] void refuse(const char* what, std::string_view text) {
  std::fprintf(stderr, "test support: not %s: \"%s\"\n", what, std::string{text}.c_str());
  std::abort();
}
void put8(Packet& p, std::uint8_t v) {
  p.push_back(v);
}
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
std::uint16_t size16(std::size_t n) {
  return static_cast<std::uint16_t>(n);
}
}  // namespace

std::uint32_t ip(std::string_view text) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  char rest = 0;
  if (std::sscanf(std::string{text}.c_str(), "%u.%u.%u.%u%c", &a, &b, &c, &d, &rest) != 4 ||
      a > 255 || b > 255 || c > 255 || d > 255)
    refuse("an IPv4 address", text);
  return a << 24 | b << 16 | c << 8 | d;
}

Packet pattern(std::size_t n) {
  Packet p(n);
  for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<std::uint8_t>(i);
  return p;
}

Packet from_hex(std::string_view text) {
  Packet p;
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    char* end = nullptr;
    p.push_back(static_cast<std::uint8_t>(std::strtoul(digits.c_str(), &end, 16)));
    if (*end != '\0') refuse("hexadecimal", text);
    digits.clear();
  }
  if (!digits.empty()) refuse("whole bytes", text);
  return p;
}

Packet ether(const Ether& f, PacketBytes payload) {
  Packet p;
  put(p, f.dst);
  put(p, f.src);
  put16(p, f.type);
  put(p, payload);
  return p;
}

Packet pad(Packet p, std::size_t length) {
  if (p.size() < length) p.resize(length);
  return p;
}

Packet ip4(const Ip4& f, PacketBytes payload) {
  Packet options = f.options;
  while (options.size() % 4 != 0) options.push_back(0);
  const std::size_t header_len = 20 + options.size();
  const unsigned ihl = f.ihl.value_or(static_cast<std::uint8_t>(header_len / 4));
  const unsigned flags = (f.dont_fragment ? 0x4000u : 0u) | (f.more_fragments ? 0x2000u : 0u);
  Packet p;
  put8(p, static_cast<std::uint8_t>(unsigned{f.version.value_or(4)} << 4 | (ihl & 0xf)));
  put8(p, f.tos);
  put16(p, f.total_length.value_or(size16(header_len + payload.size())));
  put16(p, f.id);
  put16(p, static_cast<std::uint16_t>(flags | f.fragment_offset / 8u));
  put8(p, f.ttl);
  put8(p, f.protocol);
  put16(p, 0);
  put32(p, f.src);
  put32(p, f.dst);
  put(p, options);
  set16(p, 10, f.checksum.value_or(reference_checksum(p)));
  put(p, payload);
  return p;
}

Packet ip4_udp(const Ip4& ip, const Udp& f, PacketBytes payload) {
  Packet udp;
  put16(udp, f.src_port);
  put16(udp, f.dst_port);
  put16(udp, f.length.value_or(size16(8 + payload.size())));
  put16(udp, 0);
  put(udp, payload);
  Packet checked;  // pseudo header (RFC 768) and datagram
  put32(checked, ip.src);
  put32(checked, ip.dst);
  put16(checked, 17);
  put16(checked, size16(udp.size()));
  put(checked, udp);
  const std::uint16_t sum = reference_checksum(checked);
  set16(udp, 6, f.checksum.value_or(sum == 0 ? 0xffff : sum));
  Ip4 outer = ip;
  outer.protocol = 17;
  return ip4(outer, udp);
}

Packet ip4_icmp(const Ip4& ip, const Icmp4& f, PacketBytes body) {
  Packet icmp;
  put8(icmp, f.type);
  put8(icmp, f.code);
  put16(icmp, 0);
  put16(icmp, f.word1);
  put16(icmp, f.word2);
  put(icmp, body);
  set16(icmp, 2, f.checksum.value_or(reference_checksum(icmp)));
  Ip4 outer = ip;
  outer.protocol = 1;
  return ip4(outer, icmp);
}

Packet arp(const Arp& f) {
  Packet p;
  put16(p, f.hardware_type);
  put16(p, f.protocol_type);
  put8(p, f.hardware_len);
  put8(p, f.protocol_len);
  put16(p, f.operation);
  put(p, f.sender_mac);
  put32(p, f.sender_ip);
  put(p, f.target_mac);
  put32(p, f.target_ip);
  return p;
}

Packet arp_frame(const Arp& f) {
  const core::MacAddress dst = f.operation == 1 ? core::kBroadcastMac : f.target_mac;
  return pad(ether({.dst = dst, .src = f.sender_mac, .type = 0x0806}, arp(f)));
}

std::uint16_t reference_checksum(PacketBytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : std::uint32_t{bytes[i]};
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}
}  // namespace test
