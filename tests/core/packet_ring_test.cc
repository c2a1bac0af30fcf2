// SPDX-License-Identifier: BSD-3-Clause
#include "core/packet_ring.hh"

#include <gtest/gtest.h>

#include <deque>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

namespace {
struct Header {
  std::uint32_t number = 0;
  std::uint16_t more = 0;
};
using Ring = core::PacketRing<Header>;

bool write(Ring& ring, std::uint32_t number, std::size_t length) {
  std::uint8_t* slot = ring.reserve(length);
  if (slot == nullptr) return false;
  for (std::size_t i = 0; i < length; ++i) slot[i] = static_cast<std::uint8_t>(number + i);
  ring.write({number, 7}, length);
  return true;
}
/// Whether the oldest record is this one; takes it off.
bool read(Ring& ring, std::uint32_t number, std::size_t length) {
  Header h;
  std::span<const std::uint8_t> bytes;
  if (!ring.front(h, bytes) || h.number != number || h.more != 7 || bytes.size() != length)
    return false;
  for (std::size_t i = 0; i < length; ++i)
    if (bytes[i] != static_cast<std::uint8_t>(number + i)) return false;
  ring.pop();
  return true;
}
bool is_empty(Ring& ring) {
  Header h;
  std::span<const std::uint8_t> bytes;
  return !ring.front(h, bytes);
}

TEST(PacketRing, ShowsWhatIsPublishedAndNoMore) {
  Ring ring{1024};
  EXPECT_TRUE(is_empty(ring));
  ASSERT_TRUE(write(ring, 1, 10));
  EXPECT_TRUE(is_empty(ring));
  ring.publish();
  EXPECT_TRUE(read(ring, 1, 10));
  EXPECT_TRUE(is_empty(ring));
}

TEST(PacketRing, GivesUpWhatWasWrittenBehindACursor) {
  Ring ring{1024};
  ASSERT_TRUE(write(ring, 1, 10));
  const std::size_t cursor = ring.cursor();
  ASSERT_TRUE(write(ring, 2, 300));
  ring.publish(cursor);
  ASSERT_TRUE(write(ring, 3, 0));
  ring.publish();
  EXPECT_TRUE(read(ring, 1, 10));
  EXPECT_TRUE(read(ring, 3, 0));
  EXPECT_TRUE(is_empty(ring));
}

TEST(PacketRing, ReservedButNotWrittenIsNothing) {
  Ring ring{512};
  for (std::uint32_t n = 0; n < 100; ++n) {
    ASSERT_TRUE(write(ring, n, 60));
    ring.publish();
    ASSERT_TRUE(read(ring, n, 60));
    ASSERT_NE(ring.reserve(100 + n % 50), nullptr);  // may have gone round the end
    ring.publish();
    ASSERT_TRUE(is_empty(ring));
  }
}

TEST(PacketRing, FullTakesNothingMore) {
  Ring ring{256};
  std::uint32_t n = 0;
  while (write(ring, n, 40)) ++n;
  EXPECT_EQ(n, 256u / (8 + 8 + 40));
  ring.publish();
  EXPECT_TRUE(read(ring, 0, 40));
  EXPECT_EQ(ring.reserve(250), nullptr);
}

TEST(PacketRing, BehavesAsAQueueWhateverTheLengths) {
  Ring ring{4096};
  struct Record {
    std::uint32_t number;
    std::size_t length;
  };
  std::deque<Record> model;
  std::mt19937 random{7};
  for (std::uint32_t n = 0; n < 100'000; ++n) {
    if (random() % 2 == 0) {
      const std::size_t length = random() % 700;
      if (write(ring, n, length)) model.push_back({n, length});
      ring.publish();
    } else if (model.empty()) {
      ASSERT_TRUE(is_empty(ring));
    } else {
      ASSERT_TRUE(read(ring, model.front().number, model.front().length));
      model.pop_front();
    }
  }
}

TEST(PacketRingThreads, OneWritesTheOtherReads) {
  constexpr std::uint32_t kRecords = 50'000;
  Ring ring{8192};
  std::thread writer{[&] {
    for (std::uint32_t n = 0; n < kRecords;) {
      if (write(ring, n, n % 777)) {
        ++n;
        ring.publish();
      } else {
        std::this_thread::yield();
      }
    }
  }};
  for (std::uint32_t n = 0; n < kRecords;) {
    if (is_empty(ring)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_TRUE(read(ring, n, n % 777));
    ++n;
  }
  writer.join();
}
}  // namespace
