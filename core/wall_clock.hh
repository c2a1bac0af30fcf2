// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_cycles.h>
#include <time.h>

#include <cstdint>

namespace core {
/// Turns time stamps of the TSC into the time of day. Its rate is known to a promille at first, so
/// the two are set against each other again and again, and what lies between two such moments is
/// interpolated. One thread.
class WallClock {
public:
  WallClock() noexcept : last_{now()}, before_{last_} {}

  /// Sets the clocks against each other; before each lot of time stamps.
  void set() noexcept {
    const Moment next = now();
    if (next.tsc == last_.tsc) return;
    before_ = last_;
    last_ = next;
  }
  /// Nanoseconds since 1970. @param tsc  of the last seconds.
  [[nodiscard]] std::int64_t ns(std::uint64_t tsc) const noexcept {
    const auto from_last = static_cast<double>(static_cast<std::int64_t>(tsc - last_.tsc));
    return last_.ns + static_cast<std::int64_t>(from_last * ns_per_cycle());
  }

private:
  struct Moment {
    std::uint64_t tsc;
    std::int64_t ns;
  };
  static Moment now() noexcept {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    return {rte_rdtsc(), std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec};
  }
  [[nodiscard]] double ns_per_cycle() const noexcept {
    const auto cycles = static_cast<double>(last_.tsc - before_.tsc);
    const auto passed = static_cast<double>(last_.ns - before_.ns);
    // The time of day may have been set meanwhile.
    const double told = 1e9 / static_cast<double>(rte_get_tsc_hz());
    const double seen = cycles > 0 ? passed / cycles : told;
    return seen > told * 0.9 && seen < told * 1.1 ? seen : told;
  }
  Moment last_, before_;
};
}  // namespace core
