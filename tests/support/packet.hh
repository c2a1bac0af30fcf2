// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/mac_address.hh"

/// Packets for tests, built by code of their own: a mistake of the wire layer does not hide behind
/// the same mistake here. Every field has a sane default, lengths and checksums are right unless a
/// knob (a std::optional named as the field) says otherwise, so a test names only what matters.
namespace test {
using Packet = std::vector<std::uint8_t>;
using PacketBytes = std::span<const std::uint8_t>;

/// "192.0.2.1" in host order; ends the test program when `text` is no address.
[[nodiscard]] std::uint32_t ip(std::string_view text);
/// 02:00:00:00:00:n.
[[nodiscard]] constexpr core::MacAddress mac(std::uint8_t n) {
  return {2, 0, 0, 0, 0, n};
}
/// Bytes 0, 1, 2, ... of a payload.
[[nodiscard]] Packet pattern(std::size_t n);
/// "4500 0054 ..." -> bytes; white space is ignored. Ends the test program on anything else.
[[nodiscard]] Packet from_hex(std::string_view text);

// The two ends that every default names: RFC 5737 addresses, locally administered MACs.
inline constexpr std::uint32_t kPeerIp = 0xc0000201;  ///< 192.0.2.1
inline constexpr std::uint32_t kOurIp = 0xc6336401;   ///< 198.51.100.1
inline constexpr core::MacAddress kPeerMac = mac(1), kOurMac = mac(2);

struct Ether {
  core::MacAddress dst = kOurMac, src = kPeerMac;
  std::uint16_t type = 0x0800;
};
/// A frame without FCS. Not padded to 60 bytes: pad() does that.
[[nodiscard]] Packet ether(const Ether& f, PacketBytes payload);
/// The packet with zeros behind it up to `length`, as a link pads.
[[nodiscard]] Packet pad(Packet p, std::size_t length = 60);

struct Ip4 {
  std::uint8_t tos = 0;
  std::uint16_t id = 0;
  bool dont_fragment = false, more_fragments = false;
  std::uint16_t fragment_offset = 0;  ///< bytes, a multiple of 8
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 17;
  std::uint32_t src = kPeerIp, dst = kOurIp;
  Packet options = {};  ///< padded with End of Option List to a multiple of four
  std::optional<std::uint8_t> version = {};
  std::optional<std::uint8_t> ihl = {};  ///< 32-bit words
  std::optional<std::uint16_t> total_length = {};
  std::optional<std::uint16_t> checksum = {};
};
/// An IPv4 packet. The checksum is right for whatever the other knobs have made of the header.
[[nodiscard]] Packet ip4(const Ip4& f, PacketBytes payload);

struct Udp {
  std::uint16_t src_port = 1024, dst_port = 7;
  std::optional<std::uint16_t> length = {};
  std::optional<std::uint16_t> checksum = {};  ///< default: over the pseudo header of the Ip4
};
/// An IPv4 packet with a UDP datagram.
[[nodiscard]] Packet ip4_udp(const Ip4& ip, const Udp& f, PacketBytes payload);

struct Icmp4 {
  std::uint8_t type = 8, code = 0;
  std::uint16_t word1 = 0x1234;  ///< id
  std::uint16_t word2 = 1;       ///< sequence, or MTU
  std::optional<std::uint16_t> checksum = {};
};
/// An IPv4 packet with an ICMP message; `ip.protocol` is set for you.
[[nodiscard]] Packet ip4_icmp(const Ip4& ip, const Icmp4& f, PacketBytes body);

struct Arp {
  std::uint16_t operation = 1;
  core::MacAddress sender_mac = kPeerMac;
  std::uint32_t sender_ip = kPeerIp;
  core::MacAddress target_mac = {};
  std::uint32_t target_ip = kOurIp;
  std::uint16_t hardware_type = 1, protocol_type = 0x0800;
  std::uint8_t hardware_len = 6, protocol_len = 4;
};
/// The 28 bytes of an ARP packet.
[[nodiscard]] Packet arp(const Arp& f);
/// The same in a padded frame: requests to broadcast, replies to `target_mac`.
[[nodiscard]] Packet arp_frame(const Arp& f);

/// The Internet checksum, word by word as RFC 1071 section 4.1 writes it: the slow, obvious one
/// that tests compare with.
[[nodiscard]] std::uint16_t reference_checksum(PacketBytes bytes);
}  // namespace test
