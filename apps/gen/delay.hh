// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstdint>

#include "apps/gen/gauge.hh"
#include "apps/gen/histogram.hh"
#include "core/counter.hh"

namespace gen {
/// One-way delays of a flow and how they vary. One worker records, anyone looks.
class DelayMeter {
public:
  /// @param sequence  as sent. @param delay_ns  from sender to receiver.
  void record(std::uint32_t sequence, std::uint64_t delay_ns) noexcept {
    delays_.record(delay_ns);
    const auto delay = static_cast<double>(delay_ns);
    if (any_) {
      const double difference = std::abs(delay - last_delay_);
      // RFC 3550 section 6.4.1: packets in the order of their arrival.
      jitter_.set(jitter_.read() + (difference - jitter_.read()) / 16);
      // RFC 5481 section 4.1: IPDV takes packets that were sent one after the other.
      if (sequence == last_sequence_ + 1) {
        ipdv_sum_.set(ipdv_sum_.read() + difference);
        ipdv_count_.add(1);
      }
    }
    any_ = true;
    last_delay_ = delay;
    last_sequence_ = sequence;
  }
  [[nodiscard]] const Histogram& delays() const noexcept { return delays_; }
  /// Smoothed interarrival jitter, ns (RFC 3550 section 6.4.1).
  [[nodiscard]] double jitter_ns() const noexcept { return jitter_.read(); }
  /// Sum over all pairs of |IPDV|, ns, and how many pairs (RFC 5481 section 4.1).
  [[nodiscard]] double ipdv_sum_ns() const noexcept { return ipdv_sum_.read(); }
  [[nodiscard]] std::uint64_t ipdv_count() const noexcept { return ipdv_count_.read(); }

private:
  Histogram delays_;
  Gauge<double> jitter_{0}, ipdv_sum_{0};
  core::Counter ipdv_count_;
  bool any_ = false;
  double last_delay_ = 0;
  std::uint32_t last_sequence_ = 0;
};
}  // namespace gen
