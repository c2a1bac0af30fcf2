// SPDX-License-Identifier: BSD-3-Clause
// The benchmarks over a device that is a formula: what it carries is known, so what is found can be
// judged. Its time is a number; an hour of trials takes no time.
#include "apps/gen/search.hh"

#include <gtest/gtest.h>

#include <cmath>

#include "apps/gen/field.hh"
#include "apps/gen/frame_size.hh"
#include "apps/gen/rfc2544.hh"

namespace gen {
namespace {
/// Forwards `capacity` frames a second and has a buffer for what comes faster.
class ModelDevice final : public TrialBench {
public:
  double line = 1e9;  ///< bit/s; 0: nobody knows
  double capacity_pps = 1e6;
  double buffer = 1000;         ///< frames
  double noise = 0;             ///< a trial has so much less capacity at most, by chance
  double generator_pps = 1e12;  ///< what the generator can do
  double elapsed_s = 0;
  int trials = 0;

  core::Expected<StreamResult> run(const TrialRequest& r) override {
    ++trials;
    const double line_limit = line > 0 ? line_rate_pps(line, r.size) : generator_pps;
    const double asked = r.flat_out ? generator_pps : r.rate * reference(r.size);
    const double pps = std::min({asked, generator_pps, line_limit});
    const double seconds = r.packets > 0 ? static_cast<double>(r.packets) / pps : r.duration_s;
    const double chance = static_cast<double>(random_.below(1000)) / 1000;
    const double capacity = capacity_pps * (1 - noise * chance);
    StreamResult s;
    s.sent = r.packets > 0 ? r.packets : static_cast<std::uint64_t>(std::llround(pps * seconds));
    const double excess = (pps - capacity) * seconds - buffer;
    const auto lost = excess > 0 ? static_cast<std::uint64_t>(std::ceil(excess)) : 0;
    s.received = s.sent - std::min(lost, s.sent);
    s.send_s = static_cast<double>(s.sent - 1) / pps;
    elapsed_s += seconds;
    return s;
  }
  [[nodiscard]] double line_pps(std::uint16_t size) const override {
    return line > 0 ? line_rate_pps(line, size) : 0;
  }

private:
  [[nodiscard]] double reference(std::uint16_t size) const {
    return line > 0 ? line_rate_pps(line, size) : generator_pps;
  }
  Random random_{1};
};

SizeReport benchmark(ModelDevice& device, BenchmarkOptions options) {
  options.sizes = {64};
  auto reports = run_benchmarks(device, options, {});
  EXPECT_TRUE(reports);
  return reports ? (*reports)[0] : SizeReport{};
}

TEST(Benchmarks, FindTheCapacityOfADevice) {
  for (const double capacity : {1e4, 3e5, 1e6, 1.4e6}) {
    ModelDevice device;
    device.capacity_pps = capacity;
    device.buffer = 0;
    const SizeReport r = benchmark(device, {.trial_s = 60, .resolution = 0.001});
    const double line = line_rate_pps(1e9, 64);
    EXPECT_LE(r.ndr.pps.median, capacity * 1.000001);
    EXPECT_GE(r.ndr.pps.median, capacity - 0.001 * line);
    EXPECT_EQ(r.ndr.pps.count, 3u);
    EXPECT_FALSE(r.ndr.limited_by_generator);
    EXPECT_GT(device.elapsed_s, 1800);
  }
}

TEST(Benchmarks, LineRateIsTriedFirstAndMayBeAll) {
  ModelDevice device;
  device.capacity_pps = 1e9;
  const SizeReport r = benchmark(device, {.trial_s = 1, .trials = 1, .throughput_only = true});
  EXPECT_EQ(device.trials, 1);
  EXPECT_NEAR(r.ndr.line_share.median, 1, 1e-6);
}

TEST(Benchmarks, PartialDropRateIsHigher) {
  ModelDevice device;
  device.buffer = 0;
  const SizeReport r = benchmark(device, {.trial_s = 10, .resolution = 0.0005, .pdr = 0.01});
  ASSERT_TRUE(r.pdr);
  // Of R frames 1 % may be lost: R = capacity / 0.99.
  EXPECT_NEAR(r.pdr->pps.median, 1e6 / 0.99, 0.0005 * line_rate_pps(1e9, 64));
  EXPECT_GT(r.pdr->pps.median, r.ndr.pps.median);
}

TEST(Benchmarks, NoiseShowsInTheSpread) {
  ModelDevice device;
  device.buffer = 0;
  device.noise = 0.05;
  const SizeReport r = benchmark(
      device, {.trial_s = 10, .resolution = 0.0005, .trials = 15, .throughput_only = true});
  EXPECT_GT(r.ndr.pps.max, r.ndr.pps.min);
  EXPECT_GT(r.ndr.pps.confidence, 0);
  EXPECT_GE(r.ndr.pps.median, 0.94e6);
  EXPECT_LE(r.ndr.pps.max, 1.0e6 + 1);
}

TEST(Benchmarks, ASlowGeneratorIsNamed) {
  ModelDevice device;
  device.generator_pps = 5e5;
  const SizeReport r = benchmark(device, {.trial_s = 1, .trials = 1, .throughput_only = true});
  EXPECT_TRUE(r.ndr.limited_by_generator);
  EXPECT_NEAR(r.ndr.pps.median, 5e5, 1);
}

TEST(Benchmarks, AnUnknownLineIsMeasured) {
  ModelDevice device;
  device.line = 0;
  device.generator_pps = 2e6;
  device.buffer = 0;
  const SizeReport r = benchmark(device, {.trial_s = 1, .resolution = 0.001});
  EXPECT_TRUE(r.line_measured);
  EXPECT_NEAR(r.line_pps, 2e6, 1);
  EXPECT_NEAR(r.ndr.pps.median, 1e6, 2001);
}

TEST(Benchmarks, BuffersAreFoundByBursts) {
  ModelDevice device;
  device.buffer = 5000;
  const SizeReport r = benchmark(device, {.trial_s = 2, .resolution = 0.001});
  const double line = line_rate_pps(1e9, 64);
  // A burst of B at the line's rate leaves B * (1 - capacity / line) in the buffer.
  const double longest = 5000 / (1 - 1e6 / line);
  ASSERT_TRUE(r.burst);
  EXPECT_NEAR(r.burst->mean, longest, 2 * line / 500 + 1);
  EXPECT_FALSE(r.burst_unbounded);
  EXPECT_NEAR(r.corrected_buffer_s, 5000 / line, 2 / 500.0);
}

TEST(LossCurve, StopsAfterTwoTrialsWithoutLoss) {
  LossCurve c;
  std::vector<double> rates;
  while (const auto rate = c.next()) {
    rates.push_back(*rate);
    c.report({.rate = *rate, .sent_rate = *rate, .loss_ratio = *rate > 0.65 ? *rate - 0.65 : 0});
  }
  ASSERT_EQ(rates.size(), 6u);
  EXPECT_DOUBLE_EQ(rates.front(), 1);
  EXPECT_DOUBLE_EQ(rates.back(), 0.5);
}

TEST(LossCurve, EndsAtATenth) {
  LossCurve c;
  int n = 0;
  for (; c.next(); ++n) c.report({.rate = *c.next(), .sent_rate = 1, .loss_ratio = 0.5});
  EXPECT_EQ(n, 10);
}

TEST(ThroughputSearch, ADeviceThatLosesAlwaysHasNone) {
  ThroughputSearch s{0, 0.01};
  while (const auto rate = s.next()) s.report({.rate = *rate, .sent_rate = *rate, .loss_ratio = 1});
  EXPECT_FALSE(s.best());
}

TEST(BurstSearch, FindsTheLongest) {
  for (const std::uint64_t longest : {0, 1, 17, 999, 1000}) {
    BurstSearch s{1000, 1};
    while (const auto frames = s.next()) s.report(*frames, *frames > longest);
    EXPECT_EQ(s.longest(), longest);
    EXPECT_EQ(s.reached_most(), longest == 1000);
  }
}

TEST(Statistics, OfAKnownSample) {
  const Statistics s = statistics_of({5, 1, 4, 2, 3});
  EXPECT_DOUBLE_EQ(s.median, 3);
  EXPECT_DOUBLE_EQ(s.mean, 3);
  EXPECT_NEAR(s.deviation, std::sqrt(2.5), 1e-12);
  EXPECT_NEAR(s.confidence, 2.776 * std::sqrt(2.5) / std::sqrt(5.0), 1e-9);
  EXPECT_DOUBLE_EQ(statistics_of({1, 2}).median, 1.5);
  EXPECT_EQ(statistics_of({7}).confidence, 0);
  EXPECT_EQ(statistics_of({}).count, 0u);
}

TEST(StandardSizes, AreThoseOfTheRfcs) {
  EXPECT_EQ(standard_sizes(false, 64),
            (std::vector<std::uint16_t>{64, 128, 256, 512, 1024, 1280, 1518}));
  EXPECT_EQ(standard_sizes(true, 84).front(), 84);
  EXPECT_EQ(standard_sizes(false, 68).front(), 68);
}
}  // namespace
}  // namespace gen
