// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/interface.hh"
#include "core/ip_address.hh"
#include "core/rcu.hh"
#include "proto/wire/ether.hh"

namespace proto {
/// Index into NextHopTable; what the FIBs store, in two bytes or four.
using NextHopId = std::uint32_t;
inline constexpr std::uint32_t kMaxNextHopsIn2Bytes = 32767;  ///< an entry has a bit of its own

/// What a look-up means for a packet. A local address, a group, a martian is a route as well, so
/// the look-up is the only question that is asked.
enum class NextHopKind : std::uint8_t {
  NoRoute,     ///< nothing matches
  Blackhole,   ///< drop, say nothing
  Prohibited,  ///< drop, ICMP communication prohibited
  Martian,     ///< must not be forwarded (RFC 1812 section 5.3.7)
  Multicast,   ///< a group nobody here has joined
  Broadcast,   ///< broadcast address of a subnet of ours, or 255.255.255.255
  Local,       ///< one of our addresses
  Glean,       ///< on a connected subnet, neighbour not known yet
  Incomplete,  ///< neighbour asked for, no answer yet
  Failed,      ///< neighbour did not answer
  Reachable,   ///< neighbour known: the Ethernet header is complete
  Tunnel,      ///< leaves through a tunnel interface
  Group,       ///< shared by several, or found through another route: NextHopGroups has them
  Changing,    ///< the manager is rewriting it: hold the packet, read nothing else
};

/// Where packets go, finished: the first cache line has all that forwarding needs, the second what
/// packets of our own and those that wait need as well.
/// The manager writes the fields while no worker reads them (see NextHopTable); `kind` is the gate.
struct alignas(64) NextHop {
  std::atomic<NextHopKind> kind{NextHopKind::NoRoute};
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t mtu = 0;     ///< bytes of IP packet
  std::uint16_t tunnel = 0;  ///< index in IpsecConfig::tunnels, for Tunnel; its VRF, for Glean
  core::InterfaceId port = core::kNoInterface;  ///< whose port it leaves by: a VLAN's carrier
  std::uint16_t group = 0;                      ///< in NextHopGroups, for Group
  std::uint8_t ether_length = 0;                ///< 14, or more with VLAN tags
  std::array<std::uint8_t, 24> ether{};         ///< complete for Reachable; right-aligned

  alignas(64) core::IpAddress gateway;  ///< the neighbour's address
  core::IpAddress source;               ///< of our own packets that leave here
};
static_assert(sizeof(NextHop) == 128);

/// What the manager fills a NextHop with.
struct NextHopFields {
  NextHopKind kind = NextHopKind::NoRoute;
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t mtu = 0, tunnel = 0, group = 0;
  std::uint16_t ether_type = kEtherTypeIp4;  ///< what the packets are
  core::IpAddress gateway{}, source{};
  core::MacAddress dst_mac{}, src_mac{};
  core::InterfaceId port = core::kNoInterface;  ///< none: `interface`
  core::Interface::Encapsulation encapsulation{};
};

/// All next hops, at stable places, changed while workers read.
///
/// set() follows one rule: fields are written only while no worker can read them. A worker reads
/// `kind` first (acquire) and the other fields as the kind allows: `interface`, `gateway`,
/// `mtu` and `source` for the kinds that wait for ARP, `ether` only for Reachable. When a change
/// touches a field that may be being read, the kind first becomes Changing, one grace period
/// passes, then the fields and last the new kind (release) are written. The common change,
/// Incomplete to Reachable, only adds fields nobody reads yet, and waits for nothing.
class NextHopTable {
public:
  static constexpr NextHopId kNoRoute = 0;  ///< always there; the FIB's default

  /// @param capacity  2 or more; beyond kMaxNextHopsIn2Bytes the FIBs take twice the memory.
  NextHopTable(std::size_t capacity, core::Rcu& rcu);

  /// Worker side.
  [[nodiscard]] const NextHop& operator[](std::size_t id) const noexcept { return slots_[id]; }
  [[nodiscard]] std::size_t id_of(const NextHop& h) const noexcept {
    return static_cast<std::size_t>(&h - slots_.get());
  }
  /// Worker side: changes whenever a neighbour became reachable or failed, so that held packets
  /// are tried again.
  [[nodiscard]] std::uint32_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }

  // Manager side.
  [[nodiscard]] std::optional<NextHopId> allocate(const NextHopFields& fields);
  void set(NextHopId id, const NextHopFields& fields);
  /// Gives the slot back after one grace period. @pre no FIB entry points to it any more.
  void release(NextHopId id);
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t used() const noexcept { return capacity_ - free_.size(); }
  [[nodiscard]] bool in_use(NextHopId id) const noexcept { return used_[id]; }

private:
  void write(NextHop& h, const NextHopFields& f) noexcept;

  core::Rcu& rcu_;
  std::size_t capacity_;
  std::unique_ptr<NextHop[]> slots_;
  std::vector<NextHopId> free_;
  std::vector<bool> used_;
  std::atomic<std::uint32_t> generation_{0};
};
}  // namespace proto
