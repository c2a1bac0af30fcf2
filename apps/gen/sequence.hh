// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <vector>

#include "apps/gen/gauge.hh"
#include "core/counter.hh"

namespace gen {
/// Follows the sequence numbers of one flow: what is new, what came twice, what came late. Numbers
/// are sent from 0 on without holes. It remembers the last `window` numbers below the highest; a
/// packet from further back can no longer be told from a duplicate and counts as too late, and is
/// as good as lost. One worker observes, anyone looks at the counters.
class SequenceTracker {
public:
  /// @param window  packets, 1 or more; rounded up to a power of two.
  explicit SequenceTracker(std::uint32_t window);

  enum class Verdict : std::uint8_t { New, Reordered, Duplicate, TooLate };
  /// @param sequence  the low 32 bits as they came.
  Verdict observe(std::uint32_t sequence) noexcept;

  /// Packets that came, each once.
  [[nodiscard]] std::uint64_t unique() const noexcept { return unique_.read(); }
  [[nodiscard]] std::uint64_t duplicates() const noexcept { return duplicates_.read(); }
  /// Type-P-Reordered (RFC 4737 section 3.3): came after a packet with a higher number.
  [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_.read(); }
  [[nodiscard]] std::uint64_t too_late() const noexcept { return too_late_.read(); }
  /// Reordering extent (RFC 4737 section 4.2): how many packets earlier it should have come at
  /// most, counted in packets that came; the greatest, and the sum over all reordered packets.
  [[nodiscard]] std::uint64_t max_extent() const noexcept { return max_extent_.read(); }
  [[nodiscard]] std::uint64_t extent_sum() const noexcept { return extent_sum_.read(); }
  /// One beyond the highest number seen, extended to 64 bits (NextExp of RFC 4737).
  [[nodiscard]] std::uint64_t next_expected() const noexcept { return next_.read(); }

private:
  /// What is known of one number of the window.
  struct Slot {
    std::uint32_t arrival = 0;  ///< which packet it was, by order of arrival, low 32 bits
    bool came = false;
    bool was_highest = false;  ///< no higher number had come before it
  };
  [[nodiscard]] Slot& slot(std::uint64_t sequence) noexcept { return slots_[sequence & mask_]; }
  void advance(std::uint64_t sequence) noexcept;
  void note_extent(std::uint64_t sequence, std::uint32_t arrival) noexcept;

  std::vector<Slot> slots_;
  std::uint64_t mask_;
  std::uint32_t arrivals_ = 0;
  core::Counter unique_, duplicates_, reordered_, too_late_, extent_sum_;
  Gauge<std::uint64_t> next_{0}, max_extent_{0};
};
}  // namespace gen
