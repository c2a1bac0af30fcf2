// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

/// What RFC 2544 and RFC 9004 look for, as pure logic: it says what to try next and is told what
/// came of it. It knows neither devices nor time.
namespace gen {
/// What a trial is asked for, and what came of it.
struct Trial {
  double rate = 0;        ///< of the line's, above 0, up to 1
  double sent_rate = 0;   ///< what the generator reached, of the line's
  double loss_ratio = 0;  ///< of the packets sent
};

/// Throughput (RFC 2544 section 26.1): the highest rate at which no more than a tolerated share is
/// lost, by bisection from the line's rate down. A tolerance of zero makes it the non-drop rate.
class ThroughputSearch {
public:
  /// @param tolerance   share that may be lost, 0 to 1.
  /// @param resolution  of the line's rate: how close the result must be, above 0.
  ThroughputSearch(double tolerance, double resolution) noexcept
      : tolerance_{tolerance}, resolution_{resolution} {}
  /// What to try. @return nothing: the search is over.
  [[nodiscard]] std::optional<double> next() const noexcept;
  void report(const Trial& trial) noexcept;
  /// The best trial that passed; nothing: even the lowest rate lost packets.
  [[nodiscard]] const std::optional<Trial>& best() const noexcept { return best_; }
  /// The generator did not reach what was asked for: the device may well carry more.
  [[nodiscard]] bool limited_by_generator() const noexcept;

private:
  double tolerance_, resolution_;
  double low_ = 0, high_ = 1;  ///< passed; failed, or 1 before the first trial
  bool first_ = true;
  std::optional<Trial> best_;
};

/// Frame loss rate (RFC 2544 section 26.3): from the line's rate down in steps of a tenth, until
/// two trials that follow each other lose nothing.
class LossCurve {
public:
  [[nodiscard]] std::optional<double> next() const noexcept;
  void report(const Trial& trial);
  [[nodiscard]] const std::vector<Trial>& points() const noexcept { return points_; }

private:
  std::vector<Trial> points_;
};

/// Back-to-back frames (RFC 9004): the longest burst at the line's rate of which nothing is lost.
class BurstSearch {
public:
  /// @param most  frames of the longest burst to try; RFC 9004 section 5.4 has 30 s at most.
  /// @param resolution  frames.
  BurstSearch(std::uint64_t most, std::uint64_t resolution) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> next() const noexcept;
  void report(std::uint64_t frames, bool lost) noexcept;
  /// 0: no burst came through whole.
  [[nodiscard]] std::uint64_t longest() const noexcept { return low_; }
  /// The longest burst to try came through: the device's buffer was not found.
  [[nodiscard]] bool reached_most() const noexcept { return low_ == most_; }

private:
  std::uint64_t most_, resolution_, low_ = 0, high_;
  bool first_ = true;
};

/// What repeated measurements say together.
struct Statistics {
  std::size_t count = 0;
  double median = 0, mean = 0, min = 0, max = 0;
  double deviation = 0;  ///< of the sample
  /// Half the width of the 95 % confidence interval around the mean (Student's t, as if the
  /// measurements were normally distributed); 0 where there is but one.
  double confidence = 0;
};
[[nodiscard]] Statistics statistics_of(std::vector<double> values);
}  // namespace gen
