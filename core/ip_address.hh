// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>

namespace core {
/// An address of either family, in the order of the wire: IPv6, or IPv4 in its IPv4-mapped form
/// (RFC 4291 section 2.5.5.2). The default, "::", is no address.
class IpAddress {
public:
  using Bytes16 = std::array<std::uint8_t, 16>;

  constexpr IpAddress() noexcept = default;
  /// An IPv4 address, host order. Implicit: every IPv4 address is an address.
  constexpr IpAddress(std::uint32_t ip4) noexcept  // NOLINT(google-explicit-constructor)
      : bytes_{0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0,
               0xff,
               0xff,
               octet(ip4, 24),
               octet(ip4, 16),
               octet(ip4, 8),
               octet(ip4, 0)} {}
  constexpr explicit IpAddress(const Bytes16& ip6) noexcept : bytes_{ip6} {}

  [[nodiscard]] constexpr bool is_ip4() const noexcept {
    return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin());
  }
  /// Host order. @pre is_ip4().
  [[nodiscard]] constexpr std::uint32_t ip4() const noexcept {
    return std::uint32_t{bytes_[12]} << 24 | std::uint32_t{bytes_[13]} << 16 |
           std::uint32_t{bytes_[14]} << 8 | std::uint32_t{bytes_[15]};
  }
  [[nodiscard]] constexpr const Bytes16& bytes() const noexcept { return bytes_; }
  [[nodiscard]] constexpr Bytes16& bytes() noexcept { return bytes_; }
  /// "::" or 0.0.0.0.
  [[nodiscard]] constexpr bool is_unspecified() const noexcept {
    return *this == IpAddress{} || *this == IpAddress{std::uint32_t{0}};
  }
  /// Bits of an address of this family: 32 or 128.
  [[nodiscard]] constexpr std::uint8_t bits() const noexcept { return is_ip4() ? 32 : 128; }
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

private:
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::uint8_t octet(std::uint32_t ip4, unsigned shift) noexcept {
    return static_cast<std::uint8_t>(ip4 >> shift);
  }
  Bytes16 bytes_{};
};
}  // namespace core
