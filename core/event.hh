// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

#include "core/ip_address.hh"
#include "core/mac_address.hh"
#include "core/spsc_ring.hh"

namespace core {
/// What a worker tells the manager. Workers decide nothing about shared state; they report.
enum class EventKind : std::uint8_t {
  NeighborWanted,   ///< a packet waits for `address` on `interface`
  NeighborSeen,     ///< ARP, or a solicitation of its own, says that `address` is at `mac`
  AddressConflict,  ///< another host at `mac` uses our `address`, or is about to
  EchoReply,        ///< an ICMP echo reply from `address`, `id`, `sequence`, `ttl`, `length`

  // Neighbour Discovery (RFC 4861) and MLD (RFC 3810). `mac` is zero where the option was missing.
  NeighborAdvertised,  ///< `address` says that it is at `mac`; `flags` of the message
  RouterSolicited,     ///< the host `address` asks for routers; "::" has none yet
  RouterAdvertised,    ///< by `address`: `flags`, `ttl` (hop limit), `lifetime_s`, `reachable_ms`,
                       ///< `retrans_ms`, `mtu`; 0: unspecified
  PrefixAdvertised,    ///< by `address`: `other`/`length`, `flags` of the option, `lifetime_s`
                       ///< (valid), `preferred_s`
  Redirected,          ///< by the first hop of `other`: its packets better go to `address`
  ListenerQueried,     ///< `address` asks who listens to the group `other`, "::": to any;
                       ///< within `retrans_ms`
};

/// Fixed size, no ownership: may be lost when the ring is full (the loss is counted). Link-local
/// addresses carry their interface (proto/ip6_scope.hh).
struct Event {
  EventKind kind;
  bool may_create = false;  ///< NeighborSeen: it asked us, so it is worth a new entry
  std::uint8_t ttl = 0;
  std::uint8_t flags = 0;
  std::uint16_t interface = 0;
  IpAddress address{};
  MacAddress mac{};
  std::uint16_t id = 0, sequence = 0;
  std::uint16_t length = 0;  ///< bytes of ICMP payload, or of a prefix in bits
  std::uint64_t at_us = 0;   ///< the worker's clock when it happened
  IpAddress other{};
  std::uint32_t lifetime_s = 0, preferred_s = 0;
  std::uint32_t reachable_ms = 0, retrans_ms = 0, mtu = 0;
};

using EventRing = SpscRing<Event, 1024>;
}  // namespace core
