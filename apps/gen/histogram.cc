// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/histogram.hh"

#include <algorithm>
#include <cmath>

namespace gen {
std::uint64_t HistogramView::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double exact = std::ceil(percent / 100 * static_cast<double>(count_));
  const auto wanted = static_cast<std::uint64_t>(std::max(exact, 1.0));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::clamp(Buckets::upper(i), min_, max_);
  }
  return max_;
}

void HistogramView::add(const HistogramView& other) {
  if (other.buckets_.empty()) return;
  buckets_.resize(Buckets::kCount);
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

HistogramView HistogramView::since(const HistogramView& before) const {
  if (before.buckets_.empty()) return *this;
  HistogramView d;
  d.buckets_.resize(Buckets::kCount);
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    d.buckets_[i] = buckets_[i] - before.buckets_[i];
    if (d.buckets_[i] == 0) continue;
    d.count_ += d.buckets_[i];
    d.min_ = std::min(d.min_, Buckets::upper(i));
    d.max_ = Buckets::upper(i);
  }
  d.sum_ = sum_ - before.sum_;
  return d;
}

HistogramView Histogram::view() const {
  HistogramView v;
  v.buckets_.resize(Buckets::kCount);
  // The count is that of the buckets as they are read: a worker may be recording meanwhile.
  for (std::size_t i = 0; i < v.buckets_.size(); ++i) {
    v.buckets_[i] = buckets_[i].read();
    v.count_ += v.buckets_[i];
  }
  v.sum_ = sum_.read();
  v.min_ = min_.read();
  v.max_ = max_.read();
  return v;
}
}  // namespace gen
