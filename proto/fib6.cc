// SPDX-License-Identifier: BSD-3-Clause
#include "proto/fib6.hh"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_rib6.h>

#include <algorithm>
#include <string>

namespace proto {
namespace {
/// Prefixes beyond the limit that are there for the time of one change only.
constexpr std::uint32_t kSpare = 4;
/// Groups beyond the limit: a range that fills a group is written into one of its own, which then
/// becomes a single entry.
constexpr std::uint32_t kSpareGroups = 2;
static_assert(sizeof(core::IpAddress) == RTE_FIB6_IPV6_ADDR_SIZE);

/// The last address of a prefix.
core::IpAddress last_of(const IpPrefix& p) noexcept {
  core::IpAddress a = p.address;
  for (std::size_t bit = p.length; bit < 128; ++bit)
    a.bytes()[bit / 8] = static_cast<std::uint8_t>(a.bytes()[bit / 8] | 0x80u >> bit % 8);
  return a;
}

const std::uint8_t* bytes_of(const IpPrefix& p) noexcept {
  return p.address.bytes().data();
}
rte_rib6_node* find(rte_rib6* rib, const IpPrefix& p) noexcept {
  return rte_rib6_lookup_exact(rib, bytes_of(p), p.length);
}

/// Whether `p` goes to the end of the address space and longer prefixes lie in it.
bool reaches_end_over_others(rte_rib6* rib, const IpPrefix& p) noexcept {
  const core::IpAddress end = last_of(p);
  for (const std::uint8_t b : end.bytes())
    if (b != 0xff) return false;
  const auto next = [&](rte_rib6_node* last) {
    return rte_rib6_get_nxt(rib, bytes_of(p), p.length, last, RTE_RIB6_GET_NXT_COVER);
  };
  std::uint8_t length = 0;
  rte_rib6_node* first = next(nullptr);
  if (first != nullptr && rte_rib6_get_depth(first, &length) == 0 && length == p.length)
    first = next(first);
  return first != nullptr;
}

/// How many groups DPDK believes its prefixes need. It only grows: what a prefix had is not given
/// back with it, for where the trie looks for the prefix that covers it, it finds itself (22.11 to
/// 25.03). So Fib6 counts for itself, and this is set back. It is the second word of a structure
/// that is DPDK's own: looked for with a prefix whose needs are known.
/// @return nothing where it is not found there: then DPDK's count decides.
std::uint32_t* find_reserved(rte_fib6* fib, std::uint32_t groups) {
  auto* const words = static_cast<std::uint32_t*>(rte_fib6_get_dp(fib));
  const std::uint8_t host[16] = {0x20, 1, 0xd, 0xb8};
  constexpr std::uint8_t kDepth = 32;  // one group, which every table has
  const bool before = words[0] == groups && words[1] == 0;
  if (rte_fib6_add(fib, host, kDepth, 1) != 0) return nullptr;
  const bool after = words[0] == groups && words[1] == 1;
  if (rte_fib6_delete(fib, host, kDepth) != 0 || !before || !after) return nullptr;
  words[1] = 0;
  return words + 1;
}
}  // namespace

core::Expected<std::unique_ptr<Fib6>> Fib6::create(const char* name, Limits limits,
                                                   core::Rcu& rcu) {
  if (limits.routes == 0 || limits.groups == 0)
    return core::Error{core::Errc::Invalid,
                       fmt::format("IPv6 route table for {} prefixes and {} groups: expected 1 or "
                                   "more of each",
                                   limits.routes, limits.groups)};
  rte_fib6_conf conf{};
  conf.type = RTE_FIB6_TRIE;
  conf.default_nh = NextHopTable::kNoRoute;
  conf.max_routes = static_cast<int>(limits.routes + kSpare);
  conf.trie.nh_sz = entry_bytes(limits) == 4 ? RTE_FIB6_TRIE_4B : RTE_FIB6_TRIE_2B;
  conf.trie.num_tbl8 = limits.groups + kSpareGroups;
  // rte_rib and rte_rib6 call their memory pools alike.
  const std::string own_name = fmt::format("{}.6", name);
  rte_fib6* fib = rte_fib6_create(own_name.c_str(), SOCKET_ID_ANY, &conf);
  if (fib == nullptr)
    return core::Error{rte_errno == EINVAL ? core::Errc::Invalid : core::Errc::Full,
                       fmt::format("IPv6 route table for {} prefixes and {} groups: {}",
                                   limits.routes, limits.groups, rte_strerror(rte_errno))};
  // Where the CPU or the EAL forbids it the scalar one stays.
  (void)rte_fib6_select_lookup(fib, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512);
  std::unique_ptr<Fib6> made{new Fib6{fib, limits, rcu}};
  made->reserved_by_dpdk_ = find_reserved(fib, limits.groups + kSpareGroups);
  return made;
}

std::uint32_t Fib6::entry_bytes(const Limits& limits) noexcept {
  return std::max(limits.next_hops, limits.groups + kSpareGroups) > kMaxNextHopsIn2Bytes ? 4 : 2;
}

void Fib6::lookup(const core::IpAddress* dst, std::uint64_t* next_hop, unsigned n) const noexcept {
  // rte_fib6 takes arrays of arrays, and says nothing of const; it only reads.
  auto* const ips = reinterpret_cast<std::uint8_t(*)[RTE_FIB6_IPV6_ADDR_SIZE]>(  // NOLINT
      const_cast<core::IpAddress*>(dst));                                        // NOLINT
  rte_fib6_lookup_bulk(fib_.get(), ips, next_hop, static_cast<int>(n));
}

NextHopId Fib6::lookup(const core::IpAddress& dst) const noexcept {
  std::uint64_t next_hop = 0;
  lookup(&dst, &next_hop, 1);
  return static_cast<NextHopId>(next_hop);
}

core::Expected<> Fib6::set(const IpPrefix& prefix, NextHopId next_hop) {
  const IpPrefix p = prefix.network();
  rte_rib6* const rib = rte_fib6_get_rib(fib_.get());
  const bool there = find(rib, p) != nullptr;
  if (!there && used_ == limits_.routes)
    return core::Error{core::Errc::Full,
                       fmt::format("IPv6 route table is full: {} of {} prefixes (limits.routes6)",
                                   used_, limits_.routes)};
  const std::uint32_t groups = there ? 0 : groups_of_none_else(p);
  const bool no_groups = groups_used_ + groups > limits_.groups;
  wait_for_freed_groups();
  const bool odd = reaches_end_over_others(rib, p);
  const int rc = no_groups ? -ENOSPC : odd ? write_to_end(p, next_hop) : add(p, next_hop);
  if (rc != 0)
    return core::Error{
        core::Errc::Full,
        rc == -ENOSPC
            ? fmt::format("IPv6 route table is full: all {} groups of prefixes longer than /24 are "
                          "used (limits.route_groups6)",
                          limits_.groups)
            : fmt::format("IPv6 route table refuses {}: {}", to_string(p), rte_strerror(-rc))};
  if (there || odd) may_have_freed_ = true;  // equal entries of a group may have become one
  if (!there) ++used_;
  groups_used_ += groups;
  return core::Done{};
}

/// Groups that a prefix can need, one for each byte behind the first three, without those that are
/// there for others. @pre the prefix is not in the table.
std::uint32_t Fib6::groups_of_none_else(const IpPrefix& p) const {
  rte_rib6* const rib = rte_fib6_get_rib(fib_.get());
  std::uint32_t groups = 0;
  // From the longest on: what has one of these has the shorter ones too.
  for (int length = (p.length - 1) / 8 * 8; length >= 24; length -= 8, ++groups)
    if (rte_rib6_get_nxt(rib, bytes_of(p), static_cast<std::uint8_t>(length), nullptr,
                         RTE_RIB6_GET_NXT_COVER) != nullptr)
      break;
  return groups;
}

int Fib6::add(const IpPrefix& prefix, NextHopId next_hop) {
  if (reserved_by_dpdk_ != nullptr) *reserved_by_dpdk_ = 0;
  return rte_fib6_add(fib_.get(), bytes_of(prefix), prefix.length, next_hop);
}

// Where two prefixes below the changed one touch and the second reaches the end of the address
// space, as fec0::/10 and ff00::/8 do below a default route, rte_fib6 (22.11) writes the new next
// hop over the whole table. So it never sees such a change: it is made of halves that end earlier,
// as in Fib4.
int Fib6::write_to_end(const IpPrefix& p, NextHopId next_hop) {
  rte_fib6* const fib = fib_.get();
  rte_rib6* const rib = rte_fib6_get_rib(fib);
  rte_rib6_node* node = find(rib, p);
  std::uint64_t old = NextHopTable::kNoRoute;
  if (node != nullptr) {
    (void)rte_rib6_get_nh(node, &old);
  } else {
    node = rte_rib6_insert(rib, bytes_of(p), p.length);
    if (node == nullptr) return -rte_errno;
    if (const rte_rib6_node* const parent = rte_rib6_lookup_parent(node))
      (void)rte_rib6_get_nh(parent, &old);
  }
  const auto write = [&](const IpPrefix& part) {
    if (old == next_hop || find(rib, part) != nullptr) return;
    (void)rte_rib6_set_nh(node, old);
    (void)add(part, next_hop);
    (void)rte_rib6_set_nh(node, next_hop);
    (void)rte_fib6_delete(fib, bytes_of(part), part.length);
  };
  IpPrefix rest = p;
  do {
    const auto length = static_cast<std::uint8_t>(rest.length + 1);
    write({rest.address, length});
    rest = IpPrefix{last_of(rest), length}.network();
  } while (find(rib, rest) == nullptr && reaches_end_over_others(rib, rest));
  write(rest);
  (void)rte_rib6_set_nh(node, next_hop);
  return 0;
}

void Fib6::remove(const IpPrefix& prefix) {
  const IpPrefix p = prefix.network();
  wait_for_freed_groups();
  rte_rib6* const rib = rte_fib6_get_rib(fib_.get());
  bool gone = true;
  if (reaches_end_over_others(rib, p)) {
    const rte_rib6_node* const parent = rte_rib6_lookup_parent(find(rib, p));
    std::uint64_t uncovered = NextHopTable::kNoRoute;
    if (parent != nullptr) (void)rte_rib6_get_nh(parent, &uncovered);
    (void)write_to_end(p, static_cast<NextHopId>(uncovered));
    rte_rib6_remove(rib, bytes_of(p), p.length);
  } else {
    gone = rte_fib6_delete(fib_.get(), bytes_of(p), p.length) == 0;
  }
  if (gone) {
    --used_;
    groups_used_ -= groups_of_none_else(p);
  }
  may_have_freed_ = true;
}

// A group of 256 entries is given back at once and may be handed to the next prefix, while a worker
// still reads it for the old one. A grace period before the next change keeps them apart.
void Fib6::wait_for_freed_groups() noexcept {
  if (!may_have_freed_) return;
  rcu_.grace_period();
  may_have_freed_ = false;
}
}  // namespace proto
