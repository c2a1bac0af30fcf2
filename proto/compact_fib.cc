// SPDX-License-Identifier: BSD-3-Clause
#include "proto/compact_fib.hh"

#include <fmt/format.h>

#include <algorithm>
#include <new>

namespace proto {
FibBlocks::FibBlocks(std::uint32_t capacity, core::Rcu& rcu)
    : rcu_{rcu},
      capacity_{capacity},
      // calloc: pages that are never touched are never there.
      entries_{static_cast<Entry*>(std::calloc(capacity, kBytes))} {
  if (entries_ == nullptr) throw std::bad_alloc{};
}

std::uint32_t FibBlocks::take(Entry fill) {
  // Freed blocks are used again some dozens at a time, so that a grace period serves many.
  constexpr std::size_t kWorthWaiting = 64;
  if (free_.empty() && !freed_.empty() && (freed_.size() >= kWorthWaiting || fresh_ == capacity_)) {
    rcu_.grace_period();
    std::swap(free_, freed_);
  }
  std::uint32_t index = fresh_;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    ++fresh_;
    info_.emplace_back();
  }
  ++used_;
  for (Entry* e = block(index); e != block(index) + 256; ++e)
    std::atomic_ref{*e}.store(fill, std::memory_order_relaxed);
  return index;
}

void FibBlocks::give_back(std::uint32_t index) {
  info_[index] = {};
  freed_.push_back(index);
  --used_;
}

CompactFib::~CompactFib() {
  clear(root_);
}

void CompactFib::clear(Entry e) {
  if (!is_block(e)) return;
  const std::uint32_t index = e & FibBlocks::kIndex;
  for (unsigned i = 0; i < 256; ++i) clear(blocks_.block(index)[i]);
  blocks_.give_back(index);
}

/// The entry that leads to the block of a level.
CompactFib::Entry& CompactFib::entry_above(const Path& path, unsigned level,
                                           const IpPrefix& p) noexcept {
  return level == 0 ? root_ : blocks_.block(path.block[level - 1])[byte(p, level - 1)];
}

/// As far as there are blocks.
CompactFib::Path CompactFib::follow(const IpPrefix& p, unsigned levels) const noexcept {
  Path path;
  for (Entry e = root_; path.levels < levels && is_block(e); ++path.levels) {
    path.block[path.levels] = e & FibBlocks::kIndex;
    e = blocks_.block(path.block[path.levels])[byte(p, path.levels)];
  }
  return path;
}

void CompactFib::extend(Path& path, const IpPrefix& p, unsigned levels) {
  while (path.levels < levels) {
    Entry& above = entry_above(path, path.levels, p);
    const std::uint32_t made = blocks_.take(leaf(above & FibBlocks::kIndex, 0));
    blocks_.info_[made].base = above;
    if (path.levels != 0) ++blocks_.info_[path.block[path.levels - 1]].users;
    store(above, FibBlocks::kBlock | made);
    path.block[path.levels++] = made;
  }
}

/// What is at `slot` and not there for a longer prefix becomes `with`.
void CompactFib::cover(Entry& slot, Entry with) {
  if (!is_block(slot)) {
    if (depth_of(slot) <= depth_of(with)) store(slot, with);
    return;
  }
  const std::uint32_t index = slot & FibBlocks::kIndex;
  Entry& base = blocks_.info_[index].base;
  if (depth_of(base) > depth_of(with)) return;
  base = with;
  for (unsigned i = 0; i < 256; ++i)
    cover(blocks_.block(index)[i], leaf(with & FibBlocks::kIndex, 0));
}

/// What is at `slot` and there for a prefix of that depth becomes `with`.
void CompactFib::replace(Entry& slot, unsigned depth, Entry with) {
  if (!is_block(slot)) {
    if (depth_of(slot) == depth) store(slot, with);
    return;
  }
  const std::uint32_t index = slot & FibBlocks::kIndex;
  Entry& base = blocks_.info_[index].base;
  if (depth_of(base) != depth) return;
  base = with;
  for (unsigned i = 0; i < 256; ++i)
    replace(blocks_.block(index)[i], 0, leaf(with & FibBlocks::kIndex, 0));
}

core::Expected<> CompactFib::set(const IpPrefix& prefix, NextHopId next_hop) {
  const IpPrefix p = prefix.network();
  const unsigned levels = (p.length + 7u) / 8u;
  Path path = follow(p, levels);
  const unsigned depth = levels == 0 ? 0 : p.length - 8 * (levels - 1);
  const std::size_t n = levels == 0 ? 0 : number(byte(p, levels - 1), depth);
  const bool there =
      levels == 0 ? has_default_
                  : path.levels == levels && blocks_.info_[path.block[levels - 1]].prefixes.test(n);
  if (!there && used_ == routes_)
    return core::Error{
        core::Errc::Full,
        fmt::format("route table is full: {} of {} prefixes (limits.vrf_routes)", used_, routes_)};
  if (!blocks_.has_room(levels - path.levels))
    return core::Error{core::Errc::Full,
                       fmt::format("route tables of VRFs are full: {} of {} blocks of 256 entries "
                                   "are used (limits.vrf_groups)",
                                   blocks_.used(), blocks_.capacity())};
  if (!there) ++used_;
  if (levels == 0) {
    has_default_ = true;
    cover(root_, leaf(next_hop, 0));
    return core::Done{};
  }
  extend(path, p, levels);
  const std::uint32_t last = path.block[levels - 1];
  FibBlocks::Info& info = blocks_.info_[last];
  if (!there) {
    info.prefixes.set(n);
    ++info.users;
  }
  const unsigned first = byte(p, levels - 1), count = 1u << (8 - depth);
  for (unsigned i = first; i < first + count; ++i)
    cover(blocks_.block(last)[i], leaf(next_hop, depth));
  return core::Done{};
}

void CompactFib::remove(const IpPrefix& prefix, const Known& next_hop_of) {
  const IpPrefix p = prefix.network();
  const unsigned levels = (p.length + 7u) / 8u;
  --used_;
  if (levels == 0) {
    has_default_ = false;
    return replace(root_, 0, leaf(NextHopTable::kNoRoute, 0));
  }
  const Path path = follow(p, levels);
  const std::uint32_t last = path.block[levels - 1];
  FibBlocks::Info& info = blocks_.info_[last];
  const unsigned depth = p.length - 8 * (levels - 1);
  const std::uint8_t first = byte(p, levels - 1);
  info.prefixes.reset(number(first, depth));
  --info.users;
  // The longest prefix that covers it: in this block, or what the block inherits.
  Entry with = leaf(info.base & FibBlocks::kIndex, 0);
  for (unsigned d = depth - 1; d != 0; --d)
    if (info.prefixes.test(number(first, d))) {
      const auto length = static_cast<std::uint8_t>(p.length - (depth - d));
      with = leaf(next_hop_of(IpPrefix{p.address, length}.network()), d);
      break;
    }
  for (unsigned i = first; i < first + (1u << (8 - depth)); ++i)
    replace(blocks_.block(last)[i], depth, with);
  prune(path, p);
}

/// Takes the blocks away that nobody needs any more, from the last one up.
void CompactFib::prune(const Path& path, const IpPrefix& p) {
  for (unsigned level = path.levels; level-- != 0;) {
    const std::uint32_t index = path.block[level];
    if (blocks_.info_[index].users != 0) return;
    store(entry_above(path, level, p), blocks_.info_[index].base);
    blocks_.give_back(index);
    if (level != 0) --blocks_.info_[path.block[level - 1]].users;
  }
}
}  // namespace proto
