// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

#include "tests/support/memory_port.hh"

namespace {
using test::MemoryPort;
using test::Packet;
using test::PacketPool;

TEST(PacketPool, CountsWhatIsInUse) {
  PacketPool pool{7};
  rte_mbuf* m = pool.make(test::pattern(100));
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_EQ(test::take_bytes(m), test::pattern(100));
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PacketPool, GivesNullWhenExhausted) {
  PacketPool pool{3};
  std::vector<rte_mbuf*> held;
  for (int i = 0; i < 3; ++i) held.push_back(pool.make({}));
  EXPECT_EQ(pool.try_make({}), nullptr);
  for (rte_mbuf* m : held) rte_pktmbuf_free(m);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PacketPool, ChainsSegments) {
  PacketPool pool{7};
  rte_mbuf* m = pool.make_chained(test::pattern(100), 30);
  EXPECT_EQ(m->nb_segs, 2);
  EXPECT_EQ(m->data_len, 30);
  EXPECT_EQ(test::take_bytes(m), test::pattern(100));
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(PacketPool, TellsAddressSanitizerWhatIsFree) {
#ifndef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "built without AddressSanitizer";
#else
  PacketPool pool{7};
  rte_mbuf* m = pool.make(test::pattern(10));
  EXPECT_FALSE(__asan_address_is_poisoned(m));
  rte_pktmbuf_free(m);
  EXPECT_TRUE(__asan_address_is_poisoned(m));
#endif
}

TEST(MemoryPort, DeliversInOrderAndCollectsWhatIsSent) {
  PacketPool pool;
  MemoryPort port{pool, {.queues = 2}};
  const core::Interface lan = port.make_interface(0, "lan0");
  for (std::uint8_t i = 0; i < 5; ++i) port.push(Packet{i}, 1);
  std::array<rte_mbuf*, 8> packets{};
  EXPECT_EQ(lan.rx(lan.port, 0, packets.data(), 8), 0);
  ASSERT_EQ(lan.rx(lan.port, 1, packets.data(), 3), 3);
  EXPECT_EQ(port.waiting(), 2u);
  EXPECT_EQ(lan.tx(lan.port, 0, packets.data(), 3), 3);
  EXPECT_EQ(port.take_sent(0), (std::vector<Packet>{{0}, {1}, {2}}));
  EXPECT_EQ(port.sent(), 0u);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(MemoryPort, AcceptsNoMoreThanItsLimit) {
  PacketPool pool;
  MemoryPort port{pool, {.tx_limit = 1}};
  std::array<rte_mbuf*, 2> packets{pool.make(Packet{1}), pool.make(Packet{2})};
  EXPECT_EQ(MemoryPort::tx(&port, 0, packets.data(), 2), 1);
  EXPECT_EQ(port.take_sent(), (std::vector<Packet>{{1}}));
  EXPECT_EQ(test::take_bytes(packets[1]), (Packet{2}));
}

TEST(MemoryPort, KeepsFramesWhileThePoolIsExhausted) {
  PacketPool pool{1};
  MemoryPort port{pool};
  port.push(Packet{1});
  port.push(Packet{2});
  std::array<rte_mbuf*, 2> packets{};
  ASSERT_EQ(MemoryPort::rx(&port, 0, packets.data(), 2), 1);
  EXPECT_EQ(port.waiting(), 1u);
  rte_pktmbuf_free(packets[0]);
  ASSERT_EQ(MemoryPort::rx(&port, 0, packets.data(), 2), 1);
  EXPECT_EQ(test::take_bytes(packets[0]), (Packet{2}));
}

TEST(MemoryPort, SpreadsWorkersOverItsQueues) {
  PacketPool pool;
  MemoryPort port{pool, {.queues = 2}};
  const core::Interface wan = port.make_interface(3, "wan0", test::mac(9), 1400, 3);
  EXPECT_EQ(wan.id, 3);
  EXPECT_EQ(wan.mtu, 1400);
  ASSERT_EQ(wan.tx_queues.size(), 3u);
  EXPECT_EQ(wan.tx_queues[1].owner, 1);
  EXPECT_EQ(wan.tx_queues[2].owner, 0);
}

/// RFC 1071 section 3's example: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
TEST(Packets, ReferenceChecksumIsRfc1071s) {
  EXPECT_EQ(test::reference_checksum(test::from_hex("0001 f203 f4f5 f6f7")), 0xffff ^ 0xddf2);
}

TEST(Packets, BuildersMakeWhatTheRfcsDraw) {
  EXPECT_EQ(test::ip4_icmp({.src = test::ip("192.0.2.1"), .dst = test::ip("192.0.2.2")},
                           {.word1 = 1, .word2 = 2}, {}),
            test::from_hex("4500 001c 0000 0000 4001 f6dd c000 0201 c000 0202"
                           "0800 f7fc 0001 0002"));
  EXPECT_EQ(test::arp_frame({}).size(), 60u);
}
}  // namespace
