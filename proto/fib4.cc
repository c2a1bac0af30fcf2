// SPDX-License-Identifier: BSD-3-Clause
#include "proto/fib4.hh"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_rib.h>

namespace proto {
namespace {
/// Prefixes beyond the limit that are there for the time of one change only.
constexpr std::uint32_t kSpare = 4;

/// Whether longer prefixes lie in `p`.
bool lies_over_others(rte_rib* rib, Ip4Prefix p) noexcept {
  const auto next = [&](rte_rib_node* last) {
    return rte_rib_get_nxt(rib, p.address, p.length, last, RTE_RIB_GET_NXT_COVER);
  };
  std::uint8_t length = 0;
  rte_rib_node* first = next(nullptr);
  if (first != nullptr && rte_rib_get_depth(first, &length) == 0 && length == p.length)
    first = next(first);
  return first != nullptr;
}
/// Whether `p` has a group that no other prefix has.
bool has_group_alone(rte_rib* rib, Ip4Prefix p) noexcept {
  return p.length > 24 &&
         rte_rib_get_nxt(rib, p.address, 24, nullptr, RTE_RIB_GET_NXT_COVER) == nullptr;
}
/// Whether `p` goes to the end of the address space and longer prefixes lie in it.
bool reaches_end_over_others(rte_rib* rib, Ip4Prefix p) noexcept {
  return p.broadcast() == ~std::uint32_t{0} && lies_over_others(rib, p);
}
}  // namespace

core::Expected<std::unique_ptr<Fib4>> Fib4::create(const char* name, Limits limits,
                                                   core::Rcu& rcu) {
  if (limits.routes == 0)
    return core::Error{core::Errc::Invalid, "route table for 0 prefixes: expected 1 or more"};
  rte_fib_conf conf{};
  conf.type = RTE_FIB_DIR24_8;
  conf.default_nh = NextHopTable::kNoRoute;
  conf.max_routes = static_cast<int>(limits.routes + kSpare);
  conf.dir24_8.nh_sz =
      limits.next_hops > kMaxNextHopsIn2Bytes ? RTE_FIB_DIR24_8_4B : RTE_FIB_DIR24_8_2B;
  conf.dir24_8.num_tbl8 = limits.groups;
  rte_fib* fib = rte_fib_create(name, SOCKET_ID_ANY, &conf);
  if (fib == nullptr)
    return core::Error{rte_errno == EINVAL ? core::Errc::Invalid : core::Errc::Full,
                       fmt::format("route table for {} prefixes and {} groups: {}", limits.routes,
                                   limits.groups, rte_strerror(rte_errno))};
  // The default choice stops at 256 bits; the AVX-512 look-up costs half (9-14 cycles against
  // 16-29 on a cold table). Where the CPU or the EAL forbids it the scalar one stays.
  (void)rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512);
  return std::unique_ptr<Fib4>{new Fib4{fib, limits, rcu}};
}

NextHopId Fib4::lookup(std::uint32_t dst) const noexcept {
  std::uint64_t next_hop = 0;
  lookup(&dst, &next_hop, 1);
  return static_cast<NextHopId>(next_hop);
}

core::Expected<> Fib4::set(Ip4Prefix prefix, NextHopId next_hop) {
  const Ip4Prefix p = prefix.network();
  const bool there =
      rte_rib_lookup_exact(rte_fib_get_rib(fib_.get()), p.address, p.length) != nullptr;
  if (!there && used_ == limits_.routes)
    return core::Error{core::Errc::Full,
                       fmt::format("route table is full: {} of {} prefixes (limits.routes)", used_,
                                   limits_.routes)};
  const bool new_group = !there && has_group_alone(rte_fib_get_rib(fib_.get()), p);
  const bool no_group = new_group && groups_used_ == limits_.groups;  // DPDK misses some
  wait_for_freed_groups();
  const bool odd = reaches_end_over_others(rte_fib_get_rib(fib_.get()), p);
  if (const int rc = no_group ? -ENOSPC
                     : odd    ? write_to_end(p, next_hop)
                              : add(p, next_hop);
      rc != 0)
    return core::Error{
        core::Errc::Full,
        rc == -ENOSPC && p.length > 24
            ? fmt::format("route table is full: all {} groups of prefixes longer than /24 are used "
                          "(limits.route_groups)",
                          limits_.groups)
            : fmt::format("route table refuses {}: {}", to_string(p), rte_strerror(-rc))};
  if (there || odd) may_have_freed_ = true;  // equal entries of a group may have become one
  if (!there) ++used_;
  groups_used_ += new_group ? 1 : 0;
  return core::Done{};
}

