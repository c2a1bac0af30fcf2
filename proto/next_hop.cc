// SPDX-License-Identifier: BSD-3-Clause
#include "proto/next_hop.hh"

#include "proto/link_header.hh"

namespace proto {
NextHopTable::NextHopTable(std::size_t capacity, core::Rcu& rcu)
    : rcu_{rcu}, capacity_{capacity}, slots_{new NextHop[capacity]}, used_(capacity, false) {
  free_.reserve(capacity);
  for (std::size_t id = capacity; id-- > 1;) free_.push_back(static_cast<NextHopId>(id));
  used_[kNoRoute] = true;
}

std::optional<NextHopId> NextHopTable::allocate(const NextHopFields& fields) {
  if (free_.empty()) return std::nullopt;
  const NextHopId id = free_.back();
  free_.pop_back();
  used_[id] = true;
  write(slots_[id], fields);
  return id;
}

namespace {
core::InterfaceId port_of(const NextHopFields& f) noexcept {
  return f.port != core::kNoInterface ? f.port : f.interface;
}

/// Right-aligned, so that a worker copies the same number of bytes whatever the tags.
void write_ether(NextHop& h, const NextHopFields& f) noexcept {
  const EtherFields header{f.dst_mac, f.src_mac, f.ether_type};
  h.ether_length = static_cast<std::uint8_t>(header_length(f.encapsulation));
  emit(header, f.encapsulation, MutBytes{h.ether}.last(h.ether_length));
}

/// Kinds under which no worker reads NextHop::ether.
bool waits_for_arp(NextHopKind k) noexcept {
  return k == NextHopKind::Glean || k == NextHopKind::Incomplete || k == NextHopKind::Failed;
}
bool same_read_fields(const NextHop& h, const NextHopFields& f) noexcept {
  return h.interface == f.interface && h.port == port_of(f) && h.gateway == f.gateway &&
         h.source == f.source && h.mtu == f.mtu && h.tunnel == f.tunnel && h.group == f.group;
}
}  // namespace

void NextHopTable::set(NextHopId id, const NextHopFields& f) {
  NextHop& h = slots_[id];
  if (waits_for_arp(h.kind.load(std::memory_order_relaxed)) && same_read_fields(h, f)) {
    write_ether(h, f);
    h.kind.store(f.kind, std::memory_order_release);
  } else {
    h.kind.store(NextHopKind::Changing, std::memory_order_release);
    rcu_.grace_period();
    write(h, f);
  }
  generation_.fetch_add(1, std::memory_order_release);
}

void NextHopTable::release(NextHopId id) {
  rcu_.grace_period();
  used_[id] = false;
  free_.push_back(id);
}

void NextHopTable::write(NextHop& h, const NextHopFields& f) noexcept {
  h.interface = f.interface;
  h.mtu = f.mtu;
  h.tunnel = f.tunnel;
  h.group = f.group;
  h.gateway = f.gateway;
  h.source = f.source;
  h.port = port_of(f);
  write_ether(h, f);
  h.kind.store(f.kind, std::memory_order_release);
}
}  // namespace proto
