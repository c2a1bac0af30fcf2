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
  NeighborSeen,     ///< ARP says that `address` is at `mac`
  AddressConflict,  ///< another host at `mac` uses our `address`
  EchoReply,        ///< an ICMP echo reply from `address`, `id`, `sequence`, `ttl`, `length`
};

/// Fixed size, no ownership: may be lost when the ring is full (the loss is counted).
struct Event {
  EventKind kind;
  bool may_create = false;  ///< NeighborSeen: it asked us, so it is worth a new entry
  std::uint8_t ttl = 0;
  std::uint16_t interface = 0;
  IpAddress address{};
  MacAddress mac{};
  std::uint16_t id = 0, sequence = 0;
  std::uint16_t length = 0;  ///< bytes of ICMP payload
  std::uint64_t at_us = 0;   ///< the worker's clock when it happened
};

using EventRing = SpscRing<Event, 1024>;
}  // namespace core
