// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_cycles.h>

#include <cstdint>

namespace core {
/// Microseconds since the clock was made, from the time-stamp counter: the one clock of workers and
/// manager. Tests set Worker::now_us themselves and need none.
class Clock {
public:
  Clock() noexcept : start_{rte_rdtsc()}, hz_{rte_get_tsc_hz()} {
    us_per_cycle_ = static_cast<std::uint64_t>((Wide{1'000'000} << 64) / hz_);
  }
  [[nodiscard]] static std::uint64_t cycles() noexcept { return rte_rdtsc(); }
  /// @param cycles  as cycles() gave them, on any core (the TSC is constant and synchronous).
  [[nodiscard]] std::uint64_t us(std::uint64_t cycles) const noexcept {
    return static_cast<std::uint64_t>((Wide{cycles - start_} * us_per_cycle_) >> 64);
  }
  [[nodiscard]] std::uint64_t now_us() const noexcept { return us(cycles()); }

private:
  __extension__ using Wide = unsigned __int128;
  std::uint64_t start_, hz_;
  std::uint64_t us_per_cycle_;  ///< in units of 2^-64
};
}  // namespace core
