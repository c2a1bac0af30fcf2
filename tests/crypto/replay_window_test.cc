// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/replay_window.hh"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace {
using crypto::ReplayWindow;

constexpr std::uint32_t kLast = 0xffffffff;

struct Step {
  int number;
  std::uint32_t sequence;
  bool accepted;
};

/// RFC 4303 section 3.4.3 and appendix A2 with a window of 64.
const Step kTable[] = {
    {1, 0, false},            // never a sequence number: senders begin at 1
    {2, 1, true},             // the first
    {3, 1, false},            // again
    {4, 3, true},             // one overtaken
    {5, 2, true},             // the overtaken one
    {6, 2, false},            //
    {7, 64, true},            // top 64: the window is 1 to 64
    {8, 1, false},            // at its left edge, but seen
    {9, 4, true},             //
    {10, 65, true},           // the window is 2 to 65
    {11, 1, false},           // left of it
    {12, 32, true},           // last of a block
    {13, 33, true},           //
    {14, 33, false},          //
    {15, 1000, true},         // a jump over everything
    {16, 936, false},         // 1000 - 64: just outside
    {17, 937, true},          // 1000 - 63: just inside
    {18, 937, false},         //
    {19, 999, true},          //
    {20, 65, false},          // seen long ago
    {21, kLast - 1, true},    // a jump to the end of the number space
    {22, kLast, true},        //
    {23, kLast, false},       //
    {24, kLast - 63, true},   //
    {25, kLast - 64, false},  //
    {26, 0, false},           // the number space does not wrap
    {27, 1, false},           //
};

TEST(ReplayWindow, Table) {
  ReplayWindow window{64};
  for (const Step& s : kTable) {
    EXPECT_EQ(window.check(s.sequence), s.accepted) << "check of step " << s.number;
    EXPECT_EQ(window.commit(s.sequence), s.accepted) << "commit of step " << s.number;
  }
  EXPECT_EQ(window.highest(), kLast);
}

TEST(ReplayWindow, CheckAloneMovesNothing) {
  ReplayWindow window{64};
  ASSERT_TRUE(window.commit(10));
  EXPECT_TRUE(window.check(kLast));  // a forged packet gets this far
  EXPECT_TRUE(window.check(11));
  EXPECT_EQ(window.highest(), 10u);
  EXPECT_TRUE(window.commit(9));
  EXPECT_TRUE(window.commit(11));
}

TEST(ReplayWindow, SizeZeroIsOff) {
  ReplayWindow window{0};
  for (const std::uint32_t sequence : {5u, 5u, 1u, 0u, kLast}) {
    EXPECT_TRUE(window.check(sequence));
    EXPECT_TRUE(window.commit(sequence));
  }
  EXPECT_EQ(window.highest(), kLast);
}

TEST(ReplayWindow, SizeOneAcceptsOnlyNewer) {
  ReplayWindow window{1};
  EXPECT_TRUE(window.commit(5));
  EXPECT_FALSE(window.commit(5));
  EXPECT_FALSE(window.commit(4));
  EXPECT_TRUE(window.commit(6));
}

/// What the RFC says, by the book: all numbers ever accepted, and the edge.
class Model {
public:
  explicit Model(std::uint32_t size) : size_{size} {}
  [[nodiscard]] bool accepts(std::uint32_t sequence) const {
    if (sequence == 0 || seen_.contains(sequence)) return false;
    return sequence > top_ || top_ - sequence < size_;
  }
  void take(std::uint32_t sequence) {
    seen_.insert(sequence);
    top_ = std::max(top_, sequence);
  }
  [[nodiscard]] std::uint32_t top() const { return top_; }

private:
  std::uint32_t size_, top_ = 0;
  std::set<std::uint32_t> seen_;
};

class ReplayModel : public testing::TestWithParam<std::uint32_t> {
protected:
  /// Walks from `start` on: mostly near the top, sometimes far left, sometimes far ahead.
  void walk(std::uint32_t start, unsigned seed, unsigned steps) {
    const std::uint32_t size = GetParam();
    ReplayWindow window{size};
    Model model{size};
    std::mt19937 random{seed};
    const auto below = [&random](std::uint64_t n) { return random() % n; };
    for (unsigned i = 0; i < steps; ++i) {
      std::uint64_t s = std::max(model.top(), start);
      switch (below(20)) {
        case 0: s += below(3 * std::uint64_t{size} + 100); break;               // a jump
        case 1: s -= std::min(s, below(4 * std::uint64_t{size} + 100)); break;  // anywhere left
        case 2: s -= std::min(s, size - 1 + below(3)); break;                   // the very edge
        case 3: s += below(2) << 20; break;                                     // far ahead
        case 4: s = below(3); break;
        default: s = s + 4 - std::min(s, below(size + 8)); break;
      }
      const auto sequence = static_cast<std::uint32_t>(std::min<std::uint64_t>(s, kLast));
      const bool accepts = model.accepts(sequence);
      ASSERT_EQ(window.check(sequence), accepts) << "step " << i << ", " << sequence;
      if (below(10) == 0) continue;  // the ICV did not hold: nothing may have moved
      ASSERT_EQ(window.commit(sequence), accepts) << "step " << i << ", " << sequence;
      if (accepts) model.take(sequence);
      ASSERT_EQ(window.highest(), model.top());
    }
  }
};

TEST_P(ReplayModel, WholeRunsAtOnce) {
  struct Item {
    std::uint32_t sequence;
    bool accepted;
  };
  const std::uint32_t size = GetParam();
  ReplayWindow window{size};
  Model model{size};
  std::mt19937 random{4};
  for (unsigned burst = 0; burst < 3000; ++burst) {
    std::vector<Item> run(random() % 64);
    std::uint32_t next = model.top();
    for (Item& item : run) {
      // Mostly in order; with repetitions, steps back over one or more blocks, and gaps.
      next = random() % 8 != 0
                 ? next + 1
                 : next + 40 - std::min(next, static_cast<std::uint32_t>(random() % 120));
      item = {next, false};
    }
    window.commit(run.data(), run.data() + run.size());
    for (const Item& item : run) {
      ASSERT_EQ(item.accepted, model.accepts(item.sequence)) << burst << ", " << item.sequence;
      if (item.accepted) model.take(item.sequence);
    }
    ASSERT_EQ(window.highest(), model.top());
  }
}

TEST_P(ReplayModel, FromTheFirstNumber) {
  walk(1, 1, 60000);
}
TEST_P(ReplayModel, AroundTheSignBit) {
  walk(0x7fffff00, 2, 60000);
}
TEST_P(ReplayModel, IntoTheEndOfTheNumberSpace) {
  walk(kLast - 3000, 3, 60000);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReplayModel,
                         testing::Values(1, 2, 31, 32, 33, 63, 64, 65, 128, 224, 225, 226, 1000,
                                         1024, 4064, 4065, 4095, 4096));
}  // namespace
