// SPDX-License-Identifier: BSD-3-Clause
#include "proto/next_hop_group.hh"

#include <algorithm>
#include <numeric>

namespace proto {
namespace {
/// How many buckets each member is due: whole shares, the rest to those who lack most of one.
std::vector<std::size_t> shares(std::span<const NextHopGroups::Member> members) {
  const std::uint64_t weights =
      std::accumulate(members.begin(), members.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const auto& m) { return sum + m.weight; });
  std::vector<std::size_t> due;
  std::vector<std::pair<std::uint64_t, std::size_t>> rest;  // what is missing, whose
  std::size_t given = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t product = std::uint64_t{members[i].weight} * NextHopGroups::kBuckets;
    due.push_back(product / weights);
    rest.emplace_back(product % weights, i);
    given += due.back();
  }
  std::ranges::stable_sort(rest, std::greater{}, &std::pair<std::uint64_t, std::size_t>::first);
  for (std::size_t i = 0; given < NextHopGroups::kBuckets; ++i, ++given) ++due[rest[i].second];
  return due;
}
}  // namespace

NextHopGroups::NextHopGroups(std::size_t capacity)
    : capacity_{capacity}, groups_{new Buckets[capacity]} {
  for (std::size_t g = capacity; g-- > 0;) {
    for (auto& bucket : groups_[g]) bucket.store(NextHopTable::kNoRoute);
    free_.push_back(static_cast<std::uint16_t>(g));
  }
}

std::optional<std::uint16_t> NextHopGroups::allocate() {
  if (free_.empty()) return std::nullopt;
  const std::uint16_t group = free_.back();
  free_.pop_back();
  return group;
}

void NextHopGroups::assign(std::uint16_t group, std::span<const Member> members) {
  Buckets& buckets = groups_[group];
  if (members.empty()) {
    for (auto& bucket : buckets) bucket.store(NextHopTable::kNoRoute, std::memory_order_release);
    return;
  }
  std::vector<std::size_t> due = shares(members);
  std::vector<std::size_t> open;  // buckets that change hands
  for (std::size_t b = 0; b < kBuckets; ++b) {
    const auto owner =
        std::ranges::find(members, buckets[b].load(std::memory_order_relaxed), &Member::id);
    auto* const left = owner == members.end() ? nullptr : &due[owner - members.begin()];
    if (left != nullptr && *left > 0)
      --*left;
    else
      open.push_back(b);
  }
  std::size_t next = 0;
  for (const std::size_t b : open) {
    while (due[next] == 0) ++next;
    --due[next];
    buckets[b].store(members[next].id, std::memory_order_release);
  }
}

void NextHopGroups::release(std::uint16_t group) {
  assign(group, {});
  free_.push_back(group);
}

std::size_t NextHopGroups::buckets_of(std::uint16_t group, NextHopId id) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      groups_[group], [&](const auto& bucket) { return bucket.load() == id; }));
}
}  // namespace proto
