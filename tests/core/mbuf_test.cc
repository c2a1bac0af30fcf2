// SPDX-License-Identifier: BSD-3-Clause
// What is done to packets of several segments.
#include "core/mbuf.hh"

#include <gtest/gtest.h>

#include "tests/support/packet_pool.hh"

namespace {
using test::Packet;
constexpr std::size_t kLength = 1000;

struct Cut {
  std::size_t first, others;
};
constexpr Cut kCuts[] = {{1000, 1}, {999, 1}, {1, 999}, {500, 500}, {100, 100}, {333, 64}, {7, 1}};

class Mbuf : public testing::Test {
protected:
  ~Mbuf() override { EXPECT_EQ(pool.in_use(), 0u); }
  /// Calls `f` with the packet 0, 1, 2, ... cut in every way.
  template <class F>
  void for_each_cut(F&& f) {
    for (const Cut& cut : kCuts) {
      SCOPED_TRACE(testing::Message() << cut.first << " + " << cut.others);
      rte_mbuf* m = pool.try_make_chained(whole, cut.first, cut.others);
      ASSERT_NE(m, nullptr);
      f(*m);
      const char* why = nullptr;
      EXPECT_EQ(rte_mbuf_check(m, 1, &why), 0) << why;
      rte_pktmbuf_free(m);
    }
  }
  test::PacketPool pool{1023};
  const Packet whole = test::pattern(kLength);
};

TEST_F(Mbuf, KeepFrontFreesWhatHoldsNothing) {
  for (const std::uint32_t length : {0U, 1U, 7U, 8U, 99U, 100U, 101U, 500U, 501U, 999U, 1000U})
    for_each_cut([&](rte_mbuf& m) {
      core::keep_front(m, length);
      EXPECT_EQ(test::bytes_of(&m), Packet(whole.begin(), whole.begin() + length)) << length;
      EXPECT_EQ(pool.in_use(), m.nb_segs);
      EXPECT_TRUE(m.nb_segs == 1 || rte_pktmbuf_lastseg(&m)->data_len != 0);
    });
}

TEST_F(Mbuf, CopyBytesReadsAcrossSegments) {
  for (const std::size_t at : {0U, 1U, 6U, 7U, 500U, 999U, 1000U, 2000U})
    for (const std::size_t room : {0U, 1U, 64U, 999U, 1500U})
      for_each_cut([&](const rte_mbuf& m) {
        Packet out(room);
        const std::size_t there = at < kLength ? kLength - at : 0;
        const std::size_t n = core::copy_bytes(m, at, out);
        ASSERT_EQ(n, std::min(room, there)) << at;
        out.resize(n);
        EXPECT_TRUE(n == 0 || std::equal(out.begin(), out.end(), whole.data() + at));
      });
}

TEST_F(Mbuf, LinearizeMakesOneSegment) {
  for_each_cut([&](rte_mbuf& m) {
    EXPECT_TRUE(core::linearize(m));
    EXPECT_EQ(m.nb_segs, 1);
    EXPECT_EQ(test::bytes_of(&m), whole);
    EXPECT_EQ(pool.in_use(), 1u);
  });
}

TEST_F(Mbuf, LinearizeLeavesWhatDoesNotFit) {
  rte_mbuf* m = pool.try_make_chained(test::pattern(3000), 2000, 900);
  EXPECT_FALSE(core::linearize(*m));
  EXPECT_EQ(m->nb_segs, 3);
  EXPECT_EQ(test::take_bytes(m), test::pattern(3000));
}

TEST_F(Mbuf, AppendTakesTheSegmentsOver) {
  for_each_cut([&](rte_mbuf& m) {
    const auto segments = m.nb_segs;
    EXPECT_TRUE(core::append(m, *pool.make_chained(whole, 10)));
    EXPECT_EQ(m.nb_segs, segments + 2);
    Packet twice = whole;
    twice.insert(twice.end(), whole.begin(), whole.end());
    EXPECT_EQ(test::bytes_of(&m), twice);
  });
}

TEST_F(Mbuf, HeadersAreInFrontOfTheFirst128Bytes) {
  const auto in_front = [&](std::size_t length, std::size_t first) {
    rte_mbuf* m = pool.try_make_chained(test::pattern(length), first, length);
    const bool yes = core::headers_in_front(*m);
    rte_pktmbuf_free(m);
    return yes;
  };
  EXPECT_TRUE(in_front(60, 60));
  EXPECT_FALSE(in_front(60, 59));
  EXPECT_TRUE(in_front(128, 128));
  EXPECT_FALSE(in_front(128, 127));
  EXPECT_TRUE(in_front(1000, 128));
  EXPECT_FALSE(in_front(1000, 127));
}
}  // namespace