// rte_fib counts the groups in use. It forgets one whose first prefix has the next hop that its
// addresses have anyway, counts it down with the others when the prefix goes, and below zero it
// takes itself for full. Such a prefix comes after a helper with another next hop, at an address
// that is no host's, and then the group has been counted.
int Fib4::add(Ip4Prefix p, NextHopId next_hop) noexcept {
  rte_fib* const fib = fib_.get();
  const auto plain = [&] { return rte_fib_add(fib, p.address, p.length, next_hop); };
  rte_rib* const rib = rte_fib_get_rib(fib);
  if (!has_group_alone(rib, p)) return plain();
  const rte_rib_node* const cover = rte_rib_lookup(rib, p.address);
  std::uint64_t covering = 0;
  if (cover == nullptr || rte_rib_get_nh(cover, &covering) != 0 || covering != next_hop)
    return plain();
  const std::uint32_t network = p.address & ~std::uint32_t{0xff};
  const std::uint32_t helper = p.length == 32 && p.address == network ? network + 255 : network;
  const NextHopId other = next_hop == NextHopTable::kNoRoute ? 1 : NextHopTable::kNoRoute;
  if (const int rc = rte_fib_add(fib, helper, 32, other); rc != 0) return rc;
  const int rc = plain();
  (void)rte_fib_delete(fib, helper, 32);
  may_have_freed_ = true;
  return rc;
}

// Where two prefixes below the changed one touch and the second reaches the end of the address
// space, as 224/4 and 240/4 do below a default route, rte_fib (22.11) writes the new next hop over
// the whole table. So it never sees such a change: it is made of halves that end earlier. Each is
// added and, once the prefix itself says the same, taken away, which leaves the entries as they
// are.
int Fib4::write_to_end(Ip4Prefix p, NextHopId next_hop) noexcept {
  rte_fib* const fib = fib_.get();
  rte_rib* const rib = rte_fib_get_rib(fib);
  rte_rib_node* node = rte_rib_lookup_exact(rib, p.address, p.length);
  std::uint64_t old = NextHopTable::kNoRoute;
  if (node != nullptr) {
    (void)rte_rib_get_nh(node, &old);
  } else {
    node = rte_rib_insert(rib, p.address, p.length);
    if (node == nullptr) return -rte_errno;
    if (const rte_rib_node* const parent = rte_rib_lookup_parent(node))
      (void)rte_rib_get_nh(parent, &old);
  }
  const auto write = [&](Ip4Prefix part) {
    if (old == next_hop || rte_rib_lookup_exact(rib, part.address, part.length) != nullptr) return;
    (void)rte_rib_set_nh(node, old);
    (void)rte_fib_add(fib, part.address, part.length, next_hop);
    (void)rte_rib_set_nh(node, next_hop);
    (void)rte_fib_delete(fib, part.address, part.length);
  };
  Ip4Prefix rest = p;
  do {
    const auto length = static_cast<std::uint8_t>(rest.length + 1);
    write({rest.address, length});
    rest = {rest.broadcast() & Ip4Prefix{0, length}.mask(), length};
  } while (rte_rib_lookup_exact(rib, rest.address, rest.length) == nullptr &&
           reaches_end_over_others(rib, rest));
  write(rest);
  (void)rte_rib_set_nh(node, next_hop);
  return 0;
}

void Fib4::remove(Ip4Prefix prefix) {
  const Ip4Prefix p = prefix.network();
  wait_for_freed_groups();
  rte_rib* const rib = rte_fib_get_rib(fib_.get());
  // Groups are those of prefixes longer than 24: without one there is none to be freed.
  const bool frees = p.length > 24 || lies_over_others(rib, p);
  if (reaches_end_over_others(rib, p)) {
    const rte_rib_node* const parent =
        rte_rib_lookup_parent(rte_rib_lookup_exact(rib, p.address, p.length));
    std::uint64_t uncovered = NextHopTable::kNoRoute;
    if (parent != nullptr) (void)rte_rib_get_nh(parent, &uncovered);
    (void)write_to_end(p, static_cast<NextHopId>(uncovered));
    rte_rib_remove(rib, p.address, p.length);
    --used_;
  } else if (rte_fib_delete(fib_.get(), p.address, p.length) == 0) {
    --used_;
  }
  groups_used_ -= has_group_alone(rib, p) ? 1 : 0;
  may_have_freed_ |= frees;
}

// rte_fib gives a group of 256 entries back at once and may hand it to the next prefix, while a
// worker still reads it for the old one. A grace period before the next change keeps them apart.
void Fib4::wait_for_freed_groups() noexcept {
  if (!may_have_freed_) return;
  rcu_.grace_period();
  may_have_freed_ = false;
}
}  // namespace proto
