// SPDX-License-Identifier: BSD-3-Clause
// How neighbours come to be known and are forgotten: ARP's way and Neighbour Discovery's.
#include <algorithm>

#include "core/inet6.hh"
#include "proto/neighbor_table.hh"
#include "proto/wire/nd.hh"

namespace proto {
namespace {
constexpr std::uint64_t kSecond_us = 1'000'000;
constexpr std::uint32_t kArpTries = 3;

/// Whether packets are sent to its MAC.
bool has_mac(NeighborState s) noexcept {
  return s == NeighborState::Reachable || s == NeighborState::Stale || s == NeighborState::Delay ||
         s == NeighborState::Probe;
}
}  // namespace

void NeighborTable::wanted(const core::Event& e, std::uint64_t now_us) {
  if (!entries_.contains({e.interface, e.address})) bound_unanswered();
  const auto at = create({e.interface, e.address});
  if (!at) return;  // full: the packet is dropped by its worker's time limit
  Entry& entry = (*at)->second;
  if (entry.state != NeighborState::Idle) return;  // asked already, or just answered
  entry.state = NeighborState::Incomplete;
  entry.asked = 0;
  settle((*at)->first, entry);
  ask((*at)->first, entry, now_us);
}

void NeighborTable::seen(const core::Event& e, std::uint64_t now_us,
                         std::optional<bool> is_router) {
  auto at = entries_.find({e.interface, e.address});
  const bool known = at != entries_.end();
  if (e.mac == core::MacAddress{}) {
    // Says nothing of where it is, but a router or a host it is (RFC 4861 sections 6.2.6, 6.3.4).
    if (known && is_router) at->second.is_router = *is_router;
    return;
  }
  if (!known) {
    if (!e.may_create) return;
    const auto made = create({e.interface, e.address});
    if (!made) return;
    at = *made;
  }
  const Key& key = at->first;
  Entry& entry = at->second;
  if (is_router) entry.is_router = *is_router;
  if (entry.state == NeighborState::Permanent) return;
  if (e.address.is_ip4()) {
    // One that we never asked only says so: it must not crowd out those that answer.
    const bool answered = entry.answered || entry.asked != 0;
    learn(key, entry, e.mac);
    confirm(key, entry, now_us);
    entry.answered = answered;
    settle(key, entry);
  } else if constexpr (core::kInet6) {
    if (has_mac(entry.state) && entry.mac == e.mac) return;
    // It reaches us; whether we reach it is not proven (section 7.2.3).
    learn(key, entry, e.mac);
    go_stale(key, entry, now_us);
  }
}

void NeighborTable::advertised(const core::Event& e, std::uint64_t now_us) {
  using View = nd::NeighborAdvertisementView;
  const auto at = entries_.find({e.interface, e.address});
  if (at == entries_.end() || at->second.state == NeighborState::Permanent) return;
  const Key& key = at->first;
  Entry& entry = at->second;
  const bool solicited = (e.flags & View::kSolicited) != 0;
  const bool router = (e.flags & View::kRouter) != 0;
  const bool has_option = e.mac != core::MacAddress{};
  if (!has_mac(entry.state)) {
    if (!has_option) return;
    entry.is_router = router;
    learn(key, entry, e.mac);
    if (solicited)
      confirm(key, entry, now_us);
    else
      go_stale(key, entry, now_us);
    return;
  }
  const bool other = has_option && e.mac != entry.mac;
  if (other && (e.flags & View::kOverride) == 0) {
    if (entry.state == NeighborState::Reachable) go_stale(key, entry, now_us);
    return;
  }
  if (other) learn(key, entry, e.mac);
  if (solicited)
    confirm(key, entry, now_us);
  else if (other)
    go_stale(key, entry, now_us);
  const bool was_router = std::exchange(entry.is_router, router);
  if (was_router && !router && env_.no_router) env_.no_router(e.interface, e.address);
}

void NeighborTable::poll(std::uint64_t now_us) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_us) {
    const auto at = entries_.find(*deadlines_.begin()->second);
    set_deadline(at->first, at->second, 0);
    if (!expire(at->first, at->second, now_us)) erase(at);
  }
}

bool NeighborTable::expire(const Key& key, Entry& e, std::uint64_t now_us) {
  if constexpr (core::kInet6)
    if (!key.address.is_ip4()) return expire_ip6(key, e, now_us);
  return expire_ip4(key, e, now_us);
}

