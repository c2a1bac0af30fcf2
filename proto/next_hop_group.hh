// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "proto/next_hop.hh"

namespace proto {
/// Next hops that share the flows of a route, by weight (ECMP), or the one that a recursive route
/// has found. A flow goes to a bucket by its hash and a bucket belongs to a member, so that flows
/// stay where they are while the members change: only the buckets of a member that goes, or those
/// that a new one is due, change hands (as Linux's resilient next-hop groups, RFC 2992 section 3).
///
/// Workers read buckets while the manager rewrites them; each is one atomic number.
class NextHopGroups {
public:
  static constexpr std::size_t kBuckets = 128;
  struct Member {
    NextHopId id = NextHopTable::kNoRoute;
    std::uint32_t weight = 1;  ///< 1 to 65535: its share of the buckets
    friend bool operator==(const Member&, const Member&) = default;
  };

  /// @param capacity  at most 65535 groups.
  explicit NextHopGroups(std::size_t capacity);

  /// Worker side: the member that carries the flow. @param flow  flow::of_ip4() or of_ip6().
  [[nodiscard]] NextHopId pick(std::uint16_t group, std::uint64_t flow) const noexcept {
    // Software RSS chooses a worker by bits of the same number: mixed anew (Fibonacci hashing), or
    // a worker would see a few of the buckets only.
    const std::uint64_t bucket = (flow * 0x9e3779b97f4a7c15u) >> 57;
    return groups_[group][bucket].load(std::memory_order_acquire);
  }
  static_assert(kBuckets == 128, "pick() takes 7 bits");

  /// Worker side: whether `f(NextHopId)` is true for a member that has flows.
  template <class F>
  [[nodiscard]] bool any(std::uint16_t group, F&& f) const noexcept {
    NextHopId last = NextHopTable::kNoRoute;
    for (const auto& bucket : groups_[group]) {
      const NextHopId member = bucket.load(std::memory_order_acquire);
      if (member != last && f(member)) return true;
      last = member;
    }
    return false;
  }

  // Manager side.
  /// A group without members: its packets have no route.
  [[nodiscard]] std::optional<std::uint16_t> allocate();
  /// Deals the buckets out to `members`, moving no more of them than the shares ask for.
  void assign(std::uint16_t group, std::span<const Member> members);
  /// @pre a grace period has passed since the last next hop led to it.
  void release(std::uint16_t group);
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t used() const noexcept { return capacity_ - free_.size(); }
  /// How many buckets `id` has.
  [[nodiscard]] std::size_t buckets_of(std::uint16_t group, NextHopId id) const noexcept;

private:
  using Buckets = std::array<std::atomic<NextHopId>, kBuckets>;
  std::size_t capacity_;
  std::unique_ptr<Buckets[]> groups_;
  std::vector<std::uint16_t> free_;
};
}  // namespace proto
