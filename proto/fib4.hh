// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_fib.h>

#include <cstdint>
#include <memory>

#include "core/error.hh"
#include "core/rcu.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// The IPv4 forwarding table: longest prefix -> NextHopId, by rte_fib's DIR-24-8. The manager
/// changes it in place while workers look up.
class Fib4 {
public:
  struct Limits {
    std::uint32_t routes = 4096;  ///< prefixes
    std::uint32_t groups = 256;   ///< /24s that hold a prefix longer than 24 (DPDK's tbl8 groups)
    std::uint32_t next_hops = kMaxNextHopsIn2Bytes;  ///< decides how wide entries are
  };
  /// @param name  unique among the process's FIBs, at most 31 characters.
  /// @return the table, or Full (no memory) | Invalid (limits out of range).
  static core::Expected<std::unique_ptr<Fib4>> create(const char* name, Limits limits,
                                                      core::Rcu& rcu);

  /// Worker side: next hops of `n` (at most 64) destinations in host order.
  void lookup(const std::uint32_t* dst, std::uint64_t* next_hop, unsigned n) const noexcept {
    rte_fib_lookup_bulk(fib_.get(), const_cast<std::uint32_t*>(dst), next_hop, static_cast<int>(n));
  }
  [[nodiscard]] NextHopId lookup(std::uint32_t dst) const noexcept;

  // Manager side.
  /// Sets the next hop of `prefix`, new or not. @return Full: nothing changed.
  core::Expected<> set(Ip4Prefix prefix, NextHopId next_hop);
  /// @pre the prefix is there.
  void remove(Ip4Prefix prefix);
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t groups_used() const noexcept { return groups_used_; }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

private:
  struct Free {
    void operator()(rte_fib* f) const noexcept { rte_fib_free(f); }
  };
  Fib4(rte_fib* fib, Limits limits, core::Rcu& rcu) : fib_{fib}, limits_{limits}, rcu_{rcu} {}
  void wait_for_freed_groups() noexcept;
  [[nodiscard]] int add(Ip4Prefix p, NextHopId next_hop) noexcept;
  [[nodiscard]] int write_to_end(Ip4Prefix p, NextHopId next_hop) noexcept;

  std::unique_ptr<rte_fib, Free> fib_;
  Limits limits_;
  core::Rcu& rcu_;
  std::uint32_t used_ = 0, groups_used_ = 0;
  bool may_have_freed_ = false;
};
}  // namespace proto
