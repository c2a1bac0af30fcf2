// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <memory>

#include "core/rcu.hh"

namespace core {
/// A value that the manager replaces whole while workers read it.
template <class T>
class Published {
public:
  Published(Rcu& rcu, std::unique_ptr<const T> first) noexcept
      : rcu_{rcu}, current_{first.release()} {}
  ~Published() { delete current_.load(std::memory_order_relaxed); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  /// Worker side, wait-free. The reference dies at the worker's next quiescent report: never keep
  /// it in an mbuf, a timer or a queue; keep an id and look it up again.
  [[nodiscard]] const T& read() const noexcept { return *current_.load(std::memory_order_acquire); }

  /// Manager side. Blocks for one grace period: on return no worker sees the old value, which is
  /// then freed. All effects of the old value on a worker are over when this returns.
  void publish(std::unique_ptr<const T> next) noexcept {
    const std::unique_ptr<const T> old{
        current_.exchange(next.release(), std::memory_order_acq_rel)};
    rcu_.grace_period();
  }

private:
  Rcu& rcu_;
  std::atomic<const T*> current_;
};
}  // namespace core
