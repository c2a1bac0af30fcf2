// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>

#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/checksum.hh"
#include "proto/wire/ip_protocol.hh"

namespace proto {
using core::DropReason;

/// An IPv4 packet (RFC 791 section 3.1) whose lengths hold. The checksum is a question of its own:
/// verify_checksum().
class Ip4View {
public:
  static constexpr std::size_t kMinHeaderLen = 20, kMaxHeaderLen = 60;

  /// @param l3  from the IPv4 header on; may end in link padding, which is cut off.
  /// @return the view, or Ip4Truncated | Ip4BadVersion | Ip4BadIhl | Ip4BadLength.
  [[nodiscard]] static constexpr core::Result<Ip4View, DropReason> parse(Bytes l3) noexcept {
    if (l3.size() < kMinHeaderLen) return DropReason::Ip4Truncated;
    if (l3[0] >> 4 != 4) return DropReason::Ip4BadVersion;
    const std::size_t ihl = std::size_t{l3[0] & 0xfu} * 4, total = load_be16(l3, kTotalLengthAt);
    if (ihl < kMinHeaderLen || ihl > total) return DropReason::Ip4BadIhl;
    if (total > l3.size()) return DropReason::Ip4BadLength;
    return Ip4View{l3.first(total), ihl, total};
  }
  /// The same of a packet of which `l3` is the beginning: its first segment, where there are
  /// several. Ip4Truncated: the header is not all in it.
  /// @param length  bytes of the whole packet from the header on. @pre length >= l3.size().
  [[nodiscard]] static constexpr core::Result<Ip4View, DropReason> parse(
      Bytes l3, std::size_t length) noexcept {
    if (length == l3.size()) [[likely]]
      return parse(l3);
    return parse_front(l3, length);
  }
  [[nodiscard]] constexpr std::uint8_t tos() const noexcept { return bytes_[1]; }
  /// Of the whole packet, whether or not all of it is seen.
  [[nodiscard]] constexpr std::uint16_t total_length() const noexcept {
    return static_cast<std::uint16_t>(total_);
  }
  [[nodiscard]] constexpr std::uint16_t header_len() const noexcept {
    return static_cast<std::uint16_t>(ihl_);
  }
  [[nodiscard]] constexpr std::uint16_t id() const noexcept { return load_be16(bytes_, 4); }
  [[nodiscard]] constexpr bool dont_fragment() const noexcept { return (bytes_[6] & 0x40) != 0; }
  [[nodiscard]] constexpr bool more_fragments() const noexcept { return (bytes_[6] & 0x20) != 0; }
  /// In bytes.
  [[nodiscard]] constexpr std::size_t fragment_offset() const noexcept {
    return std::size_t{load_be16(bytes_, 6) & 0x1fffu} * 8;
  }
  [[nodiscard]] constexpr bool is_fragment() const noexcept {
    return (load_be16(bytes_, 6) & 0x3fff) != 0;
  }
  [[nodiscard]] constexpr std::uint8_t ttl() const noexcept { return bytes_[8]; }
  [[nodiscard]] constexpr std::uint8_t protocol() const noexcept { return bytes_[9]; }
  [[nodiscard]] constexpr std::uint16_t checksum() const noexcept { return load_be16(bytes_, 10); }
  [[nodiscard]] constexpr std::uint32_t src() const noexcept { return load_be32(bytes_, 12); }
  [[nodiscard]] constexpr std::uint32_t dst() const noexcept { return load_be32(bytes_, 16); }
  [[nodiscard]] constexpr Bytes header() const noexcept { return bytes_.first(ihl_); }
  [[nodiscard]] constexpr Bytes options() const noexcept { return header().subspan(kMinHeaderLen); }
  /// What is seen of the payload: all of it, but in a packet of several segments only what lies in
  /// the first. Its length is payload_length(), never payload().size().
  [[nodiscard]] constexpr Bytes payload() const noexcept { return bytes_.subspan(ihl_); }
  [[nodiscard]] constexpr std::uint16_t payload_length() const noexcept {
    return static_cast<std::uint16_t>(total_ - ihl_);
  }
  [[nodiscard]] constexpr bool verify_checksum() const noexcept {
    // Nearly every header has 20 bytes: a length known here makes three loads of the loop.
    return ihl_ == kMinHeaderLen ? checksum_holds(bytes_.first<kMinHeaderLen>())
                                 : checksum_holds(header());
  }

private:
  static constexpr std::size_t kTotalLengthAt = 2;
  constexpr Ip4View(Bytes b, std::size_t ihl, std::size_t total) noexcept
      : bytes_{b}, ihl_{ihl}, total_{total} {}
  /// Out of line: the rare way, once and not wherever parse() is inlined.
  [[gnu::noinline, gnu::cold]] static constexpr core::Result<Ip4View, DropReason> parse_front(
      Bytes l3, std::size_t length) noexcept {
    if (l3.size() < kMinHeaderLen) return DropReason::Ip4Truncated;
    if (l3[0] >> 4 != 4) return DropReason::Ip4BadVersion;
    const std::size_t ihl = std::size_t{l3[0] & 0xfu} * 4, total = load_be16(l3, kTotalLengthAt);
    if (ihl < kMinHeaderLen || ihl > total) return DropReason::Ip4BadIhl;
    if (total > length) return DropReason::Ip4BadLength;
    if (ihl > l3.size()) return DropReason::Ip4Truncated;
    return Ip4View{l3.first(std::min(total, l3.size())), ihl, total};
  }
  Bytes bytes_;  ///< up to Total Length, or to the end of the first segment
  std::size_t ihl_, total_;
};

/// What a sender of a packet without options chooses.
struct Ip4Fields {
  std::uint8_t tos = 0;
  std::uint16_t id = 0;
  bool dont_fragment = false;
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 0;
  std::uint32_t src = 0, dst = 0;
};
/// Writes a 20-byte header. @param length  Total Length: of the whole packet, of which `packet` is
/// the beginning. @pre packet.size() >= 20; 20 <= length <= 65535.
constexpr void emit(const Ip4Fields& f, MutBytes packet, std::size_t length) noexcept {
  packet[0] = 0x45;
  packet[1] = f.tos;
  store_be16(packet, 2, static_cast<std::uint16_t>(length));
  store_be16(packet, 4, f.id);
  store_be16(packet, 6, f.dont_fragment ? 0x4000 : 0);
  packet[8] = f.ttl;
  packet[9] = f.protocol;
  store_be16(packet, 10, 0);
  store_be32(packet, 12, f.src);
  store_be32(packet, 16, f.dst);
  store_be16(packet, 10, internet_checksum(packet.first(Ip4View::kMinHeaderLen)));
}

/// The same of a packet that is all there. @param packet  header and payload.
constexpr void emit(const Ip4Fields& f, MutBytes packet) noexcept {
  emit(f, packet, packet.size());
}

/// TTL - 1 with the checksum kept right (RFC 1624): the word of TTL and protocol is 0x0100 less, so
/// the checksum is 0x0100 more, with end-around carry. @pre TTL > 0; a whole IPv4 header.
constexpr void decrement_ttl(MutBytes header) noexcept {
  header[8] = static_cast<std::uint8_t>(header[8] - 1);
  const std::uint32_t sum = std::uint32_t{load_be16(header, 10)} + 0x0100;
  store_be16(header, 10, static_cast<std::uint16_t>(sum + (sum >= 0xffff ? 1 : 0)));
}

/// Sets the Identification, checksum kept right.
constexpr void set_id(MutBytes header, std::uint16_t id) noexcept {
  store_be16(header, 10, update_checksum(load_be16(header, 10), load_be16(header, 4), id));
  store_be16(header, 4, id);
}

/// Sets the source of a header whose source is 0.0.0.0, checksum kept right.
constexpr void set_source(MutBytes header, std::uint32_t src) noexcept {
  std::uint16_t sum = load_be16(header, 10);
  sum = update_checksum(sum, load_be16(header, 12), static_cast<std::uint16_t>(src >> 16));
  sum = update_checksum(sum, load_be16(header, 14), static_cast<std::uint16_t>(src));
  store_be32(header, 12, src);
  store_be16(header, 10, sum);
}
}  // namespace proto