bool NeighborTable::expire_ip4(const Key& key, Entry& e, std::uint64_t now_us) {
  switch (e.state) {
    case NeighborState::Reachable:
      // Asked again only when something was sent to it meanwhile (RFC 1122 section 2.3.2.1).
      if (env_.packets(e.next_hop) == e.packets_then) return forget(key, e);
      e.state = NeighborState::Probe;
      e.asked = 0;
      ask(key, e, now_us);
      return true;
    case NeighborState::Probe:
      if (e.asked >= kArpTries) {
        e.state = NeighborState::Incomplete;  // it may have moved: ask everybody
        e.asked = 0;
        settle(key, e);
        publish(key, e);
      }
      ask(key, e, now_us);
      return true;
    case NeighborState::Incomplete:
      if (e.asked < kArpTries)
        ask(key, e, now_us);
      else
        fail(key, e, now_us);
      return true;
    default: return forget(key, e);
  }
}

bool NeighborTable::expire_ip6(const Key& key, Entry& e, std::uint64_t now_us) {
  switch (e.state) {
    case NeighborState::Reachable: go_stale(key, e, now_us); return true;
    case NeighborState::Stale:
      if (env_.packets(e.next_hop) != e.packets_then) {
        e.state = NeighborState::Delay;
        settle(key, e);
        set_deadline(key, e, now_us + discovery_.delay_s * kSecond_us);
        return true;
      }
      if (now_us >= e.forget_us) return forget(key, e);
      set_deadline(key, e, std::min(now_us + kSecond_us, e.forget_us));
      return true;
    case NeighborState::Delay:
      e.state = NeighborState::Probe;
      e.asked = 0;
      ask(key, e, now_us);
      return true;
    case NeighborState::Probe:
      // The next packet to it asks everybody (section 7.3.3).
      if (e.asked >= discovery_.unicast_tries) return forget(key, e);
      ask(key, e, now_us);
      return true;
    case NeighborState::Incomplete:
      if (e.asked < discovery_.multicast_tries)
        ask(key, e, now_us);
      else
        fail(key, e, now_us);
      return true;
    default: return forget(key, e);
  }
}

/// A route's gateway stays as Idle. @return false when the entry is to be erased.
bool NeighborTable::forget(const Key& key, Entry& e) {
  if (e.users == 0) return false;
  e.state = NeighborState::Idle;
  e.is_router = false;
  set_deadline(key, e, 0);
  settle(key, e);
  publish(key, e);
  return true;
}

void NeighborTable::fail(const Key& key, Entry& e, std::uint64_t now_us) {
  const std::uint32_t down_s = key.address.is_ip4() ? timers_.down_s : discovery_.down_s;
  e.state = NeighborState::Failed;
  set_deadline(key, e, now_us + down_s * kSecond_us);
  settle(key, e);
  publish(key, e);
}

void NeighborTable::ask(const Key& key, Entry& e, std::uint64_t now_us) {
  ++e.asked;
  const std::uint64_t wait_us = key.address.is_ip4()
                                    ? kSecond_us
                                    : std::uint64_t{link_timers(key.interface).retrans_ms} * 1000;
  set_deadline(key, e, now_us + wait_us);
  const bool unicast = e.state == NeighborState::Probe;
  env_.request(key.interface, key.address,
               unicast ? std::optional{e.mac} : std::optional<core::MacAddress>{});
}

/// Takes a MAC over; workers send to it from here on.
void NeighborTable::learn(const Key& key, Entry& e, const core::MacAddress& mac) {
  const bool same = has_mac(e.state) && e.mac == mac;
  e.mac = mac;
  if (same) return;
  e.state = NeighborState::Stale;  // whatever follows, it has a MAC
  publish(key, e);
}

void NeighborTable::confirm(const Key& key, Entry& e, std::uint64_t now_us) {
  e.state = NeighborState::Reachable;
  e.answered = true;
  e.asked = 0;
  e.confirmed_us = now_us;
  e.packets_then = env_.packets(e.next_hop);
  settle(key, e);
  if (key.address.is_ip4()) {
    const std::uint32_t early = std::min(timers_.refresh_s, timers_.keep_s / 2);
    set_deadline(key, e, now_us + (timers_.keep_s - early) * kSecond_us);
  } else if constexpr (core::kInet6) {
    // Between half and one and a half times the base, so that hosts do not ask in step (section
    // 6.3.2).
    const std::uint64_t base_us = std::uint64_t{link_timers(key.interface).reachable_ms} * 1000;
    std::uniform_int_distribution<std::uint64_t> reachable{base_us / 2, base_us + base_us / 2};
    set_deadline(key, e, now_us + reachable(random_));
  }
}

void NeighborTable::go_stale(const Key& key, Entry& e, std::uint64_t now_us) {
  e.state = NeighborState::Stale;
  e.asked = 0;
  e.packets_then = env_.packets(e.next_hop);
  e.forget_us = now_us + discovery_.gc_s * kSecond_us;
  settle(key, e);
  // Its use shows in a counter: that is looked at once a second.
  set_deadline(key, e, std::min(now_us + kSecond_us, e.forget_us));
}
}  // namespace proto
