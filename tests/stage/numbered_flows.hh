// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/stage/router.hh"

namespace test {
/// Traffic at full rate through a router with two workers and one queue at each port, checked
/// packet by packet: within each flow nothing may be lost, doubled or out of order. A wire thread
/// keeps a window on its way. The test's thread is the manager's.
class NumberedFlows {
public:
  static constexpr std::uint32_t kFlows = 16;
  explicit NumberedFlows(Router& router) : r{router} {
    for (std::size_t n = 0; n < 2; ++n)
      workers_.emplace_back([this, n] {
        polluxd::run_worker(r.shard(n), {r.manager.published(), r.rcu, clock, stop_workers_});
      });
    wire_ = std::thread{[this] {
      while (!stop_wire_.load()) carry();
    }};
  }
  ~NumberedFlows() { end(); }
  /// No more is sent; waits until all has arrived, or for a minute.
  void end() {
    if (!wire_.joinable()) return;
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
  /// Numbered packets of each flow, from the host to the gateway.
  static Packet numbered(std::uint32_t flow, std::uint32_t number) {
    const Packet payload{static_cast<std::uint8_t>(number >> 24),
                         static_cast<std::uint8_t>(number >> 16),
                         static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
    return from_host(ip4_udp({.src = Router::kHostIp, .dst = Router::kGatewayIp},
                             {.src_port = static_cast<std::uint16_t>(1000 + flow)}, payload));
  }
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
}  // namespace test
