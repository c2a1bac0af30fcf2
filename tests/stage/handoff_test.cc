// SPDX-License-Identifier: BSD-3-Clause
// Two workers and a port that has one queue only; what happens when a worker ends.
#include <atomic>

#include "tests/stage/router.hh"

namespace {
using namespace test;
using Kind = polluxd::RouteSpec::Kind;

/// lan0 has a queue for each of the two workers, wan0 one, which worker 0 owns.
class HandoffBetweenWorkers : public testing::Test {
protected:
  HandoffBetweenWorkers() {
    r.configure(/*lan_queues=*/2, /*wan_queues=*/1);
    r.know_neighbors();
  }
  static Packet numbered(std::uint16_t id, std::uint8_t ttl = 64) {
    return ip4_udp({.id = id, .ttl = ttl, .src = Router::kHostIp, .dst = Router::kGatewayIp}, {},
                   pattern(8));
  }
  void run(std::size_t worker) {
    r.shard(worker).worker.now_us = r.now_us;
    while (polluxd::run_once(r.shard(worker), r.manager.published().read()) != 0) {}
  }
  /// A worker's whole life after it has been told to stop.
  void stop(std::size_t worker) {
    const std::atomic<bool> stopped{true};
    const core::Clock clock;
    polluxd::run_worker(r.shard(worker), {r.manager.published(), r.rcu, clock, stopped});
  }

  Router r{{.workers = 2}};
};

TEST_F(HandoffBetweenWorkers, FramesReachTheOwnerInOrder) {
  for (std::uint16_t n = 0; n < 200; ++n) r.lan.push(from_host(numbered(n)), /*queue=*/1);
  run(1);
  EXPECT_EQ(r.wan.sent(), 0u) << "not its queue";
  EXPECT_EQ(r.pool.in_use(), 200u);
  run(0);
  Packets expected;
  for (std::uint16_t n = 0; n < 200; ++n) expected.push_back(to_gateway(numbered(n, 63)));
  EXPECT_EQ(r.wan.take_sent(), expected);
  const auto wan = r.manager.interface_totals()[1];
  EXPECT_EQ(wan.first, "wan0");
  EXPECT_GE(wan.second.tx.packets, 200u);
  EXPECT_EQ(r.drops(), Drops{});
  r.expect_conservation(/*handed_over=*/200);
}

TEST_F(HandoffBetweenWorkers, EachWorkerSendsOnItsOwnQueueWhereItHasOne) {
  r.wan.push(from_gateway(ip4_udp({.src = Router::kGatewayIp, .dst = Router::kHostIp}, {}, {})));
  run(0);
  EXPECT_EQ(r.lan.take_sent(0).size(), 1u);
  r.lan.push(from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, {})), 1);
  run(1);
  EXPECT_EQ(r.lan.take_sent(1).size(), 1u);
  r.expect_conservation();
}

TEST_F(HandoffBetweenWorkers, FullRingDrops) {
  for (std::uint16_t n = 0; n < 600; ++n) r.lan.push(from_host(numbered(n)), /*queue=*/1);
  run(1);
  EXPECT_EQ(r.drops(), (Drops{{"HandoffFull", 600 - 512}}));
  run(0);
  EXPECT_EQ(r.wan.take_sent().size(), 512u);
  r.expect_conservation(/*handed_over=*/512);
}

TEST_F(HandoffBetweenWorkers, InterfaceThatIsGoneMeanwhile) {
  r.lan.push(from_host(numbered(1)), 1);
  run(1);
  must(r.manager.destroy_interface("wan0"));
  run(0);
  EXPECT_EQ(r.drops(), (Drops{{"InterfaceGone", 1}}));
  EXPECT_EQ(r.pool.in_use(), 0u);
}

TEST_F(HandoffBetweenWorkers, StoppedWorkerSendsWhatItWasHandedAndDropsWhatItHolds) {
  r.lan.push(from_host(numbered(1)), 1);
  run(1);
  // And a packet that waits at worker 0 for a neighbour.
  r.lan.push(from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("192.0.2.77")}, {}, {})), 0);
  run(0);
  (void)r.wan.take_sent();
  r.lan.push(from_host(numbered(2)), 1);
  run(1);
  ASSERT_EQ(r.held(), 1u);
  stop(0);
  EXPECT_EQ(r.wan.take_sent(), (Packets{to_gateway(numbered(2, 63))}));
  EXPECT_EQ(r.held(), 0u);
  EXPECT_EQ(r.drops(), (Drops{{"WorkerStopping", 1}}));
  EXPECT_EQ(r.pool.in_use(), 0u);
}

TEST_F(HandoffBetweenWorkers, WhatTheOwnerNeverTookIsFreedInTheEnd) {
  r.lan.push(from_host(numbered(1)), 1);
  stop(0);
  run(1);  // hands over to a worker that has gone
  EXPECT_EQ(r.pool.in_use(), 1u);
  // The router's destructor asserts that the mbuf is back.
}

TEST_F(HandoffBetweenWorkers, ShutdownTakesTheInterfacesDown) {
  r.manager.shutdown();
  EXPECT_TRUE(r.manager.interfaces().empty());
  r.lan.push(from_host(numbered(1)), 0);
  r.run_workers();
  EXPECT_EQ(r.lan.waiting(), 1u) << "nobody polls it";
}
}  // namespace
