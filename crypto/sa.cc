// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/sa.hh"

namespace crypto {
std::string_view to_string(Algorithm a) noexcept {
  return a == Algorithm::AesGcm128 ? "aes-gcm-128" : "aes-gcm-256";
}

std::optional<Algorithm> parse_algorithm(std::string_view text) noexcept {
  for (const Algorithm a : {Algorithm::AesGcm128, Algorithm::AesGcm256})
    if (text == to_string(a)) return a;
  return std::nullopt;
}

std::size_t keymat_size(Algorithm a) noexcept {
  return key_size(a) + kSaltSize;
}
}  // namespace crypto
