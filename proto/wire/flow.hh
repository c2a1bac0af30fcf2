// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/inet6.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/vlan.hh"

/// Which packets belong together: what a NIC's receive-side scaling does, in software.
namespace proto {
namespace flow {
inline constexpr std::uint8_t kTcp = 6, kUdp = 17, kEsp = 50, kAh = 51, kSctp = 132;
inline constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kDestination = 60;

/// A good 64-bit mixer: every bit of the input reaches every bit of the output (the finaliser of
/// SplitMix64, Steele, Lea, Flood 2014).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// The same for both directions: the smaller of each pair comes first.
[[nodiscard]] constexpr std::uint64_t mix_pair(std::uint64_t seed, std::uint64_t a,
                                               std::uint64_t b) noexcept {
  return mix(mix(seed ^ std::min(a, b)) ^ std::max(a, b));
}

/// Ports of TCP, UDP and SCTP, the SPI of ESP (RFC 4303) and AH (RFC 4302); else nothing.
[[nodiscard]] constexpr std::uint64_t mix_transport(std::uint64_t hash, std::uint8_t protocol,
                                                    Bytes payload) noexcept {
  hash = mix(hash ^ protocol);
  switch (protocol) {
    case kTcp:
    case kUdp:
    case kSctp:
      if (payload.size() < 4) return hash;
      return mix_pair(hash, load_be16(payload, 0), load_be16(payload, 2));
    case kEsp: return payload.size() < 4 ? hash : mix(hash ^ load_be32(payload, 0));
    case kAh: return payload.size() < 8 ? hash : mix(hash ^ load_be32(payload, 4));
    default: return hash;
  }
}

/// Fragments carry the ports in the first one only: all go by addresses and protocol.
[[nodiscard]] constexpr std::uint64_t of_ip4(Bytes p) noexcept {
  constexpr std::uint16_t kMoreFragmentsAndOffset = 0x3fff;
  if (p.size() < 20) return 0;
  const std::size_t header = std::size_t{p[0] & 0x0fU} * 4;
  const std::uint64_t hash = mix_pair(4, load_be32(p, 12), load_be32(p, 16));
  const bool fragment = (load_be16(p, 6) & kMoreFragmentsAndOffset) != 0;
  if (fragment || header < 20 || header > p.size()) return mix(hash ^ p[9]);
  return mix_transport(hash, p[9], p.subspan(header));
}

[[nodiscard]] constexpr std::uint64_t of_ip6(Bytes p) noexcept {
  constexpr std::size_t kHeader = 40, kMaxExtensions = 8;
  if (p.size() < kHeader) return 0;
  const auto address = [&](std::size_t at) {
    return mix(load_be64(p, at) ^ mix(load_be64(p, at + 8)));
  };
  const std::uint64_t hash = mix_pair(6, address(8), address(24));
  std::uint8_t next = p[6];
  Bytes rest = p.subspan(kHeader);
  for (std::size_t n = 0; n < kMaxExtensions; ++n) {
    if (next == kFragment) return mix(hash ^ (rest.empty() ? next : rest[0]));
    if (next != kHopByHop && next != kRouting && next != kDestination) break;
    if (rest.size() < 8) return hash;
    const std::size_t length = (std::size_t{rest[1]} + 1) * 8;
    if (length > rest.size()) return hash;
    next = rest[0];
    rest = rest.subspan(length);
  }
  return mix_transport(hash, next, rest);
}
}  // namespace flow

/// A number that all packets of a flow share, in both directions, whatever VLAN tags are in front:
/// addresses, protocol and ports of IPv4 and IPv6; the SPI of ESP and AH; addresses and protocol of
/// fragments. 0 for whatever is no IP. Takes any bytes.
/// @param frame  from the Ethernet destination address on.
[[nodiscard]] constexpr std::uint32_t flow_hash(Bytes frame) noexcept {
  constexpr std::size_t kMaxTags = 2;
  std::size_t at = 12;
  for (std::size_t tags = 0; frame.size() >= at + 2; ++tags) {
    const std::uint16_t type = load_be16(frame, at);
    const Bytes payload = frame.subspan(at + 2);
    if (type == kEtherTypeIp4) return static_cast<std::uint32_t>(flow::of_ip4(payload) >> 32);
    if constexpr (core::kInet6)
      if (type == kEtherTypeIp6) return static_cast<std::uint32_t>(flow::of_ip6(payload) >> 32);
    if ((type != kTpidC && type != kTpidS) || tags == kMaxTags) break;
    at += VlanTagView::kLen;
  }
  return 0;
}
}  // namespace proto
