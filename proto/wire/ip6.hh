// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/drop_reason.hh"
#include "core/ip_address.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/checksum.hh"
#include "proto/wire/ip_protocol.hh"

namespace proto {
using core::DropReason;

/// The IPv6 address at an offset. @pre at + 16 <= b.size().
[[nodiscard]] constexpr core::IpAddress load_ip6(Bytes b, std::size_t at) noexcept {
  core::IpAddress a;
  if (std::is_constant_evaluated())
    copy(b.subspan(at, 16), a.bytes());
  else
    __builtin_memcpy(a.bytes().data(), b.data() + at, 16);
  return a;
}
/// @pre at + 16 <= b.size().
constexpr void store_ip6(MutBytes b, std::size_t at, const core::IpAddress& a) noexcept {
  if (std::is_constant_evaluated())
    copy(a.bytes(), b.subspan(at, 16));
  else
    __builtin_memcpy(b.data() + at, a.bytes().data(), 16);
}

/// An IPv6 packet (RFC 8200 section 3) whose lengths hold. Extension headers are a question of
/// their own: ip6_extension.hh.
class Ip6View {
public:
  static constexpr std::size_t kHeaderLen = 40, kNextHeaderAt = 6, kHopLimitAt = 7, kSourceAt = 8,
                               kDestinationAt = 24;

  /// @param l3      from the IPv6 header on: the packet, or of one in several segments the first.
  /// @param length  bytes of the whole packet; may end in link padding, which is cut off.
  /// @return the view, or Ip6Truncated | Ip6BadVersion | Ip6BadLength. @pre length >= l3.size().
  [[nodiscard]] static constexpr core::Result<Ip6View, DropReason> parse(
      Bytes l3, std::size_t length) noexcept {
    if (l3.size() < kHeaderLen) return DropReason::Ip6Truncated;
    if (l3[0] >> 4 != 6) return DropReason::Ip6BadVersion;
    const std::size_t total = kHeaderLen + load_be16(l3, kPayloadLengthAt);
    if (total > length) return DropReason::Ip6BadLength;
    return Ip6View{l3.first(std::min(total, l3.size()))};
  }
  /// The same of a packet that is all there.
  [[nodiscard]] static constexpr core::Result<Ip6View, DropReason> parse(Bytes l3) noexcept {
    return parse(l3, l3.size());
  }
  [[nodiscard]] constexpr std::uint8_t traffic_class() const noexcept {
    return static_cast<std::uint8_t>(load_be16(bytes_, 0) >> 4);
  }
  [[nodiscard]] constexpr std::uint32_t flow_label() const noexcept {
    return load_be32(bytes_, 0) & 0xfffff;
  }
  /// Bytes behind the IPv6 header, whether or not all of them are seen.
  [[nodiscard]] constexpr std::uint16_t payload_length() const noexcept {
    return load_be16(bytes_, kPayloadLengthAt);
  }
  [[nodiscard]] constexpr std::size_t total_length() const noexcept {
    return kHeaderLen + payload_length();
  }
  [[nodiscard]] constexpr std::uint8_t next_header() const noexcept {
    return bytes_[kNextHeaderAt];
  }
  [[nodiscard]] constexpr std::uint8_t hop_limit() const noexcept { return bytes_[kHopLimitAt]; }
  /// As on the wire, never scoped.
  [[nodiscard]] constexpr core::IpAddress src() const noexcept {
    return load_ip6(bytes_, kSourceAt);
  }
  [[nodiscard]] constexpr core::IpAddress dst() const noexcept {
    return load_ip6(bytes_, kDestinationAt);
  }
  /// What is seen of the packet: all of it, but in a packet of several segments only what lies in
  /// the first.
  [[nodiscard]] constexpr Bytes packet() const noexcept { return bytes_; }
  /// The same of what is behind the IPv6 header.
  [[nodiscard]] constexpr Bytes payload() const noexcept { return bytes_.subspan(kHeaderLen); }

private:
  static constexpr std::size_t kPayloadLengthAt = 4;
  explicit constexpr Ip6View(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;  ///< up to the end of the payload, or of the first segment
};

/// What a sender chooses.
struct Ip6Fields {
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::uint8_t next_header = kProtocolNone;
  std::uint8_t hop_limit = 64;
  core::IpAddress src, dst;  ///< not scoped
};
/// Writes the header. @param packet_length  bytes of the whole packet, of which `packet` is the
/// beginning. @pre packet.size() >= 40; 40 <= packet_length <= 65575.
constexpr void emit(const Ip6Fields& f, MutBytes packet, std::size_t packet_length) noexcept {
  store_be32(
      packet, 0,
      std::uint32_t{6} << 28 | std::uint32_t{f.traffic_class} << 20 | (f.flow_label & 0xfffff));
  store_be16(packet, 4, static_cast<std::uint16_t>(packet_length - Ip6View::kHeaderLen));
  packet[Ip6View::kNextHeaderAt] = f.next_header;
  packet[Ip6View::kHopLimitAt] = f.hop_limit;
  store_ip6(packet, Ip6View::kSourceAt, f.src);
  store_ip6(packet, Ip6View::kDestinationAt, f.dst);
}
/// The same of a packet that is all there. @param packet  header and payload.
constexpr void emit(const Ip6Fields& f, MutBytes packet) noexcept {
  emit(f, packet, packet.size());
}

/// One hop less; there is no header checksum. @pre hop limit > 0; a whole IPv6 header.
constexpr void decrement_hop_limit(MutBytes header) noexcept {
  header[Ip6View::kHopLimitAt] = static_cast<std::uint8_t>(header[Ip6View::kHopLimitAt] - 1);
}

/// Sum of the words of the pseudo-header that checksums of upper layers cover (RFC 8200 section
/// 8.1), unfolded. @param length  bytes of upper-layer header and data.
[[nodiscard]] constexpr std::uint64_t pseudo_header_sum(const core::IpAddress& src,
                                                        const core::IpAddress& dst,
                                                        std::size_t length,
                                                        std::uint8_t protocol) noexcept {
  return sum_words(src.bytes()) + sum_words(dst.bytes()) + length + protocol;
}

/// Sets the source of a packet of ours whose source is ::, the checksum of ICMPv6 or UDP right
/// behind the header kept right: to :: the pseudo-header owes nothing, so the source is added (RFC
/// 1624 equation 3). Right for packets in several segments, too. @pre the beginning of a whole
/// packet.
constexpr void set_source(MutBytes packet, const core::IpAddress& src) noexcept {
  store_ip6(packet, Ip6View::kSourceAt, src);
  const std::uint8_t protocol = packet[Ip6View::kNextHeaderAt];
  if (protocol != kProtocolIcmp6 && protocol != kProtocolUdp) return;
  const std::size_t at = Ip6View::kHeaderLen + (protocol == kProtocolUdp ? 6 : 2);
  if (packet.size() < at + 2) return;
  const std::uint16_t sum =
      update_checksum(load_be16(packet, at), 0, fold_checksum(sum_words(src.bytes())));
  // UDP says "none" by 0, so that 0 is sent as all ones (RFC 8200 section 8.1).
  store_be16(packet, at, sum == 0 && protocol == kProtocolUdp ? 0xffff : sum);
}
}  // namespace proto
