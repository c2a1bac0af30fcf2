// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "apps/gen/engine.hh"
#include "apps/gen/plan.hh"
#include "apps/gen/rfc2544.hh"

namespace gen {
/// The command line.
struct Options {
  enum class Mode : std::uint8_t { Run, Rfc2544, Replay };
  Mode mode = Mode::Run;
  std::vector<std::string> devices;  ///< -d, as given
  std::string config;                ///< -c; empty: none
  std::string json;                  ///< --json; empty: none, "-": standard output
  bool quiet = false;                ///< no live view
  double duration_s = 10, settle_s = 2;
  EngineOptions engine;
  BenchmarkOptions benchmark;
  bool learn = true;        ///< send a few packets before a benchmark
  std::string recording;    ///< replay: the file
  std::string replay_port;  ///< empty: the first
  std::optional<RatePlan> replay_rate;
  std::uint64_t replay_loops = 1;
};

/// The program is to end now: 0 after --help and --version, 2 after a usage error.
struct Leave {
  int status = 0;
  std::string text;  ///< for stdout where status is 0, else for stderr
};

[[nodiscard]] std::variant<Options, Leave> parse_options(int argc, const char* const* argv);
}  // namespace gen
