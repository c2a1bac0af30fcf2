// SPDX-License-Identifier: BSD-3-Clause
#include "proto/neighbor_hold.hh"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/packet_pool.hh"

namespace {
using core::DropReason;
using proto::HeldPacket;
using proto::NeighborHold;

class NeighborHoldTest : public testing::Test {
protected:
  ~NeighborHoldTest() override {
    hold_.review([](const HeldPacket& p) {
      rte_pktmbuf_free(p.m);
      return true;
    });
    EXPECT_EQ(pool_.in_use(), 0u);
  }
  void push(std::uint32_t gateway, core::InterfaceId interface = 1, std::uint32_t dst = 99) {
    hold_.push(worker_, {.m = pool_.make(test::pattern(20)),
                         .dst = dst,
                         .gateway = gateway,
                         .interface = interface});
  }
  [[nodiscard]] std::uint64_t refused() const {
    return worker_.drops[static_cast<std::size_t>(DropReason::NeighborHoldFull)].read();
  }
  std::vector<core::Event> events() {
    std::vector<core::Event> all;
    core::Event e;
    while (worker_.events.pop(e)) all.push_back(e);
    return all;
  }

  test::PacketPool pool_;
  core::Worker worker_{0, 4, nullptr};
  NeighborHold hold_;
};

TEST_F(NeighborHoldTest, AsksOnceForEachNeighbor) {
  worker_.now_us = 77;
  push(1);
  push(1);
  push(2);
  push(1, /*interface=*/2);
  const auto asked = events();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[0].kind, core::EventKind::NeighborWanted);
  EXPECT_EQ(asked[0].address, 1u);
  EXPECT_EQ(asked[0].interface, 1);
  EXPECT_EQ(asked[0].at_us, 77u);
  EXPECT_EQ(asked[1].address, 2u);
  EXPECT_EQ(asked[2].interface, 2);
  EXPECT_EQ(hold_.size(), 4u);
}

TEST_F(NeighborHoldTest, AsksNobodyForANextHopThatIsBeingRewritten) {
  push(1, core::kNoInterface);
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(hold_.size(), 1u);
}

TEST_F(NeighborHoldTest, KeepsSixteenForOneNeighbor) {
  for (std::size_t i = 0; i < NeighborHold::kPerNeighbor; ++i) push(1);
  EXPECT_EQ(refused(), 0u);
  push(1);
  EXPECT_EQ(refused(), 1u);
  EXPECT_EQ(hold_.size(), NeighborHold::kPerNeighbor);
  push(2);
  push(1, /*interface=*/2);
  EXPECT_EQ(refused(), 1u) << "others are not affected";
  EXPECT_EQ(pool_.in_use(), hold_.size());
}

TEST_F(NeighborHoldTest, KeepsTwoHundredAndFiftySixInAll) {
  for (std::uint32_t i = 0; i < NeighborHold::kCapacity; ++i) push(i);
  EXPECT_EQ(refused(), 0u);
  EXPECT_EQ(hold_.size(), NeighborHold::kCapacity);
  (void)events();
  push(5000);
  EXPECT_EQ(refused(), 1u);
  EXPECT_TRUE(events().empty()) << "nobody waits, so nobody is asked for";
  EXPECT_EQ(hold_.size(), NeighborHold::kCapacity);
  EXPECT_EQ(pool_.in_use(), NeighborHold::kCapacity);
}

TEST_F(NeighborHoldTest, ReviewTakesSomeAndKeepsTheOrderOfTheRest) {
  for (std::uint32_t i = 0; i < 10; ++i) push(1, 1, i);
  std::vector<std::uint32_t> offered, left;
  hold_.review([&](const HeldPacket& p) {
    offered.push_back(p.dst.ip4());
    if (p.dst.ip4() % 2 != 0) return false;
    rte_pktmbuf_free(p.m);
    return true;
  });
  hold_.review([&](const HeldPacket& p) {
    left.push_back(p.dst.ip4());
    return false;
  });
  EXPECT_EQ(offered, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(left, (std::vector<std::uint32_t>{1, 3, 5, 7, 9}));
  EXPECT_EQ(hold_.size(), 5u);
  push(1);
  EXPECT_EQ(hold_.size(), 6u);
}
}  // namespace
