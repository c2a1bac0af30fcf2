// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/polluxd/config_check.hh"
#include "apps/polluxd/config_plan.hh"

namespace polluxd {
/// The configuration of a running daemon as a whole: compared with a file, changed to it, saved.
/// Manager thread; takes time as an argument.
class Configuration {
public:
  /// @param process  what the daemon was started with.
  Configuration(Manager& manager, const DriverRegistry& drivers, ProcessConfig process,
                CommandLine line)
      : manager_{manager},
        drivers_{drivers},
        process_{std::move(process)},
        line_{std::move(line)} {}

  /// What apply() would do; the command line's part is added to the file's. Changes nothing.
  /// @return the plan | Invalid (all that does not fit together, a line each, with its place).
  core::Expected<ConfigPlan> plan(ConfigFile wanted) const;

  /// Makes the file's configuration the running one, all or nothing.
  /// @param confirm_s  undo it after so many seconds unless confirm() comes first.
  /// @return what was done | what plan() returns | Invalid (another one waits for its confirmation)
  /// | the error of the step that failed; see carry_out().
  core::Expected<ConfigPlan> apply(ConfigFile wanted, std::optional<std::uint32_t> confirm_s);
  /// @return NotFound: nothing waits to be confirmed.
  core::Expected<> confirm();
  /// Seconds until what was applied is undone; none: nothing waits.
  [[nodiscard]] std::optional<std::uint64_t> waits_s() const;
  void poll(std::uint64_t now_us);

  struct Saved {
    std::string text;                   ///< of the file
    std::vector<SaConfig> without_key;  ///< SAs that are not in it: no file has their keys
  };
  [[nodiscard]] Saved save() const;

private:
  Manager& manager_;
  const DriverRegistry& drivers_;
  ProcessConfig process_;
  CommandLine line_;
  std::uint64_t now_us_ = 0;
  struct Waiting {
    ConfigUndo undo;
    std::uint64_t deadline_us;
  };
  std::optional<Waiting> waiting_;
};
}  // namespace polluxd
