// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/histogram.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "apps/gen/delay.hh"
#include "apps/gen/field.hh"

namespace gen {
namespace {
TEST(Buckets, FollowEachOtherWithoutHoles) {
  EXPECT_EQ(Buckets::index(0), 0u);
  for (std::size_t i = 0; i + 1 < Buckets::kCount; ++i) {
    const std::uint64_t last = Buckets::upper(i);
    ASSERT_EQ(Buckets::index(last), i);
    ASSERT_EQ(Buckets::index(last + 1), i + 1);
    const std::uint64_t first = i == 0 ? 0 : Buckets::upper(i - 1) + 1;
    ASSERT_LE((last - first) * 1024, last) << i;  // three digits
  }
  EXPECT_EQ(Buckets::upper(Buckets::kCount - 1), Buckets::kMaxValue);
  EXPECT_GT(Buckets::kMaxValue, 60'000'000'000u);
}

TEST(Histogram, AgreesWithSortedSamples) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random{seed};
    const auto h = std::make_unique<Histogram>();
    std::vector<std::uint64_t> samples;
    const std::uint64_t n = 1 + random.below(3000);
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t v = random.next() >> (28 + random.below(36));
      samples.push_back(v);
      h->record(v);
    }
    std::ranges::sort(samples);
    const HistogramView view = h->view();
    ASSERT_EQ(view.count(), n);
    EXPECT_EQ(view.min(), samples.front());
    EXPECT_EQ(view.max(), samples.back());
    double sum = 0;
    for (const std::uint64_t v : samples) sum += static_cast<double>(v);
    EXPECT_NEAR(view.mean(), sum / static_cast<double>(n), 1e-6 * sum);
    for (const double p : {0.1, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(n)));
      const std::uint64_t exact = samples[std::max<std::size_t>(rank, 1) - 1];
      EXPECT_GE(view.percentile(p), exact);
      EXPECT_LE(view.percentile(p), exact + exact / 1024) << p;
    }
  }
}

TEST(Histogram, EmptyAndBeyond) {
  const auto h = std::make_unique<Histogram>();
  EXPECT_EQ(h->view().percentile(50), 0u);
  EXPECT_EQ(h->view().min(), 0u);
  h->record(100'000'000'000);  // 100 s
  EXPECT_EQ(h->view().max(), 100'000'000'000u);
  EXPECT_EQ(h->view().count(), 1u);
}

TEST(Histogram, ViewsAddUpAndSubtract) {
  const auto h = std::make_unique<Histogram>();
  for (std::uint64_t v = 1; v <= 100; ++v) h->record(v);
  const HistogramView first = h->view();
  for (std::uint64_t v = 901; v <= 1000; ++v) h->record(v);
  const HistogramView second = h->view().since(first);
  EXPECT_EQ(second.count(), 100u);
  EXPECT_EQ(second.percentile(50), 950u);
  EXPECT_EQ(second.min(), 901u);
  EXPECT_NEAR(second.mean(), 950.5, 1e-9);
  HistogramView both = first;
  both.add(second);
  EXPECT_EQ(both.count(), 200u);
  EXPECT_EQ(both.percentile(50), 100u);
  EXPECT_EQ(both.max(), 1000u);
}

// RFC 3550 section 6.4.1 by hand: J += (|D| - J) / 16.
TEST(DelayMeter, JitterAndVariation) {
  const auto m = std::make_unique<DelayMeter>();
  m->record(0, 1000);
  m->record(1, 1160);
  EXPECT_DOUBLE_EQ(m->jitter_ns(), 10.0);
  m->record(3, 1000);  // 2 is missing: jitter counts it, IPDV has no such pair
  EXPECT_DOUBLE_EQ(m->jitter_ns(), 10.0 + (160.0 - 10.0) / 16);
  m->record(4, 1040);
  EXPECT_EQ(m->ipdv_count(), 2u);
  EXPECT_DOUBLE_EQ(m->ipdv_sum_ns(), 200.0);
}
}  // namespace
}  // namespace gen
