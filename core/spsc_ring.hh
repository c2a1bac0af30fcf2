// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <new>

namespace core {
/// A bounded queue between exactly two threads, wait-free on both sides. rte_ring does the same,
/// but its barriers hide from ThreadSanitizer and its elements need a memzone each.
template <class T, std::size_t N>
class SpscRing {
  static_assert((N & (N - 1)) == 0, "a power of two, so that the index is a mask");

public:
  /// Producer side. @return false when full; the element is then still the caller's.
  [[nodiscard]] bool push(const T& v) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_seen_ == N) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head - tail_seen_ == N) return false;
    }
    slots_[head % N] = v;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  /// Consumer side. @return false when empty.
  [[nodiscard]] bool pop(T& out) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (head_.load(std::memory_order_acquire) == tail) return false;
    out = slots_[tail % N];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  /// Either side; a hint only.
  [[nodiscard]] bool empty() const noexcept {
    return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
  }

private:
  static constexpr std::size_t kLine = 64;
  alignas(kLine) std::atomic<std::size_t> head_{0};
  std::size_t tail_seen_ = 0;  ///< producer's last view of tail_
  alignas(kLine) std::atomic<std::size_t> tail_{0};
  alignas(kLine) std::array<T, N> slots_{};
};
}  // namespace core
