// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>

namespace core {
/// An IEEE 802 MAC address, in the order of the wire.
using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr MacAddress kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// True for multicast and broadcast addresses (the I/G bit).
[[nodiscard]] constexpr bool is_group(const MacAddress& a) noexcept {
  return (a[0] & 1) != 0;
}
}  // namespace core
