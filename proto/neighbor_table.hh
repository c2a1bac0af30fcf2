// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hh"
#include "core/event.hh"
#include "core/interface.hh"
#include "proto/next_hop.hh"
#include "proto/route_table.hh"

namespace proto {
/// States of a neighbour, in the words of RFC 4861 section 7.3.2. ARP has no Stale and no Delay:
/// its answers are good for minutes.
enum class NeighborState : std::uint8_t {
  Idle,        ///< a route's gateway that nobody has sent to yet
  Incomplete,  ///< all were asked for it, no answer yet
  Reachable,   ///< answered a while ago at most
  Stale,       ///< its MAC is known and used, but it has not answered of late
  Delay,       ///< stale and in use: it is asked soon
  Probe,       ///< still used; asked by unicast
  Failed,      ///< did not answer; not asked again for a while
  Permanent,   ///< set by an administrator
};
[[nodiscard]] std::string_view to_string(NeighborState s) noexcept;

/// What is shown of a neighbour.
struct NeighborInfo {
  core::InterfaceId interface = core::kNoInterface;
  IpAddress address{};  ///< not scoped
  core::MacAddress mac{};
  NeighborState state = NeighborState::Idle;
  std::uint64_t age_us = 0;      ///< since it last answered
  bool is_router = false;        ///< says so of itself (RFC 4861 section 7.2.5)
  std::uint64_t expires_us = 0;  ///< from now on, when something will be done about it; 0: never
};

/// The neighbours of both families: of IPv4 by ARP's states and timers (RFC 826, RFC 1122 section
/// 2.3.2), of IPv6 by Neighbour Discovery's (RFC 4861 section 7). Each has a next hop of its own
/// and, where no other route claims it, a host route. Addresses are scoped (ip6_scope.hh).
///
/// The table is bounded, and what others make us ask for cannot push out what is in use: entries
/// that have not answered take half of the table at most; what nobody leans on has at most three
/// quarters of it on one link. Where there is no room, of those that failed, those not answered
/// yet, those that only spoke to us, and those gone stale, in this order, the oldest of the link
/// that has most of them gives way. Those that have answered us and are reachable never do.
///
/// Manager thread; takes time as an argument.
class NeighborTable {
public:
  /// net.inet.arp.*, in seconds.
  struct Timers {
    std::uint32_t keep_s = 1200;   ///< an answer is good for so long
    std::uint32_t refresh_s = 30;  ///< so long before the end a used one is asked again
    std::uint32_t down_s = 20;     ///< one that failed is left alone for so long
  };
  /// net.inet6.icmp6.nd6_*.
  struct DiscoveryTimers {
    std::uint32_t delay_s = 5;          ///< from first use of a stale one to the first probe
    std::uint32_t multicast_tries = 3;  ///< RFC 4861 section 10: MAX_MULTICAST_SOLICIT
    std::uint32_t unicast_tries = 3;    ///< MAX_UNICAST_SOLICIT
    std::uint32_t gc_s = 86'400;        ///< a stale one that is not used is forgotten
    std::uint32_t down_s = 3;           ///< one that failed is left alone for so long
  };
  /// What a router may set for its link.
  struct LinkTimers {
    std::uint32_t reachable_ms = 30'000, retrans_ms = 1000;
  };
  /// What the table needs from its surroundings.
  struct Env {
    NextHopTable& next_hops;
    /// The routes of the VRF that an interface is in.
    std::function<RouteTable&(core::InterfaceId)> routes;
    std::size_t limit;  ///< entries
    /// Fills what a next hop on `interface` to `address` needs of it: MTU, MAC, source.
    std::function<NextHopFields(core::InterfaceId, const IpAddress& address)> link;
    /// Sends an ARP request or a Neighbour Solicitation; to `mac` or, without one, to all.
    std::function<void(core::InterfaceId, const IpAddress& address,
                       std::optional<core::MacAddress>)>
        request;
    /// Packets sent through a next hop so far.
    std::function<std::uint64_t(NextHopId)> packets;
    /// A neighbour says that it is no router any more; may be empty.
    std::function<void(core::InterfaceId, const IpAddress& address)> no_router = {};
  };
  explicit NeighborTable(Env env) : env_{std::move(env)}, random_{std::random_device{}()} {}

  void set_timers(const Timers& t) noexcept { timers_ = t; }
  void set_timers(const DiscoveryTimers& t) noexcept { discovery_ = t; }
  void set_timers(core::InterfaceId interface, const LinkTimers& t) {
    links_[interface].timers = t;
  }
  [[nodiscard]] LinkTimers link_timers(core::InterfaceId interface) const;

