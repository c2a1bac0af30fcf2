// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/gen/result.hh"
#include "apps/gen/search.hh"
#include "core/error.hh"

/// The benchmarks of RFC 2544 (throughput, latency, frame loss rate, back-to-back frames as RFC
/// 9004 has them), over whatever carries out trials: the engine, or a model in a test.
namespace gen {
/// What one trial sends: all streams at one rate, in frames of one size.
struct TrialRequest {
  std::uint16_t size = 64;  ///< bytes, FCS included
  double rate = 1;          ///< of the line's
  bool flat_out = false;    ///< as fast as possible instead
  double duration_s = 1;
  std::uint64_t packets = 0;  ///< of all streams together; 0: by time
};
/// Carries out trials.
class TrialBench {
public:
  TrialBench() = default;
  TrialBench(const TrialBench&) = delete;
  TrialBench& operator=(const TrialBench&) = delete;
  virtual ~TrialBench() = default;
  /// @return all streams as one.
  virtual core::Expected<StreamResult> run(const TrialRequest& request) = 0;
  /// Frames a second, of all streams together, that the lines carry at most; 0: not known.
  [[nodiscard]] virtual double line_pps(std::uint16_t size) const = 0;
};

struct BenchmarkOptions {
  std::vector<std::uint16_t> sizes{};  ///< none: standard_sizes()
  double trial_s = 60;                 ///< RFC 2544 section 24: 60 s for results
  double resolution = 0.005;           ///< of the line's rate
  std::optional<double> pdr{};         ///< loss tolerated for a partial drop rate; none: not sought
  unsigned trials = 3;                 ///< searches, bursts and latency trials each
  bool throughput_only = false;
};

/// A rate that was sought several times.
struct SoughtRate {
  double tolerance = 0;
  Statistics pps;         ///< frames a second that passed; 0 where none did
  Statistics line_share;  ///< the same, of the line's rate
  bool limited_by_generator = false;
};

struct SizeReport {
  std::uint16_t size = 0;
  double line_pps = 0;
  bool line_measured = false;  ///< nobody said how fast it is: what could be sent at most
  SoughtRate ndr;
  std::optional<SoughtRate> pdr;
  std::vector<StreamResult> latency;  ///< trials at the non-drop rate; empty: there is none
  std::vector<Trial> loss;
  std::optional<Statistics> burst;  ///< frames back to back
  bool burst_unbounded = false;     ///< the longest one tried came through
  /// RFC 9004 section 6.4: how long the device's buffers take what it cannot forward at once.
  double implied_buffer_s = 0, corrected_buffer_s = 0;
};

/// Frame sizes to be measured: RFC 2544 section 9.1 for IPv4; for IPv6 those of RFC 5180 section
/// 5.1, where the smallest that holds our headers and signature stands for 64 (RFC 8219 has 84).
[[nodiscard]] std::vector<std::uint16_t> standard_sizes(bool ip6, std::uint16_t smallest);

/// @param progress  told in a line what is being done; none: silent.
/// @return the reports | what the bench could not do.
core::Expected<std::vector<SizeReport>> run_benchmarks(
    TrialBench& bench, const BenchmarkOptions& options,
    const std::function<void(const std::string&)>& progress);
}  // namespace gen
