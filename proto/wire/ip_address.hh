// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ip_address.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
using core::IpAddress;

/// A prefix of either family, or an address with the length of its subnet (bits below the length
/// may be set).
class IpPrefix {
public:
  IpAddress address;
  std::uint8_t length = 0;  ///< 0 to address.bits()

  constexpr IpPrefix() noexcept = default;
  constexpr IpPrefix(const IpAddress& a, std::uint8_t bits) noexcept : address{a}, length{bits} {}
  constexpr IpPrefix(Ip4Prefix p) noexcept  // NOLINT(google-explicit-constructor)
      : address{p.address}, length{p.length} {}
  /// The prefix of one address.
  [[nodiscard]] static constexpr IpPrefix host(const IpAddress& a) noexcept {
    return {a, a.bits()};
  }

  [[nodiscard]] constexpr bool is_ip4() const noexcept { return address.is_ip4(); }
  /// @pre is_ip4().
  [[nodiscard]] constexpr Ip4Prefix ip4() const noexcept { return {address.ip4(), length}; }
  [[nodiscard]] constexpr bool is_host() const noexcept { return length == address.bits(); }
  /// The prefix with the bits below its length cleared.
  [[nodiscard]] constexpr IpPrefix network() const noexcept {
    IpPrefix p = *this;
    for (std::size_t i = 0; i < 16; ++i)
      p.address.bytes()[i] = static_cast<std::uint8_t>(p.address.bytes()[i] & mask_byte(i));
    return p;
  }
  [[nodiscard]] constexpr bool contains(const IpAddress& a) const noexcept {
    for (std::size_t i = 0; i < 16; ++i)
      if (((a.bytes()[i] ^ address.bytes()[i]) & mask_byte(i)) != 0) return false;
    return true;
  }
  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) noexcept = default;

private:
  [[nodiscard]] constexpr std::uint8_t mask_byte(std::size_t i) const noexcept {
    const std::size_t bits = std::size_t{length} + 128 - address.bits();
    if (bits >= 8 * (i + 1)) return 0xff;
    return static_cast<std::uint8_t>(bits <= 8 * i ? 0u : 0xff00u >> (bits - 8 * i));
  }
};

/// "192.0.2.1" or "2001:db8::1" (RFC 4291 section 2.2); no zone, no IPv4-mapped form.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text) noexcept;
[[nodiscard]] std::optional<IpAddress> parse_ip6(std::string_view text) noexcept;
/// "192.0.2.0/24", "2001:db8::/32"; without a length, the whole address.
[[nodiscard]] std::optional<IpPrefix> parse_ip_prefix(std::string_view text) noexcept;

/// IPv6 as RFC 5952 wants it.
[[nodiscard]] std::string to_string(const IpAddress& address);
[[nodiscard]] std::string to_string(const IpPrefix& prefix);
}  // namespace proto
