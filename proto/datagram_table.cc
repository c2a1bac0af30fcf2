// SPDX-License-Identifier: BSD-3-Clause
#include "proto/datagram_table.hh"

#include <bit>
#include <cassert>

#include "proto/wire/bytes.hh"

namespace proto {
namespace {
using Slot = DatagramTable::Slot;

__extension__ using Wide = unsigned __int128;

/// The two halves of a product of 128 bits: every bit of either factor reaches every bit of it.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t hash_address(const core::IpAddress& a, std::uint64_t seed) noexcept {
  const std::uint64_t high = load_native<std::uint64_t>(a.bytes(), 0);
  const std::uint64_t low = load_native<std::uint64_t>(a.bytes(), 8);
  return mix(high ^ seed ^ 0x9e3779b97f4a7c15, low ^ std::rotl(seed, 31) ^ 0xd1b54a32d192ed03);
}

std::vector<Slot> all_free(std::size_t n) {
  std::vector<Slot> free(n);
  for (std::size_t i = 0; i < n; ++i) free[i] = static_cast<Slot>(n - 1 - i);
  return free;
}
Slot take(std::vector<Slot>& free) noexcept {
  assert(!free.empty());
  const Slot s = free.back();
  free.pop_back();
  return s;
}

/// Takes `s` out of a bucket's list.
template <class Table>
void unlink(Table& table, Slot& head, Slot s) noexcept {
  Slot* at = &head;
  while (*at != s) at = &table[*at].next_in_bucket;
  *at = table[s].next_in_bucket;
}
}  // namespace

DatagramTable::DatagramTable(std::size_t datagrams, std::size_t fragments, std::uint64_t seed)
    : datagrams_(datagrams),
      fragments_(fragments),
      sources_(datagrams),
      free_datagrams_{all_free(datagrams)},
      free_fragments_{all_free(fragments)},
      free_sources_{all_free(datagrams)},
      buckets_(std::bit_ceil(datagrams) * 2, kNone),
      source_buckets_(std::bit_ceil(datagrams) * 2, kNone),
      seed_{seed} {}

std::size_t DatagramTable::bucket_of(const DatagramKey& key) const noexcept {
  const std::uint64_t rest =
      std::uint64_t{key.id} << 32 | std::uint64_t{key.scope} << 8 | key.protocol;
  const std::uint64_t ends = hash_address(key.src, seed_) ^ hash_address(key.dst, ~seed_);
  return mix(ends ^ seed_ ^ key.vrf, rest ^ 0xa0761d6478bd642f) & (buckets_.size() - 1);
}

std::size_t DatagramTable::source_bucket(const core::IpAddress& address, core::InterfaceId scope,
                                         std::uint16_t vrf) const noexcept {
  return mix(hash_address(address, seed_), seed_ ^ (std::uint64_t{vrf} << 16 | scope)) &
         (source_buckets_.size() - 1);
}

Slot DatagramTable::find(const DatagramKey& key) const noexcept {
  Slot s = buckets_[bucket_of(key)];
  while (s != kNone && datagrams_[s].key != key) s = datagrams_[s].next_in_bucket;
  return s;
}

Slot DatagramTable::find_source(const DatagramKey& key) const noexcept {
  Slot s = source_buckets_[source_bucket(key.src, key.scope, key.vrf)];
  while (s != kNone && (sources_[s].address != key.src || sources_[s].scope != key.scope ||
                        sources_[s].vrf != key.vrf))
    s = sources_[s].next_in_bucket;
  return s;
}

const DatagramTable::Source* DatagramTable::source_of(const DatagramKey& key) const noexcept {
  const Slot s = find_source(key);
  return s == kNone ? nullptr : &sources_[s];
}

Slot DatagramTable::open_source(const DatagramKey& key) noexcept {
  const Slot s = take(free_sources_);
  Slot& head = source_buckets_[source_bucket(key.src, key.scope, key.vrf)];
  sources_[s] =
      Source{.address = key.src, .scope = key.scope, .vrf = key.vrf, .next_in_bucket = head};
  head = s;
  return s;
}

