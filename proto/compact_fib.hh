// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "core/error.hh"
#include "core/ip_address.hh"
#include "core/rcu.hh"
#include "proto/next_hop.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// The memory of all compact FIBs: blocks of 256 entries. Pages that no block has been in take no
/// memory, so that the capacity may be generous.
class FibBlocks {
public:
  static constexpr std::uint32_t kMaxCapacity = 1u << 24;
  static constexpr std::size_t kBytes = 1024;  ///< of a block

  /// @param capacity  blocks, 1 to kMaxCapacity. @throws std::bad_alloc
  FibBlocks(std::uint32_t capacity, core::Rcu& rcu);

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }

private:
  friend class CompactFib;
  /// An entry: a next hop, how many bits of this level it is there for (0: inherited from a level
  /// above), or the block to go on in.
  using Entry = std::uint32_t;
  static constexpr Entry kBlock = 1u << 31;
  static constexpr Entry kIndex = (1u << 24) - 1;
  static constexpr unsigned kDepthAt = 24;

  /// What the manager knows of a block.
  struct Info {
    Entry base = 0;               ///< what the entry above would be without the block
    std::uint32_t users = 0;      ///< prefixes that end in it, and blocks below
    std::bitset<510> prefixes{};  ///< those that end in it: see CompactFib
  };
  struct Free {
    void operator()(Entry* p) const noexcept { std::free(p); }
  };

  [[nodiscard]] Entry* block(std::uint32_t index) const noexcept {
    return entries_.get() + std::size_t{index} * 256;
  }
  [[nodiscard]] bool has_room(std::uint32_t blocks) const noexcept {
    return blocks <= capacity_ - used_;
  }
  /// A block full of `fill`. Waits a grace period where only freed ones are left.
  /// @pre has_room(1).
  std::uint32_t take(Entry fill);
  /// @pre no entry leads there any more.
  void give_back(std::uint32_t index);

  core::Rcu& rcu_;
  std::uint32_t capacity_, used_ = 0, fresh_ = 0;
  std::unique_ptr<Entry[], Free> entries_;
  std::vector<Info> info_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> freed_;  ///< workers may still be reading them
};

/// A forwarding table of one family that is small when it is empty, for VRFs other than the
/// default one: longest prefix -> NextHopId, by a trie of one byte a level with leaf pushing. The
/// manager changes it in place while workers look up: each entry is one 32-bit word, written once.
class CompactFib {
public:
  enum class Family : std::uint8_t { Ip4, Ip6 };
  static constexpr NextHopId kMaxNextHop = FibBlocks::kIndex;

  /// @param routes  prefixes at most.
  CompactFib(FibBlocks& blocks, Family family, std::uint32_t routes) noexcept
      : blocks_{blocks}, routes_{routes}, first_byte_{family == Family::Ip4 ? 12u : 0u} {}
  ~CompactFib();
  CompactFib(const CompactFib&) = delete;
  CompactFib& operator=(const CompactFib&) = delete;

  /// Worker side, of Family::Ip4: next hops of `n` destinations in host order.
  void lookup(const std::uint32_t* dst, std::uint64_t* next_hop, unsigned n) const noexcept {
    for (unsigned i = 0; i < n; ++i) next_hop[i] = lookup(dst[i]);
  }
  [[nodiscard]] NextHopId lookup(std::uint32_t dst) const noexcept {
    Entry e = load(root_);
    for (unsigned shift = 24; (e & FibBlocks::kBlock) != 0; shift -= 8)
      e = load(blocks_.block(e & FibBlocks::kIndex)[dst >> shift & 0xff]);
    return e & FibBlocks::kIndex;
  }
  /// The same of Family::Ip6.
  void lookup(const core::IpAddress* dst, std::uint64_t* next_hop, unsigned n) const noexcept {
    for (unsigned i = 0; i < n; ++i) next_hop[i] = lookup(dst[i]);
  }
  [[nodiscard]] NextHopId lookup(const core::IpAddress& dst) const noexcept {
    Entry e = load(root_);
    for (const std::uint8_t* byte = dst.bytes().data(); (e & FibBlocks::kBlock) != 0; ++byte)
      e = load(blocks_.block(e & FibBlocks::kIndex)[*byte]);
    return e & FibBlocks::kIndex;
  }

  // Manager side.
  /// Sets the next hop of `prefix`, new or not. @return Full: nothing changed.
  core::Expected<> set(const IpPrefix& prefix, NextHopId next_hop);
  /// The next hop of a prefix that is in the table: who keeps the routes knows.
  using Known = std::function<NextHopId(const IpPrefix&)>;
  /// @pre the prefix is there.
  void remove(const IpPrefix& prefix, const Known& next_hop_of);
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint32_t limit() const noexcept { return routes_; }

private:
  using Entry = FibBlocks::Entry;
  /// The way from the root to the block in which a prefix ends.
  struct Path {
    std::array<std::uint32_t, 16> block{};  ///< by level
    unsigned levels = 0;
  };
  [[nodiscard]] static Entry load(const Entry& e) noexcept {
    return std::atomic_ref{const_cast<Entry&>(e)}.load(std::memory_order_acquire);
  }
  static void store(Entry& e, Entry value) noexcept {
    std::atomic_ref{e}.store(value, std::memory_order_release);
  }
  [[nodiscard]] static Entry leaf(NextHopId next_hop, unsigned depth) noexcept {
    return next_hop | depth << FibBlocks::kDepthAt;
  }
  [[nodiscard]] static unsigned depth_of(Entry e) noexcept {
    return e >> FibBlocks::kDepthAt & 0xf;
  }
  [[nodiscard]] static bool is_block(Entry e) noexcept { return (e & FibBlocks::kBlock) != 0; }
  [[nodiscard]] std::uint8_t byte(const IpPrefix& p, unsigned level) const noexcept {
    return p.address.bytes()[first_byte_ + level];
  }
  [[nodiscard]] static std::size_t number(std::uint8_t byte, unsigned depth) noexcept {
    return (std::size_t{1} << depth) - 2 + (byte >> (8 - depth));
  }
  [[nodiscard]] Entry& entry_above(const Path& path, unsigned level, const IpPrefix& p) noexcept;
  [[nodiscard]] Path follow(const IpPrefix& p, unsigned levels) const noexcept;
  void extend(Path& path, const IpPrefix& p, unsigned levels);
  void cover(Entry& slot, Entry with);
  void replace(Entry& slot, unsigned depth, Entry with);
  void prune(const Path& path, const IpPrefix& p);
  void clear(Entry e);

  FibBlocks& blocks_;
  std::uint32_t routes_, used_ = 0;
  unsigned first_byte_;  ///< of the family's addresses in an IpAddress
  bool has_default_ = false;
  Entry root_ = 0;  ///< the block of the first level, or all there is
};
}  // namespace proto
