// SPDX-License-Identifier: BSD-3-Clause
// Look-ups in the compact FIB while it is changed: no race, and never an answer that was not right
// at some time of the change.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "proto/compact_fib.hh"
#include "tests/support/packet.hh"

namespace {
using proto::CompactFib;
using proto::IpPrefix;

TEST(CompactFibRace, LookupsWhileItChanges) {
  constexpr unsigned kReaders = 2;
  core::Rcu rcu{kReaders};
  proto::FibBlocks blocks{16, rcu};
  CompactFib fib{blocks, CompactFib::Family::Ip4, 100};
  const auto cover = IpPrefix{core::IpAddress{0x0a000000}, 8};
  ASSERT_TRUE(fib.set(cover, 1));

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0}, looked{0};
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < kReaders; ++reader)
    readers.emplace_back([&, reader] {
      rcu.enter(reader);
      for (std::uint32_t n = reader; !stop.load(std::memory_order_relaxed); ++n) {
        // 10.n/16 has 1, or the /32's 100 + n in its time; nobody else's.
        const std::uint32_t net = n % 64, dst = 0x0a000001 | net << 16;
        const proto::NextHopId found = fib.lookup(dst);
        if (found != 1 && found != 100 + net) wrong.fetch_add(1, std::memory_order_relaxed);
        looked.fetch_add(1, std::memory_order_relaxed);
        rcu.quiescent(reader);
      }
      rcu.leave(reader);
    });
  while (looked.load(std::memory_order_relaxed) < 100) std::this_thread::yield();
  for (std::uint32_t n = 0; n < 3000; ++n) {
    const IpPrefix host{core::IpAddress{0x0a000001 | (n % 64) << 16}, 32};
    ASSERT_TRUE(fib.set(host, 100 + n % 64));
    if (n % 4 == 3) {
      ASSERT_TRUE(fib.set(IpPrefix{host.address, 16}, 1));
      fib.remove(IpPrefix{host.address, 16}, [](const IpPrefix&) { return 1u; });
    }
    fib.remove(host, [](const IpPrefix&) { return 1u; });
  }
  stop.store(true);
  for (std::thread& r : readers) r.join();
  EXPECT_EQ(wrong.load(), 0u);
}
}  // namespace
