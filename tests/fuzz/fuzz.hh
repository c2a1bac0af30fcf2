// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

/// What every fuzz target shares.
namespace fuzz {
using Input = std::span<const std::uint8_t>;

/// Ends the process where a law does not hold, so that libFuzzer keeps the input.
inline void require(bool holds, const char* law) {
  if (holds) return;
  std::fprintf(stderr, "broken law: %s\n", law);
  std::abort();
}

/// Uses a value, so that the accessor that made it is not optimised away.
template <class T>
void use(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// Reads each byte, so that AddressSanitizer judges the whole range.
inline void touch(Input bytes) {
  std::uint8_t all = 0;
  for (const std::uint8_t b : bytes) all = static_cast<std::uint8_t>(all ^ b);
  use(all);
}

/// Requires that `part` lies within `whole`.
inline void require_within(Input part, Input whole) {
  if (part.empty()) return;
  require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size(),
          "a view shows only bytes of its packet");
  touch(part);
}
}  // namespace fuzz
