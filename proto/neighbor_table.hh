// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hh"
#include "core/event.hh"
#include "core/interface.hh"
#include "proto/next_hop.hh"
#include "proto/route_table.hh"

namespace proto {
/// States of a neighbour, in the words of RFC 4861 section 7.3.2 as far as ARP has them.
enum class NeighborState : std::uint8_t {
  Idle,        ///< a route's gateway that nobody has sent to yet
  Incomplete,  ///< asked for by broadcast, no answer yet
  Reachable,   ///< answered
  Probe,       ///< still used; asked again by unicast before it expires
  Failed,      ///< did not answer; not asked again for a while
  Permanent,   ///< set by an administrator
};
[[nodiscard]] std::string_view to_string(NeighborState s) noexcept;

/// What is shown of a neighbour.
struct NeighborInfo {
  core::InterfaceId interface = core::kNoInterface;
  IpAddress address{};
  core::MacAddress mac{};
  NeighborState state = NeighborState::Idle;
  std::uint64_t age_us = 0;  ///< since it last answered
};

/// The IPv4 neighbours: ARP's states and timers (RFC 826, RFC 1122 section 2.3.2). Each has a next
/// hop of its own and, where no other route claims it, a host route. Manager thread; takes time as
/// an argument.
class NeighborTable {
public:
  /// net.inet.arp.*, in seconds.
  struct Timers {
    std::uint32_t keep_s = 1200;   ///< an answer is good for so long
    std::uint32_t refresh_s = 30;  ///< so long before the end a used one is asked again
    std::uint32_t down_s = 20;     ///< one that failed is left alone for so long
  };
  /// What the table needs from its surroundings.
  struct Env {
    NextHopTable& next_hops;
    RouteTable& routes;
    std::size_t limit;  ///< entries
    /// Fills what a next hop on `interface` to `address` needs of it: MTU, MAC, source.
    std::function<NextHopFields(core::InterfaceId, const IpAddress& address)> link;
    /// Sends an ARP request; to `mac` or, without one, to all.
    std::function<void(core::InterfaceId, const IpAddress& address,
                       std::optional<core::MacAddress>)>
        request;
    /// Packets sent through a next hop so far.
    std::function<std::uint64_t(NextHopId)> packets;
  };
  explicit NeighborTable(Env env) : env_{std::move(env)} {}

  void set_timers(const Timers& t) noexcept { timers_ = t; }

  /// The next hop of a gateway; the entry stays until let go. @return Full.
  core::Expected<NextHopId> use(core::InterfaceId interface, const IpAddress& address);
  void let_go(core::InterfaceId interface, const IpAddress& address);

  /// Events of workers.
  void wanted(const core::Event& e, std::uint64_t now_us);
  void seen(const core::Event& e, std::uint64_t now_us);
  /// Retries, refreshes, expires.
  void poll(std::uint64_t now_us);

  /// @return Full | Invalid (group address).
  core::Expected<> add_permanent(core::InterfaceId interface, const IpAddress& address,
                                 const core::MacAddress& mac, std::uint64_t now_us);
  /// Forgets an entry; a route's gateway becomes Idle. @return NotFound.
  core::Expected<> remove(core::InterfaceId interface, const IpAddress& address);
  /// Forgets all entries of `interface` that `keep` does not want. @pre no route uses them.
  void remove_unless(core::InterfaceId interface,
                     const std::function<bool(const IpAddress& address)>& keep);
  /// Rewrites the next hops of an interface whose MTU, MAC or addresses have changed.
  void refresh_link(core::InterfaceId interface);

  [[nodiscard]] std::vector<NeighborInfo> list(std::uint64_t now_us) const;
  [[nodiscard]] std::size_t used() const noexcept { return entries_.size(); }

private:
  struct Key {
    core::InterfaceId interface;
    IpAddress address;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    NextHopId next_hop = 0;
    NeighborState state = NeighborState::Idle;
    core::MacAddress mac{};
    std::uint32_t users = 0;  ///< routes whose gateway it is
    std::uint32_t asked = 0;  ///< requests since the last answer
    std::uint64_t confirmed_us = 0, deadline_us = 0;
    std::uint64_t packets_then = 0;  ///< sent through it when it was last confirmed
    bool host_route = false;
  };
  using Entries = std::map<Key, Entry>;

  core::Expected<Entries::iterator> create(const Key& key);
  void erase(Entries::iterator at);
  bool make_room();
  void publish(const Key& key, Entry& e);
  void ask(const Key& key, Entry& e, std::uint64_t now_us);
  void confirm(const Key& key, Entry& e, const core::MacAddress& mac, std::uint64_t now_us);
  /// @return false when the entry is to be erased.
  bool expire(const Key& key, Entry& e, std::uint64_t now_us);

  Env env_;
  Timers timers_;
  Entries entries_;
};
}  // namespace proto
