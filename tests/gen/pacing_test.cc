// SPDX-License-Identifier: BSD-3-Clause
// What is sent when, how large and with what in its fields; time is a number here.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "apps/gen/field.hh"
#include "apps/gen/frame_size.hh"
#include "apps/gen/pacer.hh"

namespace gen {
namespace {
TEST(FieldCursor, StepsAndBeginsAgain) {
  FieldCursor c{{.kind = FieldPlan::Kind::Stepped, .min = 5, .max = 11, .step = 3}, 1};
  for (const int expected : {5, 8, 11, 5, 8, 11, 5})
    EXPECT_EQ(c.next(), static_cast<Wide>(expected));
}

TEST(FieldCursor, StepsToTheEndOfAllNumbers) {
  const Wide top = ~Wide{0};
  FieldCursor c{{.kind = FieldPlan::Kind::Stepped, .min = top - 1, .max = top, .step = 1}, 1};
  EXPECT_TRUE(c.next() == top - 1);
  EXPECT_TRUE(c.next() == top);
  EXPECT_TRUE(c.next() == top - 1);
}

TEST(FieldCursor, RandomStaysWithinAndIsRepeatable) {
  const FieldPlan plan{.kind = FieldPlan::Kind::Random, .min = 10, .max = 13};
  FieldCursor a{plan, 7}, b{plan, 7}, other{plan, 8};
  std::map<int, int> seen;
  bool differs = false;
  for (int i = 0; i < 4000; ++i) {
    const Wide v = a.next();
    EXPECT_TRUE(v == b.next());
    differs = differs || v != other.next();
    ++seen[static_cast<int>(v)];
  }
  EXPECT_TRUE(differs);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen.begin()->first, 10);
  for (const auto& [value, count] : seen) EXPECT_NEAR(count, 1000, 200) << value;
}

TEST(SizeCursor, ImixIsExactInEveryCycle) {
  SizeCursor c{SizePlan::imix(), 1};
  for (int cycle = 0; cycle < 5; ++cycle) {
    std::map<int, int> seen;
    int in_a_row = 0, longest = 0, last = 0;
    for (int i = 0; i < 12; ++i) {
      const int size = c.next();
      ++seen[size];
      in_a_row = size == last ? in_a_row + 1 : 1;
      longest = std::max(longest, in_a_row);
      last = size;
    }
    EXPECT_EQ(seen, (std::map<int, int>{{64, 7}, {594, 4}, {1518, 1}}));
    EXPECT_LE(longest, 3);  // interleaved, not in blocks
  }
  EXPECT_NEAR(SizePlan::imix().mean(), (7 * 64 + 4 * 594 + 1518) / 12.0, 1e-9);
}

TEST(SizePlan, SmallestAndLargest) {
  const SizePlan range{.mix = {}, .range = {.kind = FieldPlan::Kind::Random, .min = 70, .max = 90}};
  EXPECT_EQ(range.smallest(), 70);
  EXPECT_EQ(range.largest(), 90);
  EXPECT_EQ(SizePlan::imix().smallest(), 64);
  EXPECT_EQ(SizePlan::imix().largest(), 1518);
}

TEST(LineRate, IsThatOfTheTextbook) {
  EXPECT_NEAR(line_rate_pps(10e9, 64), 14'880'952.4, 0.1);
  EXPECT_NEAR(line_rate_pps(1e9, 1518), 81'274.4, 0.1);
}

/// Packets that go up to `end`, the sender looking each `look` cycles.
std::uint64_t packets_until(Pacer& p, std::uint64_t begin, std::uint64_t end, std::uint64_t look) {
  std::uint64_t n = 0;
  for (std::uint64_t now = begin; now < end; now += look)
    for (; p.is_due(now); ++n) p.take(now, 1);
  return n;
}

TEST(Pacer, RateIsExactOverHours) {
  constexpr std::uint64_t kStart = 1'000'000'007;
  Pacer p{1000.25, 32};
  p.start(kStart);
  EXPECT_FALSE(p.is_due(kStart - 1));
  EXPECT_EQ(packets_until(p, kStart, kStart + 100'025'000, 700), 100'000u);
}

TEST(Pacer, CatchesUpByABurstAndNoMore) {
  Pacer p{100, 8};
  p.start(0);
  EXPECT_EQ(packets_until(p, 0, 1000, 100), 10u);
  // Nobody looked for 100 packets' time.
  std::uint64_t n = 0;
  for (; p.is_due(11'000); ++n) p.take(11'000, 1);
  EXPECT_EQ(n, 9u);  // the one that is due and eight missed ones
  EXPECT_FALSE(p.is_due(11'099));
  EXPECT_TRUE(p.is_due(11'100));
}

TEST(Pacer, CostsOfPacketsAddUp) {
  Pacer p{2, 1};  // two cycles a bit
  p.start(0);
  p.take(0, 672);
  EXPECT_FALSE(p.is_due(1343));
  EXPECT_TRUE(p.is_due(1344));
  p.take(1344, 12304);
  EXPECT_FALSE(p.is_due(1344 + 24607));
  EXPECT_TRUE(p.is_due(1344 + 24608));
}

TEST(Pacer, AsFastAsPossibleIsAlwaysDueOnceStarted) {
  Pacer p{0, 32};
  p.start(500);
  EXPECT_FALSE(p.is_due(499));
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(p.is_due(500));
    p.take(500, 1);
  }
}
}  // namespace
}  // namespace gen
