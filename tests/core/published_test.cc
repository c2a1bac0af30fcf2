// SPDX-License-Identifier: BSD-3-Clause
#include "core/published.hh"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace {
/// A snapshot whose two fields agree for as long as it lives.
struct Snapshot {
  std::uint64_t a, b;
  std::atomic<bool>* freed = nullptr;
  ~Snapshot() {
    a = 1;
    b = 2;
    if (freed != nullptr) freed->store(true, std::memory_order_relaxed);
  }
};
std::unique_ptr<const Snapshot> snapshot(std::uint64_t v, std::atomic<bool>* freed = nullptr) {
  return std::unique_ptr<const Snapshot>{new Snapshot{v, v, freed}};
}

TEST(Published, ReadsWhatWasPublishedLast) {
  core::Rcu rcu{1};
  core::Published<Snapshot> published{rcu, snapshot(7)};
  EXPECT_EQ(published.read().a, 7u);
  published.publish(snapshot(8));
  EXPECT_EQ(published.read().a, 8u);
}

TEST(Published, FreesTheOldValueAtOnceWithoutReaders) {
  core::Rcu rcu{4};
  std::atomic<bool> freed{false};
  core::Published<Snapshot> published{rcu, snapshot(1, &freed)};
  published.publish(snapshot(2));
  EXPECT_TRUE(freed);
}

TEST(Published, FreesTheLastValueAtItsEnd) {
  core::Rcu rcu{1};
  std::atomic<bool> freed{false};
  { const core::Published<Snapshot> published{rcu, snapshot(1, &freed)}; }
  EXPECT_TRUE(freed);
}

TEST(Published, AnOfflineReaderDelaysNothing) {
  core::Rcu rcu{2};
  core::Published<Snapshot> published{rcu, snapshot(1)};
  rcu.enter(0);
  rcu.offline(0);
  published.publish(snapshot(2));  // would wait for ever
  rcu.leave(0);
  published.publish(snapshot(3));
  EXPECT_EQ(published.read().a, 3u);
}

/// What a reader holds lives until the reader says that it holds nothing.
TEST(Published, WaitsForAReaderThatHoldsTheOldValue) {
  core::Rcu rcu{1};
  std::atomic<bool> freed{false};
  core::Published<Snapshot> published{rcu, snapshot(1, &freed)};
  rcu.enter(0);
  const Snapshot& held = published.read();
  std::thread manager{[&] { published.publish(snapshot(2)); }};
  while (&published.read() == &held) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(freed);
    EXPECT_EQ(held.a, 1u);
    std::this_thread::yield();
  }
  rcu.quiescent(0);
  manager.join();
  EXPECT_TRUE(freed);
  rcu.leave(0);
}

/// A worker's life beside a busy manager: read, use, report, and now and then sleep offline.
TEST(Published, ReadersNeverSeeAFreedValue) {
  core::Rcu rcu{2};
  core::Published<Snapshot> published{rcu, snapshot(7)};
  std::atomic<bool> stop{false};
  std::array<std::atomic<std::uint64_t>, 2> reads{};
  std::atomic<std::uint64_t> torn{0};
  const auto worker = [&](unsigned id) {
    rcu.enter(id);
    for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      const Snapshot& s = published.read();
      for (int k = 0; k < 100; ++k)
        if (s.a != s.b) torn.fetch_add(1);
      reads[id].fetch_add(1);
      rcu.quiescent(id);
      if (i % 16 != 0) continue;
      rcu.offline(id);
      std::this_thread::yield();
      rcu.online(id);
    }
    rcu.leave(id);
  };
  std::thread one{worker, 0u}, two{worker, 1u};
  while (reads[0] < 10 || reads[1] < 10) std::this_thread::yield();
  for (std::uint64_t i = 0; i < 60; ++i) published.publish(snapshot(i));
  stop = true;
  one.join();
  two.join();
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(published.read().a, 59u);
}

/// Plain memory that a worker wrote while it used a snapshot is the manager's to read once that
/// snapshot is gone: so an interface can be closed after it was published away.
TEST(Published, AllEffectsOfTheOldValueAreOverAfterPublish) {
  struct Device {
    std::uint64_t polls = 0;
  };
  struct Config {
    Device* device;
  };
  core::Rcu rcu{1};
  Device device;
  core::Published<Config> published{rcu, std::unique_ptr<const Config>{new Config{&device}}};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> rounds{0};
  std::thread worker{[&] {
    rcu.enter(0);
    while (!stop.load(std::memory_order_relaxed)) {
      if (Device* d = published.read().device; d != nullptr) ++d->polls;
      rcu.quiescent(0);
      rounds.fetch_add(1, std::memory_order_relaxed);
    }
    rcu.leave(0);
  }};
  while (rounds < 100) std::this_thread::yield();
  published.publish(std::unique_ptr<const Config>{new Config{nullptr}});
  const std::uint64_t polls = device.polls;
  const std::uint64_t then = rounds;
  while (rounds < then + 100) std::this_thread::yield();
  EXPECT_EQ(device.polls, polls);
  EXPECT_GE(polls, 100u);
  stop = true;
  worker.join();
}
}  // namespace
