// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <memory>

#include "core/worker.hh"
#include "tests/support/memory_port.hh"

namespace {
using core::Burst;
using core::DropReason;
using test::Packet;

/// Two workers and two interfaces: lan0 (id 0) has a queue for each worker, wan0 (id 1) only one,
/// which worker 0 owns; the slot behind them (id 2) is free.
class TransmitTest : public testing::Test {
protected:
  TransmitTest() {
    interfaces_ = {lan_.make_interface(0, "lan0", test::mac(1), 1500, 2),
                   wan_.make_interface(1, "wan0", test::mac(2), 1500, 2), core::Interface{}};
    w0().handoff_to = {nullptr, &from_0_to_1_};
    w0().handoff_from = {&from_1_to_0_};
    w1().handoff_to = {&from_1_to_0_, nullptr};
    w1().handoff_from = {&from_0_to_1_};
  }
  core::Worker& w0() { return *workers_[0]; }
  core::Worker& w1() { return *workers_[1]; }
  void transmit(core::Worker& w, core::InterfaceId id, std::size_t n, std::size_t size = 100) {
    for (std::size_t i = 0; i < n; ++i) {
      Packet p = test::pattern(size);
      p[0] = static_cast<std::uint8_t>(i);
      core::transmit(w, interfaces_, id, pool_.make(p));
    }
  }
  static std::uint64_t drops(const core::Worker& w, DropReason r) {
    return w.drops[static_cast<std::size_t>(r)].read();
  }
  static std::uint64_t all_drops(const core::Worker& w) {
    std::uint64_t n = 0;
    for (const core::Counter& c : w.drops) n += c.read();
    return n;
  }

  test::PacketPool pool_{2047};
  test::MemoryPort lan_{pool_, {.queues = 2}}, wan_{pool_};
  core::InterfaceTable interfaces_;
  core::HandoffRing from_0_to_1_, from_1_to_0_;
  std::array<std::unique_ptr<core::Worker>, 2> workers_{
      std::make_unique<core::Worker>(std::uint16_t{0}, std::size_t{3}, nullptr),
      std::make_unique<core::Worker>(std::uint16_t{1}, std::size_t{3}, nullptr)};
};

TEST_F(TransmitTest, SendsInOrderAtTheEndOfTheIteration) {
  transmit(w0(), 0, 3, 60);
  EXPECT_EQ(lan_.sent(), 0u) << "collected until flush_tx";
  EXPECT_EQ(pool_.in_use(), 3u);
  core::flush_tx(w0(), interfaces_);
  const auto sent = lan_.take_sent(0);
  ASSERT_EQ(sent.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sent[i][0], i);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), 3u);
  EXPECT_EQ(w0().interface[0].tx.bytes.read(), 180u);
  EXPECT_EQ(w0().interface[1].tx.packets.read(), 0u);
  EXPECT_EQ(all_drops(w0()), 0u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, SendsAFullBurstAtOnce) {
  transmit(w0(), 0, Burst::kCapacity);
  EXPECT_EQ(lan_.sent(), Burst::kCapacity);
  transmit(w0(), 0, 1);
  EXPECT_EQ(lan_.sent(), Burst::kCapacity);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), Burst::kCapacity + 1u);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), Burst::kCapacity + 1u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, KeepsInterfacesApart) {
  transmit(w0(), 0, 2);
  transmit(w0(), 1, 3);
  transmit(w0(), 0, 1);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), 3u);
  EXPECT_EQ(wan_.sent(), 3u);
}

TEST_F(TransmitTest, FlushOfNothingDoesNothing) {
  core::flush_tx(w0(), interfaces_);
  transmit(w0(), 0, 1);
  core::flush_tx(w0(), interfaces_);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), 1u);
  EXPECT_TRUE(w0().tx_pending.empty());
}

TEST_F(TransmitTest, SendsInEachIteration) {
  for (std::size_t i = 1; i <= 3; ++i) {
    transmit(w0(), 0, 1);
    core::flush_tx(w0(), interfaces_);
    EXPECT_EQ(lan_.sent(), i);
  }
}

TEST_F(TransmitTest, EachWorkerSendsOnItsOwnQueue) {
  transmit(w1(), 0, 2);
  core::flush_tx(w1(), interfaces_);
  EXPECT_EQ(lan_.take_sent(0).size(), 0u);
  EXPECT_EQ(lan_.take_sent(1).size(), 2u);
  EXPECT_EQ(w1().interface[0].tx.packets.read(), 2u);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), 0u);
}

TEST_F(TransmitTest, DropsWhatTheQueueDoesNotTake) {
  lan_.set_tx_limit(5);
  transmit(w0(), 0, 8, 100);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), 5u);
  EXPECT_EQ(drops(w0(), DropReason::TxQueueFull), 3u);
  EXPECT_EQ(all_drops(w0()), 3u);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), 5u);
  EXPECT_EQ(w0().interface[0].tx.bytes.read(), 500u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, DropsAllWhenTheQueueTakesNone) {
  lan_.set_tx_limit(0);
  transmit(w0(), 0, Burst::kCapacity + 1);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(drops(w0(), DropReason::TxQueueFull), Burst::kCapacity + 1u);
  EXPECT_EQ(w0().interface[0].tx.bytes.read(), 0u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, DropsForAnInterfaceThatIsDown) {
  interfaces_[0].up = false;
  transmit(w0(), 0, 2);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), 0u);
  EXPECT_EQ(drops(w0(), DropReason::InterfaceGone), 2u);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), 0u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

