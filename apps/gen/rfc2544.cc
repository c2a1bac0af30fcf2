// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/rfc2544.hh"

#include <fmt/format.h>

#include <algorithm>

#include "apps/gen/units.hh"

namespace gen {
std::vector<std::uint16_t> standard_sizes(bool ip6, std::uint16_t smallest) {
  // RFC 5180 has the sizes of RFC 2544 for Ethernet, and jumbo frames where the device does them.
  std::vector<std::uint16_t> sizes{64, 128, 256, 512, 1024, 1280, 1518};
  sizes.front() = std::max<std::uint16_t>(ip6 ? 84 : 64, smallest);
  std::erase_if(sizes, [&](std::uint16_t s) { return s < smallest; });
  return sizes;
}

namespace {
/// The benchmarks of one frame size.
class SizeBenchmark {
public:
  SizeBenchmark(TrialBench& bench, const BenchmarkOptions& options,
                const std::function<void(const std::string&)>& progress, std::uint16_t size)
      : bench_{bench}, options_{options}, progress_{progress} {
    report_.size = size;
  }

  core::Expected<SizeReport> run() {
    for (const auto step :
         {&SizeBenchmark::find_line, &SizeBenchmark::find_rates, &SizeBenchmark::measure_latency,
          &SizeBenchmark::find_loss, &SizeBenchmark::find_burst})
      if (auto done = (this->*step)(); !done) return done.error();
    return std::move(report_);
  }

private:
  void say(const std::string& text) const {
    if (progress_) progress_(fmt::format("{} bytes: {}", report_.size, text));
  }

  core::Expected<Trial> trial(double rate) {
    auto r = bench_.run(
        {.size = report_.size,
         // Where the line's rate is what the generator can do, a rate of 1 is all that it can.
         .rate = rate,
         .flat_out = report_.line_measured && rate == 1,
         .duration_s = options_.trial_s});
    if (!r) return r.error();
    last_ = *std::move(r);
    const Trial t{.rate = rate,
                  .sent_rate = last_.sent_pps() / report_.line_pps,
                  .loss_ratio = last_.loss_ratio()};
    say(fmt::format("{:.2f}% of the line, {}pps sent, loss {:.4f}%", 100 * rate,
                    with_prefix(last_.sent_pps()), 100 * t.loss_ratio));
    return t;
  }

  core::Expected<> find_line() {
    report_.line_pps = bench_.line_pps(report_.size);
    if (report_.line_pps > 0) return core::Done{};
    report_.line_measured = true;
    const auto r =
        bench_.run({.size = report_.size, .flat_out = true, .duration_s = options_.trial_s});
    if (!r) return r.error();
    report_.line_pps = r->sent_pps();
    if (report_.line_pps <= 0)
      return core::Error{core::Errc::DeviceFailed,
                         fmt::format("{} bytes: the devices took no packets", report_.size)};
    say(fmt::format("no line rate is known; {}pps can be sent", with_prefix(report_.line_pps)));
    return core::Done{};
  }

  core::Expected<SoughtRate> find_rate(double tolerance) {
    SoughtRate found{.tolerance = tolerance, .pps = {}, .line_share = {}};
    std::vector<double> pps, share;
    for (unsigned n = 0; n < options_.trials; ++n) {
      ThroughputSearch search{tolerance, options_.resolution};
      while (const auto rate = search.next()) {
        const auto t = trial(*rate);
        if (!t) return t.error();
        search.report(*t);
      }
      // What was sent, not what was asked for.
      share.push_back(search.best() ? search.best()->sent_rate : 0);
      pps.push_back(share.back() * report_.line_pps);
      found.limited_by_generator = found.limited_by_generator || search.limited_by_generator();
    }
    found.pps = statistics_of(pps);
    found.line_share = statistics_of(share);
    return found;
  }

  core::Expected<> find_rates() {
    auto ndr = find_rate(0);
    if (!ndr) return ndr.error();
    report_.ndr = *ndr;
    if (!options_.pdr) return core::Done{};
    auto pdr = find_rate(*options_.pdr);
    if (!pdr) return pdr.error();
    report_.pdr = *pdr;
    return core::Done{};
  }

  core::Expected<> measure_latency() {
    // RFC 2544 section 26.2: at the throughput that was found.
    const double rate = std::min(report_.ndr.line_share.median, 1.0);
    if (options_.throughput_only || rate <= 0) return core::Done{};
    for (unsigned n = 0; n < options_.trials; ++n) {
      if (const auto t = trial(rate); !t) return t.error();
      report_.latency.push_back(last_);
    }
    return core::Done{};
  }

  core::Expected<> find_loss() {
    if (options_.throughput_only) return core::Done{};
    LossCurve curve;
    while (const auto rate = curve.next()) {
      const auto t = trial(*rate);
      if (!t) return t.error();
      curve.report(*t);
    }
    report_.loss = curve.points();
    return core::Done{};
  }

  core::Expected<> find_burst() {
    if (options_.throughput_only) return core::Done{};
    const auto most = static_cast<std::uint64_t>(report_.line_pps * options_.trial_s);
    std::vector<double> bursts;
    for (unsigned n = 0; n < options_.trials; ++n) {
      BurstSearch search{most, std::max<std::uint64_t>(most / 500, 1)};
      while (const auto frames = search.next()) {
        const auto r = bench_.run({.size = report_.size,
                                   .flat_out = report_.line_measured,
                                   .duration_s = 4 * options_.trial_s,
                                   .packets = *frames});
        if (!r) return r.error();
        say(fmt::format("a burst of {}: {} lost", r->sent, r->lost()));
        search.report(*frames, r->lost() > 0);
      }
      bursts.push_back(static_cast<double>(search.longest()));
      report_.burst_unbounded = report_.burst_unbounded || search.reached_most();
    }
    report_.burst = statistics_of(bursts);
    report_.implied_buffer_s = report_.burst->mean / report_.line_pps;
    report_.corrected_buffer_s =
        report_.implied_buffer_s * (1 - std::min(report_.ndr.line_share.median, 1.0));
    return core::Done{};
  }

  TrialBench& bench_;
  const BenchmarkOptions& options_;
  const std::function<void(const std::string&)>& progress_;
  SizeReport report_;
  StreamResult last_;
};
}  // namespace

core::Expected<std::vector<SizeReport>> run_benchmarks(
    TrialBench& bench, const BenchmarkOptions& options,
    const std::function<void(const std::string&)>& progress) {
  std::vector<SizeReport> reports;
  for (const std::uint16_t size : options.sizes) {
    auto report = SizeBenchmark{bench, options, progress, size}.run();
    if (!report) return report.error();
    reports.push_back(*std::move(report));
  }
  return reports;
}
}  // namespace gen
