// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_fib6.h>

#include <cstdint>
#include <memory>

#include "core/error.hh"
#include "core/rcu.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// The IPv6 forwarding table: longest prefix -> NextHopId, by rte_fib6's trie. The manager changes
/// it in place while workers look up.
class Fib6 {
public:
  struct Limits {
    std::uint32_t routes = 4096;   ///< prefixes
    std::uint32_t groups = 16384;  ///< blocks of 256 entries for prefixes longer than 24
    std::uint32_t next_hops = kMaxNextHopsIn2Bytes;
  };
  /// Bytes of an entry: 2, or 4 where there are too many next hops or groups for two.
  [[nodiscard]] static std::uint32_t entry_bytes(const Limits& limits) noexcept;
  /// @param name  unique among the process's IPv6 FIBs, at most 20 characters.
  /// @return the table, or Full (no memory) | Invalid (limits out of range).
  static core::Expected<std::unique_ptr<Fib6>> create(const char* name, Limits limits,
                                                      core::Rcu& rcu);

  /// Worker side: next hops of `n` (at most 64) destinations.
  void lookup(const core::IpAddress* dst, std::uint64_t* next_hop, unsigned n) const noexcept;
  [[nodiscard]] NextHopId lookup(const core::IpAddress& dst) const noexcept;

  // Manager side.
  /// Sets the next hop of `prefix`, new or not. @return Full: nothing changed.
  core::Expected<> set(const IpPrefix& prefix, NextHopId next_hop);
  /// @pre the prefix is there.
  void remove(const IpPrefix& prefix);
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t groups_used() const noexcept { return groups_used_; }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

private:
  struct Free {
    void operator()(rte_fib6* f) const noexcept { rte_fib6_free(f); }
  };
  Fib6(rte_fib6* fib, Limits limits, core::Rcu& rcu) : fib_{fib}, limits_{limits}, rcu_{rcu} {}
  void wait_for_freed_groups() noexcept;
  int add(const IpPrefix& prefix, NextHopId next_hop);
  [[nodiscard]] std::uint32_t groups_of_none_else(const IpPrefix& p) const;
  int write_to_end(const IpPrefix& p, NextHopId next_hop);

  std::unique_ptr<rte_fib6, Free> fib_;
  Limits limits_;
  core::Rcu& rcu_;
  std::uint32_t used_ = 0;
  std::uint32_t groups_used_ = 0;              ///< that the prefixes can need; shared ones once
  std::uint32_t* reserved_by_dpdk_ = nullptr;  ///< what rte_fib6 counts of the same
  bool may_have_freed_ = false;
};
}  // namespace proto
