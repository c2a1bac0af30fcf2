// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/sequence.hh"

#include <algorithm>
#include <bit>

namespace gen {
SequenceTracker::SequenceTracker(std::uint32_t window)
    : slots_(std::bit_ceil(std::max(window, 1u))), mask_{slots_.size() - 1} {}

SequenceTracker::Verdict SequenceTracker::observe(std::uint32_t sequence) noexcept {
  const std::uint64_t next = next_.read();
  // The number of 64 bits that is nearest to the one expected; none lies below zero.
  const auto ahead = static_cast<std::int32_t>(sequence - static_cast<std::uint32_t>(next));
  if (ahead >= 0) {
    advance(next + static_cast<std::uint64_t>(ahead));
    return Verdict::New;
  }
  const auto behind = static_cast<std::uint64_t>(-std::int64_t{ahead});
  if (behind > next || behind > slots_.size()) {
    too_late_.add(1);
    return Verdict::TooLate;
  }
  Slot& s = slot(next - behind);
  if (s.came) {
    duplicates_.add(1);
    return Verdict::Duplicate;
  }
  s = {.arrival = arrivals_++, .came = true, .was_highest = false};
  unique_.add(1);
  reordered_.add(1);
  note_extent(next - behind, s.arrival);
  return Verdict::Reordered;
}

void SequenceTracker::advance(std::uint64_t sequence) noexcept {
  const std::uint64_t next = next_.read();
  const std::uint64_t missing = std::min<std::uint64_t>(sequence - next, slots_.size());
  for (std::uint64_t s = sequence - missing; s < sequence; ++s) slot(s) = {};
  slot(sequence) = {.arrival = arrivals_++, .came = true, .was_highest = true};
  next_.set(sequence + 1);
  unique_.add(1);
}

// The first packet to come with a higher number had the highest number of all then, so it is the
// nearest such one above.
void SequenceTracker::note_extent(std::uint64_t sequence, std::uint32_t arrival) noexcept {
  for (std::uint64_t s = sequence + 1; s < next_.read(); ++s) {
    if (!slot(s).was_highest) continue;
    const std::uint32_t extent = arrival - slot(s).arrival;
    extent_sum_.add(extent);
    if (extent > max_extent_.read()) max_extent_.set(extent);
    return;
  }
}
}  // namespace gen