  /// The next hop of a gateway; the entry stays until let go. @return Full.
  core::Expected<NextHopId> use(core::InterfaceId interface, const IpAddress& address);
  void let_go(core::InterfaceId interface, const IpAddress& address);

  /// Events of workers.
  void wanted(const core::Event& e, std::uint64_t now_us);
  /// NeighborSeen: what a host says of itself without having been asked.
  /// @param is_router  it has sent a Router Advertisement, or a solicitation that only hosts send;
  /// none: the message does not tell.
  void seen(const core::Event& e, std::uint64_t now_us, std::optional<bool> is_router = {});
  /// NeighborAdvertised (RFC 4861 section 7.2.5).
  void advertised(const core::Event& e, std::uint64_t now_us);
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
  /// The interface goes to another VRF: its host routes leave the table they are in, and come into
  /// the one that Env::routes then names. @return Full: some have none there.
  void leave_routes(core::InterfaceId interface);
  core::Expected<> enter_routes(core::InterfaceId interface);
  /// Rewrites the next hops of an interface whose MTU, MAC or addresses have changed.
  void refresh_link(core::InterfaceId interface);

  /// None: there is no such entry.
  [[nodiscard]] std::optional<NeighborState> state(core::InterfaceId interface,
                                                   const IpAddress& address) const;
  [[nodiscard]] std::vector<NeighborInfo> list(std::uint64_t now_us) const;
  [[nodiscard]] std::size_t used() const noexcept { return entries_.size(); }

private:
  struct Key {
    core::InterfaceId interface;
    IpAddress address;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  /// How little an entry is worth, the least first.
  enum class Worth : std::uint8_t { Failed, Unanswered, Stranger, Stale, Kept };
  static constexpr std::size_t kDispensable = static_cast<std::size_t>(Worth::Kept);
  struct Entry {
    NextHopId next_hop = 0;
    NeighborState state = NeighborState::Idle;
    core::MacAddress mac{};
    bool is_router = false;
    bool answered = false;    ///< since the entry was made
    std::uint32_t users = 0;  ///< routes whose gateway it is
    std::uint32_t asked = 0;  ///< requests since the last answer
    std::uint64_t confirmed_us = 0;
    std::uint64_t forget_us = 0;     ///< Stale: when it is forgotten
    std::uint64_t deadline_us = 0;   ///< when expire() looks at it; 0: never
    std::uint64_t packets_then = 0;  ///< sent through it when it was last confirmed, or went stale
    bool host_route = false;
    bool dynamic = false;  ///< counted in Link::dynamic
    Worth worth = Worth::Kept;
    std::list<const Key*>::iterator place{};  ///< in Link::dispensable, unless Kept
  };
  using Entries = std::map<Key, Entry>;
  struct Link {
    LinkTimers timers;
    std::size_t dynamic = 0;  ///< entries that no administrator and no route asks for
    std::array<std::list<const Key*>, kDispensable> dispensable;  ///< by Worth, oldest first
  };

  core::Expected<Entries::iterator> create(const Key& key);
  void erase(Entries::iterator at);
  bool make_room(core::InterfaceId interface);
  void bound_unanswered();
  bool evict(std::size_t worst_kept, const Link* only);
  void publish(const Key& key, Entry& e);
  void settle(const Key& key, Entry& e);
  void set_deadline(const Key& key, Entry& e, std::uint64_t at_us);

  // neighbor_states.cc
  void ask(const Key& key, Entry& e, std::uint64_t now_us);
  void learn(const Key& key, Entry& e, const core::MacAddress& mac);
  void confirm(const Key& key, Entry& e, std::uint64_t now_us);
  void go_stale(const Key& key, Entry& e, std::uint64_t now_us);
  void fail(const Key& key, Entry& e, std::uint64_t now_us);
  /// @return false when the entry is to be erased.
  bool expire(const Key& key, Entry& e, std::uint64_t now_us);
  bool expire_ip4(const Key& key, Entry& e, std::uint64_t now_us);
  bool expire_ip6(const Key& key, Entry& e, std::uint64_t now_us);
  bool forget(const Key& key, Entry& e);

  Env env_;
  Timers timers_;
  DiscoveryTimers discovery_;
  Entries entries_;
  std::map<core::InterfaceId, Link> links_;
  std::size_t unanswered_ = 0;  ///< entries of Worth::Failed and Worth::Unanswered
  std::set<std::pair<std::uint64_t, const Key*>> deadlines_;
  std::minstd_rand random_;
};
}  // namespace proto
