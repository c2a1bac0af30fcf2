// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "apps/gen/gauge.hh"
#include "core/counter.hh"

namespace gen {
/// Where a value of a histogram is counted: log-linear, as HdrHistogram has it. Values below 2048
/// have a bucket each; above, every power of two is cut into 1024, so that a bucket is never wider
/// than a thousandth of its values: three significant digits.
struct Buckets {
  static constexpr unsigned kBits = 11, kMaxBits = 36;  ///< 2^36 ns are 68 s
  static constexpr std::uint64_t kMaxValue = (std::uint64_t{1} << kMaxBits) - 1;
  static constexpr std::size_t kHalf = std::size_t{1} << (kBits - 1);
  static constexpr std::size_t kCount = 2 * kHalf + (kMaxBits - kBits) * kHalf;

  /// @pre v <= kMaxValue
  [[nodiscard]] static constexpr std::size_t index(std::uint64_t v) noexcept {
    if (v < 2 * kHalf) return static_cast<std::size_t>(v);
    const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - kBits;  // 1 or more
    return shift * kHalf + static_cast<std::size_t>(v >> shift);
  }
  /// The largest value that is counted there.
  [[nodiscard]] static constexpr std::uint64_t upper(std::size_t i) noexcept {
    if (i < 2 * kHalf) return i;
    const std::size_t shift = i / kHalf - 1;
    const std::uint64_t top = i - shift * kHalf;
    return ((top + 1) << shift) - 1;
  }
};

/// What a histogram held at one moment. Can be added up and subtracted.
class HistogramView {
public:
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept {
    return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
  }
  /// The value that this share of all values does not exceed, to three digits; exact where it is
  /// the least or the greatest. @param percent  above 0, up to 100. @return 0 without values.
  [[nodiscard]] std::uint64_t percentile(double percent) const noexcept;
  void add(const HistogramView& other);
  /// What came since `before`, a view of the same histogram. min() and max() are those of buckets.
  [[nodiscard]] HistogramView since(const HistogramView& before) const;

private:
  friend class Histogram;
  std::vector<std::uint64_t> buckets_;  ///< empty: no values
  std::uint64_t count_ = 0, min_ = std::numeric_limits<std::uint64_t>::max(), max_ = 0;
  double sum_ = 0;
};

/// Counts values, of nanoseconds here, from 0 to 68 s; larger ones count as that, but max() is
/// exact. One worker records, anyone looks.
class Histogram {
public:
  void record(std::uint64_t value) noexcept {
    buckets_[Buckets::index(std::min(value, Buckets::kMaxValue))].add(1);
    sum_.set(sum_.read() + static_cast<double>(value));
    if (value < min_.read()) min_.set(value);
    if (value > max_.read()) max_.set(value);
  }
  [[nodiscard]] HistogramView view() const;

private:
  std::array<core::Counter, Buckets::kCount> buckets_{};
  Gauge<double> sum_{0};
  Gauge<std::uint64_t> min_{std::numeric_limits<std::uint64_t>::max()}, max_{0};
};
}  // namespace gen
