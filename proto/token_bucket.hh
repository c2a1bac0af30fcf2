// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>

namespace proto {
/// A rate limit of one worker, without shared state: `rate_per_s` on average, as many at once.
class TokenBucket {
public:
  /// @param now_us  the worker's clock; may jump forward, never back.
  [[nodiscard]] bool take(std::uint64_t now_us, std::uint32_t rate_per_s) noexcept {
    const std::uint64_t full = std::uint64_t{rate_per_s} * kUsPerS;
    const std::uint64_t elapsed_us = std::min(now_us - last_us_, kUsPerS);
    level_ = std::min(full, level_ + elapsed_us * rate_per_s);
    last_us_ = now_us;
    if (level_ < kUsPerS) return false;
    level_ -= kUsPerS;
    return true;
  }

private:
  static constexpr std::uint64_t kUsPerS = 1'000'000;
  std::uint64_t level_ = ~std::uint64_t{0} >> 1;  ///< in millionths of a token; starts full
  std::uint64_t last_us_ = 0;
};
}  // namespace proto
