// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <thread>

#include "core/counter.hh"
#include "core/spsc_ring.hh"

namespace {
/// Two words, so that a torn or early read shows.
struct Pair {
  std::uint64_t a = 0, b = 0;
};

TEST(SpscRingThreads, PassesEachElementOnceInOrder) {
  constexpr std::uint64_t kElements = 200'000;
  core::SpscRing<Pair, 64> ring;
  std::thread producer{[&] {
    for (std::uint64_t i = 1; i <= kElements; ++i)
      while (!ring.push({i, ~i})) std::this_thread::yield();
  }};
  std::uint64_t wrong = 0;
  for (std::uint64_t expected = 1; expected <= kElements; ++expected) {
    Pair out;
    while (!ring.pop(out)) std::this_thread::yield();
    if (out.a != expected || out.b != ~expected) ++wrong;
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_TRUE(ring.empty());
}

TEST(CounterThreads, ReadersSeeItGrowToTheExactSum) {
  constexpr std::uint64_t kAdds = 200'000;
  core::TrafficCounter counter;
  std::thread worker{[&] {
    for (std::uint64_t i = 0; i < kAdds; ++i) counter.add(1, 64);
  }};
  std::uint64_t seen = 0, shrunk = 0;
  while (seen < kAdds) {
    const std::uint64_t now = counter.packets.read();
    if (now < seen) ++shrunk;
    seen = now;
    std::this_thread::yield();
  }
  worker.join();
  EXPECT_EQ(shrunk, 0u);
  EXPECT_EQ(counter.packets.read(), kAdds);
  EXPECT_EQ(counter.bytes.read(), kAdds * 64);
}
}  // namespace
