// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_rcu_qsbr.h>
#include <sched.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace core {
/// Read-copy-update by quiescent states: the manager replaces, waits a grace period, frees; the
/// workers only say "I hold nothing now" once per iteration.
class Rcu {
public:
  /// @param readers  number of workers, 1 or more.
  explicit Rcu(unsigned readers) {
    const std::size_t size = rte_rcu_qsbr_get_memsize(readers);
    constexpr std::size_t kLine = RTE_CACHE_LINE_SIZE;
    void* p = std::aligned_alloc(kLine, (size + kLine - 1) / kLine * kLine);
    if (p == nullptr || rte_rcu_qsbr_init(static_cast<rte_rcu_qsbr*>(p), readers) != 0) {
      std::free(p);
      throw std::bad_alloc{};
    }
    qsbr_.reset(static_cast<rte_rcu_qsbr*>(p));
  }

  // Worker side, wait-free. An offline reader holds no reference and delays no grace period.
  void enter(unsigned reader) noexcept {
    rte_rcu_qsbr_thread_register(qsbr_.get(), reader);
    online(reader);
  }
  void online(unsigned reader) noexcept { rte_rcu_qsbr_thread_online(qsbr_.get(), reader); }
  void offline(unsigned reader) noexcept { rte_rcu_qsbr_thread_offline(qsbr_.get(), reader); }
  void quiescent(unsigned reader) noexcept { rte_rcu_qsbr_quiescent(qsbr_.get(), reader); }
  void leave(unsigned reader) noexcept {
    offline(reader);
    rte_rcu_qsbr_thread_unregister(qsbr_.get(), reader);
  }

  /// Manager side. Returns once no worker can still hold what was unpublished before the call.
  /// The inline start and check, not rte_rcu_qsbr_synchronize: that one sits in a library that
  /// ThreadSanitizer cannot see into. Yields, for a worker may share this core.
  void grace_period() noexcept {
    const std::uint64_t token = rte_rcu_qsbr_start(qsbr_.get());
    while (rte_rcu_qsbr_check(qsbr_.get(), token, /*wait=*/false) == 0) sched_yield();
  }

private:
  struct Free {
    void operator()(rte_rcu_qsbr* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<rte_rcu_qsbr, Free> qsbr_;
};
}  // namespace core
