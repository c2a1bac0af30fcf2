// SPDX-License-Identifier: BSD-3-Clause
// Traces and captures come and go while real workers carry packets.
#include <atomic>
#include <thread>

#include "tests/stage/observe_lab.hh"

namespace {
using namespace test;

TEST(ObserveThreads, ComeAndGoUnderTraffic) {
  Router r{{.workers = 2}};
  r.configure(/*lan_queues=*/2, /*wan_queues=*/1);  // so that frames are handed over too
  r.know_neighbors();
  core::Clock clock;
  std::atomic<bool> stop_workers{false}, stop_wire{false};
  std::atomic<std::uint64_t> sent{0};
  std::vector<std::thread> workers;
  for (std::size_t n = 0; n < 2; ++n)
    workers.emplace_back([&, n] {
      polluxd::run_worker(r.shard(n), {r.manager.published(), r.rcu, clock, stop_workers});
    });
  std::thread wire{[&] {
    const Packet forwarded =
        from_host(ip4_udp({.src = Router::kHostIp, .dst = Router::kGatewayIp}, {}, pattern(30)));
    const Packet no_route =
        from_host(ip4_udp({.src = Router::kHostIp, .dst = ip("8.8.8.8")}, {}, pattern(30)));
    const Packet echo =
        from_host(ip4_icmp({.src = Router::kHostIp, .dst = Router::kLanIp}, {}, pattern(9)));
    while (!stop_wire) {
      if (r.lan.waiting() < 64)
        for (std::uint16_t q = 0; q < 2; ++q)
          for (const Packet& p : {forwarded, no_route, echo}) r.lan.push(p, q);
      for (std::uint16_t q = 0; q < 2; ++q)
        sent += r.lan.take_sent(q).size() + r.wan.take_sent(q).size();
      std::this_thread::yield();
    }
  }};

  const auto poll_until = [&](auto&& done) {
    for (const std::uint64_t start = clock.now_us(); !done();) {
      if (clock.now_us() - start > 120'000'000) return false;
      r.manager.poll(clock.now_us());
      std::this_thread::yield();
    }
    return true;
  };
  for (int turn = 0; turn < 20; ++turn) {
    Traced trace;
    Captured lan, drops, wan;
    trace.start(r, "udp", 5);
    lan.start(r, {.interfaces = {"lan0"}, .filter = "icmp"});
    drops.start(r, {.drops = true, .count = 20});
    EXPECT_TRUE(poll_until([&] { return trace.ended && drops.ended && lan.packets.size() > 4; }));
    wan.start(r, {.interfaces = {"wan0"}, .snaplen = 40});
    EXPECT_TRUE(poll_until([&] { return wan.packets.size() > 4; }));
    r.manager.stop_observer(lan.id);
    r.manager.stop_observer(wan.id);
    EXPECT_TRUE(poll_until([&] { return lan.ended && wan.ended; }));
    EXPECT_EQ(trace.ways.size(), 5u);
    EXPECT_EQ(drops.packets.size(), 20u);
    for (const Traced::Way& way : trace.ways)
      EXPECT_TRUE(way.front() == "received lan0" &&
                  (way.back() == "sent wan0 queue 0" || way.back() == "dropped Ip4NoRoute" ||
                   way.back().starts_with("dropped HandoffFull")))
          << way.front() << " ... " << way.back();
    for (const CapturedFrame& p : drops.packets) EXPECT_FALSE(p.dropped.empty());
    for (const CapturedFrame& p : wan.packets) EXPECT_EQ(p.bytes.size(), 40u);
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_EQ(r.manager.published().read().observation, nullptr);
  stop_wire = true;
  wire.join();
  while (r.lan.waiting() != 0) r.manager.poll(clock.now_us());
  stop_workers = true;
  for (std::thread& t : workers) t.join();
}
}  // namespace
