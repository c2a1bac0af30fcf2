// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/mac_address.hh"

namespace proto {
/// An IPv4 prefix, or an address with the length of its subnet (bits below the length may be set).
struct Ip4Prefix {
  std::uint32_t address = 0;  ///< host order
  std::uint8_t length = 0;    ///< 0 to 32

  [[nodiscard]] constexpr std::uint32_t mask() const noexcept {
    return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
  }
  /// The prefix with the bits below its length cleared.
  [[nodiscard]] constexpr Ip4Prefix network() const noexcept { return {address & mask(), length}; }
  [[nodiscard]] constexpr bool contains(std::uint32_t a) const noexcept {
    return ((a ^ address) & mask()) == 0;
  }
  /// All host bits one; the subnet's directed broadcast where length <= 30.
  [[nodiscard]] constexpr std::uint32_t broadcast() const noexcept { return address | ~mask(); }
  friend constexpr auto operator<=>(const Ip4Prefix&, const Ip4Prefix&) noexcept = default;
};

/// "192.0.2.1": four decimal octets without leading zeros, nothing else.
[[nodiscard]] std::optional<std::uint32_t> parse_ip4(std::string_view text) noexcept;
/// "192.0.2.0/24"; without a length, 32.
[[nodiscard]] std::optional<Ip4Prefix> parse_ip4_prefix(std::string_view text) noexcept;
/// "02:00:00:00:00:01": six pairs of hexadecimal digits with colons.
[[nodiscard]] std::optional<core::MacAddress> parse_mac(std::string_view text) noexcept;

[[nodiscard]] std::string to_string(std::uint32_t ip4);
[[nodiscard]] std::string to_string(Ip4Prefix prefix);
[[nodiscard]] std::string to_string(const core::MacAddress& mac);
}  // namespace proto
