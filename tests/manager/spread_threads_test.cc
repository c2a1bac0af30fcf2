// SPDX-License-Identifier: BSD-3-Clause
// Software RSS and queues that move between workers, under traffic: within each flow nothing is
// lost, doubled or out of order.
#include <atomic>
#include <thread>

#include "tests/stage/router.hh"

namespace {
using namespace test;

constexpr std::uint32_t kFlows = 16;

/// Numbered packets of each flow, from the host to the gateway.
Packet numbered(std::uint32_t flow, std::uint32_t number) {
  const Packet payload{static_cast<std::uint8_t>(number >> 24),
                       static_cast<std::uint8_t>(number >> 16),
                       static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  return from_host(ip4_udp({.src = Router::kHostIp, .dst = Router::kGatewayIp},
                           {.src_port = static_cast<std::uint16_t>(1000 + flow)}, payload));
}

/// Two workers, one queue at each port, a wire that keeps at most a window on its way.
class NumberedFlows {
public:
  explicit NumberedFlows(Router& router) : r{router} {
    for (std::size_t n = 0; n < 2; ++n)
      workers_.emplace_back([this, n] {
        polluxd::run_worker(r.shard(n), {r.manager.published(), r.rcu, clock, stop_workers_});
      });
    wire_ = std::thread{[this] {
      while (!stop_wire_.load()) carry();
    }};
  }
  ~NumberedFlows() {
    stop_wire_ = true;
    wire_.join();
    const std::uint64_t start_us = clock.now_us();
    while (on_the_way() != 0 && clock.now_us() - start_us < 60'000'000) collect();
    stop_workers_ = true;
    for (std::thread& t : workers_) t.join();
  }
  NumberedFlows(const NumberedFlows&) = delete;
  NumberedFlows& operator=(const NumberedFlows&) = delete;

  Router& r;
  core::Clock clock;
  std::atomic<std::uint64_t> arrived{0}, wrong{0};
  [[nodiscard]] std::uint64_t on_the_way() const noexcept { return pushed_ - arrived; }

private:
  static constexpr std::uint64_t kWindow = 200;  // below what any ring holds
  void carry() {
    while (on_the_way() < kWindow) {
      r.lan.push(numbered(static_cast<std::uint32_t>(pushed_ % kFlows),
                          static_cast<std::uint32_t>(pushed_ / kFlows)));
      ++pushed_;
    }
    collect();
    std::this_thread::yield();
  }
  void collect() {
    for (const Packet& p : r.wan.take_sent()) {
      if (p.size() < 46 || p[12] != 8 || p[13] != 0) continue;
      const std::uint32_t flow = (std::uint32_t{p[34]} << 8 | p[35]) - 1000;
      const std::uint32_t number = std::uint32_t{p[42]} << 24 | std::uint32_t{p[43]} << 16 |
                                   std::uint32_t{p[44]} << 8 | p[45];
      if (flow >= kFlows || number != expected_[flow]++) ++wrong;
      ++arrived;
    }
  }

  std::uint64_t pushed_ = 0;
  std::array<std::uint32_t, kFlows> expected_{};
  std::atomic<bool> stop_wire_{false}, stop_workers_{false};
  std::vector<std::thread> workers_;
  std::thread wire_;
};

TEST(SoftwareRss, KeepsEveryFlowWholeWhileQueuesMoveAndInterfacesComeAndGo) {
  Router r{{.workers = 2}};
  r.configure();
  r.know_neighbors();
  MemoryPort aux{r.pool, {.queues = 1}};
  {
    NumberedFlows flows{r};
    polluxd::InterfaceSpec spec;
    spec.name = "aux0";
    for (std::uint16_t n = 0; n < 100; ++n) {
      const std::uint64_t then = flows.arrived;
      must(r.manager.assign_queue("lan0", 0, n % 2));
      if (n % 2 == 0)
        must(r.attach(aux, spec, mac(0x30)));
      else
        must(r.manager.destroy_interface("aux0"));
      if (n % 10 == 5) (void)r.manager.spread_queues();
      if (n % 10 == 7) must(r.manager.set_software_rss("lan0", true));
      const std::uint64_t start_us = flows.clock.now_us();
      while (flows.arrived < then + 300 && flows.clock.now_us() - start_us < 60'000'000)
        r.manager.poll(flows.clock.now_us());
      ASSERT_GE(flows.arrived, then + 300) << "traffic has stopped";
    }
    EXPECT_EQ(flows.wrong, 0u);
    EXPECT_EQ(r.manager.interfaces()[0].spread, true);
  }
  EXPECT_EQ(r.drops(), Drops{});
  for (std::size_t w = 0; w < 2; ++w)
    EXPECT_GT(
        r.shard(w).worker.stages[static_cast<std::size_t>(core::Stage::Ip4Input)].packets.read(),
        1000u)
        << "worker " << w << " has its share";
  EXPECT_EQ(r.pool.in_use(), 0u);
}
}  // namespace
