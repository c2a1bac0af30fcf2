// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/engine_bench.hh"

#include <algorithm>
#include <set>

namespace gen {
std::size_t EngineBench::sharers(std::size_t port) const {
  return static_cast<std::size_t>(
      std::ranges::count(engine_.plan().streams, port, &StreamPlan::from));
}

double EngineBench::line_pps(std::uint16_t size) const {
  std::set<std::size_t> ports;
  for (const StreamPlan& s : engine_.plan().streams) ports.insert(s.from);
  double sum = 0;
  for (const std::size_t p : ports) {
    const double line = engine_.line_rate(p);
    if (line <= 0) return 0;
    sum += line_rate_pps(line, size);
  }
  return sum;
}

core::Expected<StreamResult> EngineBench::run(const TrialRequest& request) {
  RunRequest run{.streams = engine_.plan().streams};
  run.duration_s = request.duration_s;
  run.settle_s = settle_s_;
  const double line = line_pps(request.size);
  const std::size_t n = run.streams.size();
  for (std::size_t i = 0; i < n; ++i) {
    StreamPlan& s = run.streams[i];
    s.size = SizePlan::fixed(request.size);
    s.packets.reset();
    if (request.packets > 0) s.packets = request.packets / n + (i < request.packets % n ? 1 : 0);
    if (request.flat_out) {
      s.rate = {};
    } else if (line > 0) {
      s.rate = {.unit = RatePlan::Unit::PercentOfLine,
                .value = 100 * request.rate / static_cast<double>(sharers(s.from))};
    } else {
      s.rate = {.unit = RatePlan::Unit::PacketsPerS,
                .value = std::max(1.0, request.rate * measured_pps_ / static_cast<double>(n))};
    }
  }
  const auto result = engine_.run(run);
  if (!result) return result.error();
  if (result->interrupted) return core::Error{core::Errc::Timeout, "interrupted"};
  StreamResult total = result->total();
  if (request.flat_out && request.packets == 0 && line <= 0) measured_pps_ = total.sent_pps();
  return total;
}

core::Expected<> EngineBench::learn() {
  constexpr double kSeconds = 0.5, kPps = 50;
  RunRequest run{.streams = engine_.plan().streams};
  run.duration_s = kSeconds;
  run.settle_s = 0.5;
  for (StreamPlan& s : run.streams) {
    s.rate = {.unit = RatePlan::Unit::PacketsPerS, .value = kPps};
    s.packets.reset();
  }
  const auto done = engine_.run(run);
  if (!done) return done.error();
  return core::Done{};
}
}  // namespace gen
