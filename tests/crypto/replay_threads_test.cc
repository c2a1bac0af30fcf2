// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "crypto/replay_window.hh"

namespace {
using crypto::ReplayWindow;

constexpr unsigned kThreads = 2;

/// Two workers are given the same numbers; whoever of them, each number is accepted once at most.
class SharedWindow : public testing::TestWithParam<std::uint32_t> {
protected:
  static constexpr std::uint32_t kNumbers = 200000;

  struct Item {
    std::uint32_t sequence;
    bool accepted;
  };
  /// As esp_input() does it: check all of a burst, then commit all that passed.
  static void commit_in_runs(ReplayWindow& window, const std::vector<std::uint32_t>& numbers,
                             std::vector<std::uint32_t>& taken) {
    constexpr std::size_t kBurst = 5;  // so that bursts end inside the blocks of the window
    for (std::size_t at = 0; at < numbers.size(); at += kBurst) {
      std::vector<Item> run;
      for (std::size_t i = at; i < std::min(numbers.size(), at + kBurst); ++i)
        if (window.check(numbers[i])) run.push_back({numbers[i], false});
      window.commit(run.data(), run.data() + run.size());
      for (const Item& item : run)
        if (item.accepted) taken.push_back(item.sequence);
    }
  }

  /// Each thread commits `plan(thread)`, all at once. @return how often each number was accepted.
  template <class Plan>
  std::vector<unsigned> run(ReplayWindow& window, Plan plan) {
    std::vector<std::vector<std::uint32_t>> taken(kThreads);
    std::atomic<unsigned> ready{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        const std::vector<std::uint32_t> numbers = plan(t);
        ready.fetch_add(1);
        while (ready.load() != kThreads) std::this_thread::yield();
        commit_in_runs(window, numbers, taken[t]);
      });
    for (std::thread& t : threads) t.join();
    std::vector<unsigned> times(kNumbers + 1);
    for (const auto& numbers : taken)
      for (const std::uint32_t n : numbers) ++times[n];
    return times;
  }
};

TEST_P(SharedWindow, SameNumbersInOrder) {
  ReplayWindow window{GetParam()};
  const auto times = run(window, [](unsigned) {
    std::vector<std::uint32_t> all(kNumbers);
    for (std::uint32_t i = 0; i < kNumbers; ++i) all[i] = i + 1;
    return all;
  });
  // The thread that is ahead finds each of its numbers new, so none is lost; the other can only
  // repeat.
  EXPECT_EQ(std::count(times.begin() + 1, times.end(), 1u), kNumbers);
  EXPECT_EQ(window.highest(), kNumbers);
}

TEST_P(SharedWindow, SameNumbersShuffledWithinTheWindow) {
  ReplayWindow window{GetParam()};
  const auto times = run(window, [](unsigned t) {
    std::mt19937 random{t + 1};
    std::vector<std::uint32_t> all(kNumbers);
    for (std::uint32_t i = 0; i < kNumbers; ++i) all[i] = i + 1;
    const std::uint32_t block = std::max(GetParam() / 2, 1u);
    for (std::uint32_t at = 0; at < kNumbers; at += block)
      std::shuffle(all.begin() + at, all.begin() + std::min(at + block, kNumbers), random);
    return all;
  });
  EXPECT_EQ(*std::max_element(times.begin(), times.end()), 1u);
  EXPECT_EQ(window.highest(), kNumbers);
}

TEST_P(SharedWindow, EachHasHalfOfTheNumbers) {
  ReplayWindow window{GetParam()};
  const auto times = run(window, [](unsigned t) {
    std::vector<std::uint32_t> half;
    for (std::uint32_t n = 1 + t; n <= kNumbers; n += kThreads) half.push_back(n);
    return half;
  });
  EXPECT_EQ(*std::max_element(times.begin(), times.end()), 1u);
  EXPECT_EQ(times[kNumbers], 1u);
  EXPECT_EQ(times[0], 0u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SharedWindow, testing::Values(1, 32, 64, 128, 1024, 4096));
}  // namespace
