// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace proto {
/// Bytes of a packet, read-only and writable. Every integer in them is big-endian; what leaves a
/// view is in host order.
using Bytes = std::span<const std::uint8_t>;
using MutBytes = std::span<std::uint8_t>;

// Byte loads cost nothing: g++ makes one mov and a bswap of them.
[[nodiscard]] constexpr std::uint16_t load_be16(Bytes b, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
[[nodiscard]] constexpr std::uint32_t load_be32(Bytes b, std::size_t at) noexcept {
  return std::uint32_t{b[at]} << 24 | std::uint32_t{b[at + 1]} << 16 |
         std::uint32_t{b[at + 2]} << 8 | std::uint32_t{b[at + 3]};
}
[[nodiscard]] constexpr std::uint64_t load_be64(Bytes b, std::size_t at) noexcept {
  return std::uint64_t{load_be32(b, at)} << 32 | load_be32(b, at + 4);
}
constexpr void store_be16(MutBytes b, std::size_t at, std::uint16_t v) noexcept {
  b[at] = static_cast<std::uint8_t>(v >> 8);
  b[at + 1] = static_cast<std::uint8_t>(v);
}
constexpr void store_be32(MutBytes b, std::size_t at, std::uint32_t v) noexcept {
  store_be16(b, at, static_cast<std::uint16_t>(v >> 16));
  store_be16(b, at + 2, static_cast<std::uint16_t>(v));
}
constexpr void store_be64(MutBytes b, std::size_t at, std::uint64_t v) noexcept {
  store_be32(b, at, static_cast<std::uint32_t>(v >> 32));
  store_be32(b, at + 4, static_cast<std::uint32_t>(v));
}
/// @pre to.size() >= from.size().
constexpr void copy(Bytes from, MutBytes to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i];
}

/// The next sizeof(T) bytes as the machine holds them: for sums and comparisons, where the order of
/// the bytes does not matter. One load; no cast.
template <class T>
[[nodiscard]] inline T load_native(Bytes b, std::size_t at) noexcept {
  T v;
  __builtin_memcpy(&v, b.data() + at, sizeof v);
  return v;
}
}  // namespace proto
