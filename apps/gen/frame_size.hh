// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "apps/gen/field.hh"

namespace gen {
/// Bytes of Ethernet's frame check sequence: frame sizes count it (RFC 2544 section 9), buffers do
/// not hold it.
inline constexpr std::uint32_t kFcsLen = 4;
/// Preamble, start delimiter and inter-frame gap: a frame's share of the wire beside itself.
inline constexpr std::uint32_t kGapLen = 20;

/// Frames of `size` bytes a second that a link carries at most.
[[nodiscard]] constexpr double line_rate_pps(double bits_per_s, double size) noexcept {
  return bits_per_s / ((size + kGapLen) * 8);
}

/// Frame sizes from packet to packet, FCS included.
struct SizePlan {
  struct Part {
    std::uint16_t size = 64;
    std::uint32_t weight = 1;
  };
  std::vector<Part> mix = std::vector<Part>(1);  ///< never empty unless `range` is used
  FieldPlan range = {};                          ///< used where `mix` is empty

  [[nodiscard]] static SizePlan fixed(std::uint16_t size) { return {.mix = {{size, 1}}}; }
  /// "Simple IMIX": 7 small, 4 middle, 1 large; in bytes of IP packet 40 (padded), 576, 1500.
  [[nodiscard]] static SizePlan imix() { return {.mix = {{64, 7}, {594, 4}, {1518, 1}}}; }

  [[nodiscard]] std::uint16_t smallest() const noexcept {
    if (mix.empty()) return static_cast<std::uint16_t>(range.min);
    return std::ranges::min(mix, {}, &Part::size).size;
  }
  [[nodiscard]] std::uint16_t largest() const noexcept {
    if (mix.empty()) return static_cast<std::uint16_t>(range.max);
    return std::ranges::max(mix, {}, &Part::size).size;
  }
  [[nodiscard]] double mean() const noexcept {
    if (mix.empty()) return (static_cast<double>(range.min) + static_cast<double>(range.max)) / 2;
    double bytes = 0, n = 0;
    for (const Part& p : mix) {
      bytes += static_cast<double>(p.weight) * p.size;
      n += p.weight;
    }
    return bytes / n;
  }
};

/// The sizes one after the other. Those of a mix come interleaved (smooth weighted round robin):
/// every run of as many packets as the weights add up to holds each size as often as its weight.
class SizeCursor {
public:
  SizeCursor(const SizePlan& plan, std::uint64_t seed)
      : mix_{plan.mix}, range_{plan.range, seed}, credit_(plan.mix.size()) {
    for (const auto& p : mix_) total_ += p.weight;
  }
  std::uint16_t next() noexcept {
    if (mix_.empty()) return static_cast<std::uint16_t>(range_.next());
    if (mix_.size() == 1) return mix_[0].size;
    std::size_t best = 0;
    for (std::size_t i = 0; i < mix_.size(); ++i) {
      credit_[i] += mix_[i].weight;
      if (credit_[i] > credit_[best]) best = i;
    }
    credit_[best] -= total_;
    return mix_[best].size;
  }

private:
  std::vector<SizePlan::Part> mix_;
  FieldCursor range_;
  std::vector<std::int64_t> credit_;
  std::int64_t total_ = 0;
};
}  // namespace gen
