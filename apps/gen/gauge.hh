// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>

namespace gen {
/// A value that one worker sets and others look at; core::Counter's sister for what does not count.
template <class T>
class Gauge {
public:
  explicit Gauge(T v = T{}) noexcept : v_{v} {}
  void set(T v) noexcept { v_.store(v, std::memory_order_relaxed); }
  [[nodiscard]] T read() const noexcept { return v_.load(std::memory_order_relaxed); }

private:
  std::atomic<T> v_;
};
}  // namespace gen
