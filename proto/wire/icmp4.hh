// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/checksum.hh"

namespace proto {
using core::DropReason;

/// An ICMP message (RFC 792). The checksum is a question of its own: verify_checksum().
class Icmp4View {
public:
  static constexpr std::size_t kHeaderLen = 8;
  static constexpr std::uint8_t kEchoReply = 0, kUnreachable = 3, kRedirect = 5, kEchoRequest = 8,
                                kTimeExceeded = 11, kParameterProblem = 12;
  static constexpr std::uint8_t kReassemblyTimeExceeded = 1;  ///< code of kTimeExceeded
  static constexpr std::uint8_t kRedirectHost = 1;            ///< code of kRedirect
  // Codes of kUnreachable (RFC 792, RFC 1812 section 5.2.7.1).
  static constexpr std::uint8_t kNetUnreachable = 0, kHostUnreachable = 1, kProtocolUnreachable = 2,
                                kPortUnreachable = 3, kFragmentationNeeded = 4, kProhibited = 13;

  /// @param l4  the whole IP payload. @return the view, or Icmp4Truncated.
  [[nodiscard]] static constexpr core::Result<Icmp4View, DropReason> parse(Bytes l4) noexcept {
    if (l4.size() < kHeaderLen) return DropReason::Icmp4Truncated;
    return Icmp4View{l4};
  }
  [[nodiscard]] constexpr std::uint8_t type() const noexcept { return bytes_[0]; }
  [[nodiscard]] constexpr std::uint8_t code() const noexcept { return bytes_[1]; }
  [[nodiscard]] constexpr std::uint16_t checksum() const noexcept { return load_be16(bytes_, 2); }
  /// Of an echo request or reply.
  [[nodiscard]] constexpr std::uint16_t id() const noexcept { return load_be16(bytes_, 4); }
  [[nodiscard]] constexpr std::uint16_t sequence() const noexcept { return load_be16(bytes_, 6); }
  /// Next-hop MTU of "fragmentation needed" (RFC 1191 section 4).
  [[nodiscard]] constexpr std::uint16_t mtu() const noexcept { return load_be16(bytes_, 6); }
  [[nodiscard]] constexpr Bytes body() const noexcept { return bytes_.subspan(kHeaderLen); }
  [[nodiscard]] constexpr bool verify_checksum() const noexcept { return checksum_holds(bytes_); }
  /// True for the types about which no ICMP error may be sent (RFC 1122 section 3.2.2).
  [[nodiscard]] static constexpr bool is_error(std::uint8_t type) noexcept {
    constexpr std::uint8_t kSourceQuench = 4;
    return type == kUnreachable || type == kSourceQuench || type == kRedirect ||
           type == kTimeExceeded || type == kParameterProblem;
  }
  [[nodiscard]] constexpr bool is_error() const noexcept { return is_error(type()); }

private:
  explicit constexpr Icmp4View(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

struct Icmp4Fields {
  std::uint8_t type = 0, code = 0;
  std::uint16_t word1 = 0, word2 = 0;  ///< id and sequence | unused and MTU
};
/// Writes header and checksum. @param message  header and body, the body already in place.
/// @pre message.size() >= 8.
constexpr void emit(const Icmp4Fields& f, MutBytes message) noexcept {
  message[0] = f.type;
  message[1] = f.code;
  store_be16(message, 2, 0);
  store_be16(message, 4, f.word1);
  store_be16(message, 6, f.word2);
  store_be16(message, 2, internet_checksum(message));
}
}  // namespace proto
