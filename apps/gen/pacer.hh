// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>

namespace gen {
/// Says when the next packet may go: a token bucket in the form of a next departure time. Time is
/// in cycles of the time-stamp counter, given by the caller; tests count them themselves.
///
/// A sender that comes late catches up, but by no more than `burst` packets: what it missed beyond
/// that is gone, and the rate reached is lower than the rate asked for. The report shows both.
class Pacer {
public:
  /// @param cycles_per_unit  time that a packet of cost 1 takes; 0: as fast as possible.
  /// @param burst            packets that may follow each other at once, 1 or more.
  Pacer(double cycles_per_unit, double burst) noexcept
      : cycles_per_unit_{cycles_per_unit}, burst_{burst} {}

  /// @param at  cycles; the first packet goes then.
  void start(std::uint64_t at) noexcept {
    start_ = at;
    next_ = 0;
  }
  [[nodiscard]] bool is_due(std::uint64_t now) const noexcept {
    return now >= start_ && (cycles_per_unit_ == 0 || since_start(now) >= next_);
  }
  /// A packet goes. @pre is_due(now).
  /// @param cost  units: 1 where the rate counts packets, bits on the wire where it counts those.
  void take(std::uint64_t now, double cost) noexcept {
    const double gap = cost * cycles_per_unit_;
    next_ = std::max(next_, since_start(now) - burst_ * gap) + gap;
  }

private:
  [[nodiscard]] double since_start(std::uint64_t now) const noexcept {
    return static_cast<double>(now - start_);
  }
  double cycles_per_unit_, burst_;
  std::uint64_t start_ = 0;
  double next_ = 0;  ///< cycles since start_; a double holds days of them to a fraction of one
};
}  // namespace gen
