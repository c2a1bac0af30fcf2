// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/ip6.hh"

namespace proto {
using core::DropReason;

/// An ICMPv6 message (RFC 4443). The checksum is a question of its own: verify_checksum().
class Icmp6View {
public:
  static constexpr std::size_t kHeaderLen = 8;  ///< all messages have a word behind the checksum
  static constexpr std::uint8_t kUnreachable = 1, kPacketTooBig = 2, kTimeExceeded = 3,
                                kParameterProblem = 4, kEchoRequest = 128, kEchoReply = 129;
  // MLD (RFC 2710, RFC 3810) and Neighbour Discovery (RFC 4861).
  static constexpr std::uint8_t kMldQuery = 130, kMldReport = 131, kMldDone = 132,
                                kRouterSolicitation = 133, kRouterAdvertisement = 134,
                                kNeighborSolicitation = 135, kNeighborAdvertisement = 136,
                                kRedirect = 137, kMld2Report = 143;
  // Codes of kUnreachable (RFC 4443 section 3.1).
  static constexpr std::uint8_t kNoRoute = 0, kProhibited = 1, kBeyondScope = 2,
                                kAddressUnreachable = 3, kPortUnreachable = 4, kRejectRoute = 6;
  // Codes of kTimeExceeded and kParameterProblem.
  static constexpr std::uint8_t kHopLimitExceeded = 0, kReassemblyTimeExceeded = 1;
  static constexpr std::uint8_t kBadField = 0, kUnknownNextHeader = 1, kUnknownOption = 2;

  /// @param l4  the message, or of one in several segments the beginning.
  /// @return the view, or Icmp6Truncated.
  [[nodiscard]] static constexpr core::Result<Icmp6View, DropReason> parse(Bytes l4) noexcept {
    if (l4.size() < kHeaderLen) return DropReason::Icmp6Truncated;
    return Icmp6View{l4};
  }
  [[nodiscard]] constexpr std::uint8_t type() const noexcept { return bytes_[0]; }
  [[nodiscard]] constexpr std::uint8_t code() const noexcept { return bytes_[1]; }
  [[nodiscard]] constexpr std::uint16_t checksum() const noexcept { return load_be16(bytes_, 2); }
  /// MTU of "packet too big", pointer of "parameter problem".
  [[nodiscard]] constexpr std::uint32_t word() const noexcept { return load_be32(bytes_, 4); }
  /// Of an echo request or reply.
  [[nodiscard]] constexpr std::uint16_t id() const noexcept { return load_be16(bytes_, 4); }
  [[nodiscard]] constexpr std::uint16_t sequence() const noexcept { return load_be16(bytes_, 6); }
  [[nodiscard]] constexpr Bytes body() const noexcept { return bytes_.subspan(kHeaderLen); }
  /// Of a message that is all there. @param pseudo  pseudo_header_sum() of its packet.
  [[nodiscard]] constexpr bool verify_checksum(std::uint64_t pseudo) const noexcept {
    return fold_checksum(pseudo + sum_words(bytes_)) == 0xffff;
  }
  /// Types 0 to 127 (RFC 4443 section 2.1).
  [[nodiscard]] static constexpr bool is_error(std::uint8_t type) noexcept { return type < 128; }
  [[nodiscard]] constexpr bool is_error() const noexcept { return is_error(type()); }
  /// Whether it is Neighbour Discovery or MLD.
  [[nodiscard]] constexpr bool is_discovery() const noexcept {
    return (type() >= kMldQuery && type() <= kRedirect) || type() == kMld2Report;
  }

private:
  explicit constexpr Icmp6View(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

struct Icmp6Fields {
  std::uint8_t type = 0, code = 0;
  std::uint32_t word = 0;  ///< id and sequence | MTU | pointer | unused
};
/// Writes header and checksum. @param message  header and body, the body already in place.
/// @param pseudo  pseudo_header_sum() of the packet. @pre message.size() >= 8.
constexpr void emit(const Icmp6Fields& f, MutBytes message, std::uint64_t pseudo) noexcept {
  message[0] = f.type;
  message[1] = f.code;
  store_be16(message, 2, 0);
  store_be32(message, 4, f.word);
  store_be16(message, 2, static_cast<std::uint16_t>(~fold_checksum(pseudo + sum_words(message))));
}
}  // namespace proto