/// Neither a free slot nor a tunnel has a port to send on.
TEST_F(TransmitTest, DropsForASlotWithoutAPort) {
  interfaces_[1] = test::make_tunnel(1, "ipsec0");
  transmit(w0(), 1, 1);
  transmit(w0(), 2, 1);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(drops(w0(), DropReason::InterfaceGone), 2u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, HandsOverToTheWorkerThatOwnsTheQueue) {
  transmit(w1(), 1, 3);
  core::flush_tx(w1(), interfaces_);
  EXPECT_EQ(wan_.sent(), 0u);
  EXPECT_EQ(w1().interface[1].tx.packets.read(), 0u) << "the sender counts";
  EXPECT_EQ(all_drops(w1()), 0u);
  EXPECT_EQ(pool_.in_use(), 3u);
  core::HandedPacket handed;
  while (from_1_to_0_.pop(handed)) {
    EXPECT_EQ(handed.interface, 1);
    EXPECT_EQ(handed.kind, core::HandedPacket::Kind::Frame);
    core::transmit(w0(), interfaces_, handed.interface, handed.m);
  }
  core::flush_tx(w0(), interfaces_);
  const auto sent = wan_.take_sent(0);
  ASSERT_EQ(sent.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(sent[i][0], i);
  EXPECT_EQ(w0().interface[1].tx.packets.read(), 3u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, DropsWhatTheRingToTheOwnerDoesNotTake) {
  constexpr std::size_t kRing = 512;
  transmit(w1(), 1, kRing + 7);
  core::flush_tx(w1(), interfaces_);
  EXPECT_EQ(drops(w1(), DropReason::HandoffFull), 7u);
  EXPECT_EQ(all_drops(w1()), 7u);
  EXPECT_EQ(pool_.in_use(), kRing);
  core::HandedPacket handed;
  std::size_t n = 0;
  for (; from_1_to_0_.pop(handed); ++n) rte_pktmbuf_free(handed.m);
  EXPECT_EQ(n, kRing);
  EXPECT_EQ(pool_.in_use(), 0u);
}

/// One iteration with every way to end: sent, queue full, no interface, handed over.
TEST_F(TransmitTest, EveryPacketEndsOnce) {
  lan_.set_tx_limit(1);
  transmit(w1(), 0, 4);
  transmit(w1(), 1, 2);
  transmit(w1(), 2, 3);
  core::flush_tx(w1(), interfaces_);
  EXPECT_EQ(lan_.sent() + all_drops(w1()) + pool_.in_use(), 4u + 2u + 3u);
  EXPECT_EQ(drops(w1(), DropReason::TxQueueFull), 3u);
  EXPECT_EQ(drops(w1(), DropReason::InterfaceGone), 3u);
  core::HandedPacket handed;
  while (from_1_to_0_.pop(handed)) w0().drop(handed.m, DropReason::WorkerStopping);
  EXPECT_EQ(drops(w0(), DropReason::WorkerStopping), 2u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

// ---- the worker's own ways to end a packet ----

TEST_F(TransmitTest, ConsumeCountsAndFrees) {
  w0().consume(pool_.make(test::pattern(60)));
  EXPECT_EQ(w0().consumed.read(), 1u);
  EXPECT_EQ(all_drops(w0()), 0u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, DropFreesAllSegments) {
  w0().drop(pool_.make_chained(test::pattern(100), 10), DropReason::RxChained);
  EXPECT_EQ(drops(w0(), DropReason::RxChained), 1u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

// ---- packets in several segments ----

TEST_F(TransmitTest, ChainsGoToAPortThatSendsThem) {
  interfaces_[0].tx_chained = true;
  core::transmit(w0(), interfaces_, 0, pool_.try_make_chained(test::pattern(3000), 1000, 1001));
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.take_sent(0), std::vector<Packet>{test::pattern(3000)});
  EXPECT_EQ(lan_.chains_sent(), 1u);
}

TEST_F(TransmitTest, ChainsAreMadeSingleForAPortThatDoesNot) {
  transmit(w0(), 0, 1);
  core::transmit(w0(), interfaces_, 0, pool_.try_make_chained(test::pattern(3000), 1000, 1001));
  core::transmit(w0(), interfaces_, 0, pool_.try_make_chained(test::pattern(2048), 1, 500));
  transmit(w0(), 0, 1);
  core::flush_tx(w0(), interfaces_);
  const auto sent = lan_.take_sent(0);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[1], test::pattern(2048));
  EXPECT_EQ(lan_.chains_sent(), 0u);
  EXPECT_EQ(drops(w0(), DropReason::TxChained), 1u);
  EXPECT_EQ(w0().interface[0].tx.packets.read(), 3u);
  EXPECT_EQ(w0().interface[0].tx.bytes.read(), 2248u);
  // And nothing else in the burst.
  core::transmit(w0(), interfaces_, 0, pool_.try_make_chained(test::pattern(3000), 1000, 1001));
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(lan_.sent(), 0u);
  EXPECT_EQ(drops(w0(), DropReason::TxChained), 2u);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, ASharedBufferIsNotWrittenBehind) {
  rte_mbuf* m = pool_.try_make_chained(test::pattern(200), 100, 100);
  rte_mbuf_refcnt_update(m, 1);
  core::transmit(w0(), interfaces_, 0, m);
  core::flush_tx(w0(), interfaces_);
  EXPECT_EQ(drops(w0(), DropReason::TxChained), 1u);
  rte_pktmbuf_free_seg(m);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(TransmitTest, EventsThatDoNotFitAreCounted) {
  const core::Event event{.kind = core::EventKind::NeighborWanted, .address = test::kPeerIp};
  for (int i = 0; i < 1024 + 3; ++i) w0().post(event);
  EXPECT_EQ(w0().events_lost.read(), 3u);
  core::Event out{};
  ASSERT_TRUE(w0().events.pop(out));
  EXPECT_EQ(out.address, test::kPeerIp);
}
}  // namespace
