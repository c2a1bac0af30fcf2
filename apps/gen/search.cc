// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/search.hh"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace gen {
std::optional<double> ThroughputSearch::next() const noexcept {
  if (first_) return 1.0;
  if (high_ - low_ <= resolution_) return std::nullopt;
  return (low_ + high_) / 2;
}

void ThroughputSearch::report(const Trial& trial) noexcept {
  const bool passed = trial.loss_ratio <= tolerance_;
  if (passed) {
    low_ = trial.rate;
    if (!best_ || trial.rate > best_->rate) best_ = trial;
  } else {
    high_ = trial.rate;
  }
  first_ = false;
}

bool ThroughputSearch::limited_by_generator() const noexcept {
  constexpr double kReached = 0.99;
  return best_ && best_->sent_rate < kReached * best_->rate;
}

std::optional<double> LossCurve::next() const noexcept {
  constexpr std::size_t kSteps = 10;
  const std::size_t n = points_.size();
  if (n == kSteps) return std::nullopt;
  if (n >= 2 && points_[n - 1].loss_ratio == 0 && points_[n - 2].loss_ratio == 0)
    return std::nullopt;
  return static_cast<double>(kSteps - n) / kSteps;
}

void LossCurve::report(const Trial& trial) {
  points_.push_back(trial);
}

BurstSearch::BurstSearch(std::uint64_t most, std::uint64_t resolution) noexcept
    : most_{std::max<std::uint64_t>(most, 1)},
      resolution_{std::max<std::uint64_t>(resolution, 1)},
      high_{most_} {}

std::optional<std::uint64_t> BurstSearch::next() const noexcept {
  if (first_) return most_;
  if (high_ <= low_ || high_ - low_ <= resolution_) return std::nullopt;
  return low_ + (high_ - low_) / 2;
}

void BurstSearch::report(std::uint64_t frames, bool lost) noexcept {
  (lost ? high_ : low_) = frames;
  first_ = false;
}

namespace {
/// Student's t for 95 %, two-sided, by degrees of freedom from 1.
double students_t(std::size_t freedom) noexcept {
  constexpr std::array kT{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                          2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                          2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  constexpr double kNormal = 1.960;
  return freedom <= kT.size() ? kT[freedom - 1] : kNormal;
}
}  // namespace

Statistics statistics_of(std::vector<double> values) {
  Statistics s;
  s.count = values.size();
  if (values.empty()) return s;
  std::ranges::sort(values);
  const std::size_t n = values.size();
  s.min = values.front();
  s.max = values.back();
  s.median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(n);
  if (n == 1) return s;
  double squares = 0;
  for (const double v : values) squares += (v - s.mean) * (v - s.mean);
  s.deviation = std::sqrt(squares / static_cast<double>(n - 1));
  s.confidence = students_t(n - 1) * s.deviation / std::sqrt(static_cast<double>(n));
  return s;
}
}  // namespace gen
