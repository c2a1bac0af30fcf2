// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/sequence.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "apps/gen/field.hh"

namespace gen {
namespace {
using Verdict = SequenceTracker::Verdict;

/// The definitions of RFC 4737, word by word, with everything remembered.
class Model {
public:
  explicit Model(std::uint64_t window) : window_{window} {}
  Verdict observe(std::uint64_t s) {
    if (s >= next_) {
      next_ = s + 1;
    } else if (next_ - s > window_) {
      ++too_late;
      return Verdict::TooLate;
    } else if (std::ranges::find(arrived_, s) != arrived_.end()) {
      ++duplicates;
      return Verdict::Duplicate;
    } else {
      ++reordered;
      // e = i - j, j the earliest arrival with a higher number (section 4.2.2).
      std::size_t j = 0;
      while (arrived_[j] <= s) ++j;
      max_extent = std::max<std::uint64_t>(max_extent, arrived_.size() - j);
      extent_sum += arrived_.size() - j;
      arrived_.push_back(s);
      return Verdict::Reordered;
    }
    arrived_.push_back(s);
    return Verdict::New;
  }
  std::uint64_t duplicates = 0, reordered = 0, too_late = 0, max_extent = 0, extent_sum = 0;
  [[nodiscard]] std::uint64_t unique() const { return arrived_.size(); }
  [[nodiscard]] std::uint64_t next() const { return next_; }

private:
  std::uint64_t window_, next_ = 0;
  std::vector<std::uint64_t> arrived_;
};

TEST(SequenceTracker, InOrder) {
  SequenceTracker t{64};
  for (std::uint32_t s = 0; s < 1000; ++s) EXPECT_EQ(t.observe(s), Verdict::New);
  EXPECT_EQ(t.unique(), 1000u);
  EXPECT_EQ(t.next_expected(), 1000u);
  EXPECT_EQ(t.reordered() + t.duplicates() + t.too_late(), 0u);
}

// The example of RFC 4737 section 4.2.3: packets 1 2 3 7 8 9 10 4 5 6 11, extents 4, 5, 6.
TEST(SequenceTracker, ExtentsOfTheRfc) {
  SequenceTracker t{64};
  for (const std::uint32_t s : {0, 1, 2, 6, 7, 8, 9}) EXPECT_EQ(t.observe(s), Verdict::New);
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(t.observe(3 + i), Verdict::Reordered);
    EXPECT_EQ(t.extent_sum() - sum, 4 + i);
    sum = t.extent_sum();
  }
  EXPECT_EQ(t.observe(10), Verdict::New);
  EXPECT_EQ(t.max_extent(), 6u);
  EXPECT_EQ(t.unique(), 11u);
}

TEST(SequenceTracker, WindowHasAnEnd) {
  SequenceTracker t{64};
  (void)t.observe(0);
  (void)t.observe(164);
  EXPECT_EQ(t.observe(101), Verdict::Reordered);  // 165 - 64
  EXPECT_EQ(t.observe(101), Verdict::Duplicate);
  EXPECT_EQ(t.observe(100), Verdict::TooLate);
  EXPECT_EQ(t.observe(164), Verdict::Duplicate);
  EXPECT_EQ(t.unique(), 3u);
}

TEST(SequenceTracker, GoesOnBeyond32Bits) {
  SequenceTracker t{64};
  std::uint64_t s = 0;
  // In strides that a tracker still takes for a step ahead.
  for (int i = 0; i < 12; ++i, s += 0x60000000)
    EXPECT_EQ(t.observe(static_cast<std::uint32_t>(s)), Verdict::New);
  EXPECT_EQ(t.next_expected(), 11 * std::uint64_t{0x60000000} + 1);
}

TEST(SequenceTracker, NumbersBelowZeroAreNone) {
  SequenceTracker t{64};
  (void)t.observe(5);
  EXPECT_EQ(t.observe(0xffffffff), Verdict::TooLate);
  EXPECT_EQ(t.next_expected(), 6u);
}

TEST(SequenceTracker, AgreesWithTheModelOnAnyTraffic) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random{seed};
    SequenceTracker t{32};
    Model model{32};
    std::deque<std::uint64_t> late;
    std::uint64_t next = 0;
    for (int step = 0; step < 400; ++step) {
      std::uint64_t s = next;
      switch (random.below(10)) {
        case 0: s = next += random.below(50); break;  // loss
        case 1: late.push_back(next++); continue;     // kept back
        case 2:
          s = next > 0 ? next - 1 - random.below(std::min<std::uint64_t>(next, 40)) : 0;
          break;
        case 3:
        case 4:
          if (!late.empty()) {
            s = late.front();
            late.pop_front();
          }
          break;
        default: break;
      }
      if (s == next) ++next;
      ASSERT_EQ(t.observe(static_cast<std::uint32_t>(s)), model.observe(s)) << seed << ' ' << step;
    }
    ASSERT_EQ(t.unique(), model.unique()) << seed;
    ASSERT_EQ(t.next_expected(), model.next()) << seed;
    ASSERT_EQ(t.duplicates(), model.duplicates) << seed;
    ASSERT_EQ(t.reordered(), model.reordered) << seed;
    ASSERT_EQ(t.too_late(), model.too_late) << seed;
    ASSERT_EQ(t.max_extent(), model.max_extent) << seed;
    ASSERT_EQ(t.extent_sum(), model.extent_sum) << seed;
  }
}
}  // namespace
}  // namespace gen
