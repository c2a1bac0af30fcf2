// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "core/ip_address.hh"
#include "tests/support/packet.hh"

/// IPv6 packets for tests, as packet.hh makes IPv4 ones.
namespace test {
/// "2001:db8::1"; ends the test program when `text` is no IPv6 address.
[[nodiscard]] core::IpAddress addr6(std::string_view text);

// RFC 3849 addresses.
inline constexpr core::IpAddress kPeerIp6{
    core::IpAddress::Bytes16{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
inline constexpr core::IpAddress kOurIp6{
    core::IpAddress::Bytes16{0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/// An extension header, in front of the payload.
struct Extension6 {
  std::uint8_t type;    ///< 0 hop-by-hop, 43 routing, 44 fragment, 60 destination options, 51 AH
  Packet content = {};  ///< behind the first two bytes; padded with Pad1 to a multiple of eight
  std::optional<std::uint8_t> length = {};  ///< the second byte
};
/// A Fragment header. @param offset  bytes, a multiple of 8.
[[nodiscard]] Extension6 fragment6(std::uint16_t offset, bool more, std::uint32_t id = 7);

struct Ip6 {
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::uint8_t next_header = 59;  ///< of the payload; the extension headers name each other
  std::uint8_t hop_limit = 64;
  core::IpAddress src = kPeerIp6, dst = kOurIp6;
  std::vector<Extension6> extensions = {};
  std::optional<std::uint8_t> version = {};
  std::optional<std::uint16_t> payload_length = {};
};
[[nodiscard]] Packet ip6(const Ip6& f, PacketBytes payload);

/// A packet with a UDP datagram, `ip.next_header` is set for you.
[[nodiscard]] Packet ip6_udp(const Ip6& ip, const Udp& f, PacketBytes payload);

struct Icmp6 {
  std::uint8_t type = 128, code = 0;
  std::uint32_t word = 0x12340001;  ///< id and sequence | MTU | pointer
  std::optional<std::uint16_t> checksum = {};
};
/// A packet with an ICMPv6 message, `ip.next_header` is set for you.
[[nodiscard]] Packet ip6_icmp(const Ip6& ip, const Icmp6& f, PacketBytes body);

/// A frame with an IPv6 packet.
[[nodiscard]] Packet ether6(Ether f, PacketBytes ip_packet);
}  // namespace test
