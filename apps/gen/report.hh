// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <vector>

#include "apps/gen/result.hh"
#include "apps/gen/rfc2544.hh"

/// Results for people and for programs. docs/gen.md says what each figure means.
namespace gen {
/// What changed within a second of a run, in a few lines.
class LiveView {
public:
  /// @param now  so far; called once a second. @return lines, each with its end.
  std::string update(const RunResult& now);

private:
  RunResult before_;
};

/// The final table of a run.
[[nodiscard]] std::string table_of(const RunResult& result);
/// JSON text, indented.
[[nodiscard]] std::string json_of(const RunResult& result);

[[nodiscard]] std::string table_of(const std::vector<SizeReport>& reports);
[[nodiscard]] std::string json_of(const std::vector<SizeReport>& reports,
                                  const BenchmarkOptions& options);
}  // namespace gen
