// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace test {
/// hex("4500" "001c"): the bytes as a constant, so that a test can be a static_assert. No spaces;
/// a character that is no lower-case digit does not compile.
template <std::size_t N>
[[nodiscard]] consteval auto hex(const char (&text)[N]) {
  static_assert(N % 2 == 1, "two digits a byte");
  const auto digit = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    throw "not a hexadecimal digit";
  };
  std::array<std::uint8_t, N / 2> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  return bytes;
}
}  // namespace test
