// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cstdint>

namespace core {
/// One writer (its worker), any number of readers. Compiles to a plain add: no lock prefix.
class Counter {
public:
  void add(std::uint64_t n) noexcept {
    v_.store(v_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t read() const noexcept { return v_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> v_{0};
};

/// Packets and bytes, counted together.
struct TrafficCounter {
  Counter packets, bytes;
  void add(std::uint64_t n, std::uint64_t n_bytes) noexcept {
    packets.add(n);
    bytes.add(n_bytes);
  }
};
}  // namespace core
