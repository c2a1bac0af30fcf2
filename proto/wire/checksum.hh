// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "proto/wire/bytes.hh"

namespace proto {
/// Folds a sum of 16-bit words to 16 bits with end-around carry.
[[nodiscard]] constexpr std::uint16_t fold_checksum(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);  // below 2^33
  sum = (sum & 0xffff) + (sum >> 16);      // below 2^18
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// Sum of the words of `b` as the machine holds them, unfolded. The one's complement sum is the
/// same in either byte order but for a swap of its bytes (RFC 1071 section 2 (B)), and 2^16 = 1 in
/// it, so that words of 32 bits can be added as they lie. @pre b.size() is a multiple of four.
[[nodiscard]] inline std::uint64_t sum_native(Bytes b) noexcept {
  std::uint64_t sum = 0;
  std::size_t i = 0;
  for (; i + 8 <= b.size(); i += 8) {
    const auto word = load_native<std::uint64_t>(b, i);
    sum += (word & 0xffffffff) + (word >> 32);
  }
  if (i < b.size()) sum += load_native<std::uint32_t>(b, i);
  return sum;
}

/// Sum of the 16-bit words of `b`, unfolded; an odd last byte is padded with zero (RFC 1071).
[[nodiscard]] constexpr std::uint64_t sum_words(Bytes b) noexcept {
  std::uint64_t sum = 0;
  std::size_t i = 0;
  if (!std::is_constant_evaluated()) {
    i = b.size() / 4 * 4;
    sum = __builtin_bswap16(fold_checksum(sum_native(b.first(i))));
  }
  for (; i + 2 <= b.size(); i += 2) sum += load_be16(b, i);
  if (i < b.size()) sum += std::uint64_t{b[i]} << 8;
  return sum;
}

/// Whether data that contains its checksum is intact: its sum is minus zero.
[[nodiscard]] constexpr bool checksum_holds(Bytes b) noexcept {
  // Not `const bool words = ...`: that is itself evaluated as a constant, and always false.
  if (!std::is_constant_evaluated() && b.size() % 4 == 0)
    return fold_checksum(sum_native(b)) == 0xffff;
  return fold_checksum(sum_words(b)) == 0xffff;
}

/// The Internet checksum (RFC 1071) of `b`. Over data that contains its checksum it is 0 when
/// valid.
[[nodiscard]] constexpr std::uint16_t internet_checksum(Bytes b) noexcept {
  return static_cast<std::uint16_t>(~fold_checksum(sum_words(b)));
}

/// The checksum after one 16-bit word changed, HC' = ~(~HC + ~m + m') (RFC 1624 equation 3).
[[nodiscard]] constexpr std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t was,
                                                      std::uint16_t is) noexcept {
  const std::uint32_t sum =
      std::uint32_t{static_cast<std::uint16_t>(~checksum)} + static_cast<std::uint16_t>(~was) + is;
  return static_cast<std::uint16_t>(~fold_checksum(sum));
}
}  // namespace proto