void DatagramTable::close_source(Slot s) noexcept {
  unlink(sources_,
         source_buckets_[source_bucket(sources_[s].address, sources_[s].scope, sources_[s].vrf)],
         s);
  free_sources_.push_back(s);
}

Slot DatagramTable::open(const DatagramKey& key, std::uint64_t now_us) noexcept {
  const Slot s = take(free_datagrams_);
  Slot source = find_source(key);
  if (source == kNone) source = open_source(key);
  Source& from = sources_[source];
  Slot& head = buckets_[bucket_of(key)];
  Datagram& d = datagrams_[s];
  d = Datagram{.key = key, .born_us = now_us, .next_in_bucket = head, .source = source};
  head = s;

  const Family f = d.family();
  d.older = newest_[f];
  (newest_[f] == kNone ? oldest_[f] : datagrams_[newest_[f]].newer) = s;
  newest_[f] = s;
  ++count_[f];

  d.older_of_source = from.newest;
  (from.newest == kNone ? from.oldest : datagrams_[from.newest].newer_of_source) = s;
  from.newest = s;
  ++from.datagrams;
  return s;
}

void DatagramTable::close(Slot s) noexcept {
  Datagram& d = datagrams_[s];
  assert(d.fragments == 0);
  unlink(datagrams_, buckets_[bucket_of(d.key)], s);

  const Family f = d.family();
  (d.older == kNone ? oldest_[f] : datagrams_[d.older].newer) = d.newer;
  (d.newer == kNone ? newest_[f] : datagrams_[d.newer].older) = d.older;
  --count_[f];

  Source& from = sources_[d.source];
  (d.older_of_source == kNone ? from.oldest : datagrams_[d.older_of_source].newer_of_source) =
      d.newer_of_source;
  (d.newer_of_source == kNone ? from.newest : datagrams_[d.newer_of_source].older_of_source) =
      d.older_of_source;
  if (--from.datagrams == 0) close_source(d.source);
  free_datagrams_.push_back(s);
}

void DatagramTable::add_behind(Datagram& d, Slot previous, const Fragment& fragment) noexcept {
  const Slot s = take(free_fragments_);
  Slot& link = previous == kNone ? d.first : fragments_[previous].next;
  fragments_[s] = fragment;
  fragments_[s].next = link;
  link = s;
  if (d.last == previous) d.last = s;
  ++d.fragments;
  ++fragment_count_;
  ++sources_[d.source].fragments;
  d.have += fragment.length;
}

DatagramTable::Placed DatagramTable::place(Slot slot, const Fragment& fragment) noexcept {
  Datagram& d = datagrams_[slot];
  Slot previous = d.last, next = kNone;
  // Nearly all come in order; of the others the first that ends behind the beginning decides.
  if (previous != kNone && fragments_[previous].end() > fragment.offset) {
    previous = kNone;
    next = d.first;
    while (fragments_[next].end() <= fragment.offset) {
      previous = next;
      next = fragments_[next].next;
    }
    const Fragment& n = fragments_[next];
    if (n.offset == fragment.offset && n.length == fragment.length) return Placed::Duplicate;
    if (n.offset < fragment.end()) return Placed::Overlap;
  }
  add_behind(d, previous, fragment);
  return Placed::Added;
}

Slot DatagramTable::reverse(Datagram& d) noexcept {
  Slot done = kNone;
  for (Slot at = d.first; at != kNone;) {
    const Slot next = fragments_[at].next;
    fragments_[at].next = done;
    done = at;
    at = next;
  }
  Source& from = sources_[d.source];
  from.fragments = static_cast<std::uint16_t>(from.fragments - d.fragments);
  d.first = d.last = kNone;
  d.fragments = 0;
  d.have = 0;
  return done;
}
}  // namespace proto
