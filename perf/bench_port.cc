// SPDX-License-Identifier: BSD-3-Clause
#include "perf/bench_port.hh"

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <utility>

namespace perf {
BenchPort::BenchPort(rte_mempool* pool, Fill fill, std::uint32_t depth)
    : pool_{pool}, fill_{std::move(fill)}, ring_(depth, nullptr) {}

BenchPort::~BenchPort() {
  for (rte_mbuf* m : ring_) rte_pktmbuf_free(m);
}

pollux_port BenchPort::as_port(const std::array<std::uint8_t, 6>& mac) noexcept {
  pollux_port p{};
  p.port = this;
  p.rx = &BenchPort::rx;
  p.tx = &BenchPort::tx;
  for (std::size_t i = 0; i < mac.size(); ++i) p.mac[i] = mac[i];
  p.mtu = 1500;
  p.rx_queues = 1;
  p.tx_queues = 1;
  return p;
}

std::uint16_t BenchPort::rx(void* port, std::uint16_t, rte_mbuf** packets,
                            std::uint16_t n) noexcept {
  auto& self = *static_cast<BenchPort*>(port);
  if (!self.receiving_) return 0;
  const std::uint64_t then = rte_rdtsc();
  std::uint16_t ready = 0;
  if (rte_pktmbuf_alloc_bulk(self.pool_, packets, n) == 0) {
    self.fill_(packets, n);
    ready = n;
    if (!self.ring_.empty()) {
      ready = 0;
      for (std::uint16_t i = 0; i < n; ++i) {
        rte_mbuf* old = std::exchange(self.ring_[self.at_], packets[i]);
        self.at_ = self.at_ + 1 == self.ring_.size() ? 0 : self.at_ + 1;
        if (old != nullptr) packets[ready++] = old;
      }
    }
  }
  self.received_ += ready;
  self.device_cycles_ += rte_rdtsc() - then;
  return ready;
}

std::uint16_t BenchPort::tx(void* port, std::uint16_t, rte_mbuf** packets,
                            std::uint16_t n) noexcept {
  auto& self = *static_cast<BenchPort*>(port);
  const std::uint64_t then = rte_rdtsc();
  rte_pktmbuf_free_bulk(packets, n);
  self.sent_ += n;
  self.device_cycles_ += rte_rdtsc() - then;
  return n;
}
}  // namespace perf
