// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "apps/polluxd/handoff.hh"
#include "apps/polluxd/manager.hh"
#include "proto/address_detection.hh"
#include "proto/group_membership.hh"
#include "proto/wire/nd.hh"

namespace polluxd {
/// Where an address comes from and how far it may be used.
struct AddressLife {
  AddressState state = AddressState::Preferred;
  AddressOrigin origin = AddressOrigin::Manual;
  std::uint64_t preferred_until_us = kForEver, valid_until_us = kForEver;

  static constexpr std::uint64_t kForEver = UINT64_MAX;
  /// Packets may come from it and go to it.
  [[nodiscard]] bool usable() const noexcept {
    return state == AddressState::Preferred || state == AddressState::Deprecated;
  }
};

/// The manager's inside, shared by the files that implement it: manager.cc (life, publishing,
/// events), manager_interface.cc, manager_route.cc, manager_ipsec.cc, manager_stats.cc.
struct Manager::Impl {
  Impl(const Limits& l, Env e, DriverRegistry& d);

  /// What the manager knows of an interface beside its published part.
  struct ManagedInterface {
    std::string driver;
    InterfaceSpec spec;            ///< as asked for, with the present name
    OpenPort port;                 ///< of Kind::Ethernet; closed while the device is absent
    std::uint16_t device_mtu = 0;  ///< the device's default, bytes; 0: not known
    bool admin_up = false;
    bool promiscuous = false;
    std::optional<bool> link;  ///< as last seen
    std::uint32_t speed_mbps = 0;
    std::uint64_t retry_at_us = 0;  ///< when an absent device is looked for again
    std::uint32_t retries = 0;
    core::InterfaceId parent = core::kNoInterface;  ///< of Kind::Vlan
    std::uint16_t vlan_id = 0, vlan_tpid = 0;
    std::vector<proto::IpPrefix> addresses;
    std::vector<proto::NextHopId> connected;  ///< Glean, beside each address; 0 where none
    std::vector<AddressLife> lives;           ///< beside each address
    std::set<core::IpAddress> groups;         ///< whose packets are for us; not scoped
    std::set<core::IpAddress> asked_groups;   ///< of these, those of join_group()
    std::uint16_t inet6_mtu = 0;              ///< as a router says, bytes; 0: none did
    std::uint8_t inet6_hop_limit = 0;         ///< as a router says; 0: none did
    proto::NextHopId local = 0, broadcast = 0;
    InterfaceTotals base;  ///< counters of whoever had the id before
  };
  struct ManagedTunnel {
    bool used = false;
    crypto::TunnelSpec spec;
    proto::NextHopId next_hop = 0;
    std::vector<crypto::SaId> outbound;  ///< oldest first; the last one is in use
  };
  struct Ping {
    std::uint64_t sent_us, deadline_us;
    core::IpAddress dst;
    std::uint16_t size, vrf;
    std::uint16_t answer_vrf;  ///< that the answer comes in by: of a leaked route another one
    PingDone done;
  };
  struct Announcement {
    core::InterfaceId interface;
    core::IpAddress address;
    std::uint32_t left;
    std::uint64_t next_us;
  };

  // manager.cc
  void publish();
  void count_events(std::uint64_t now);
  void handle(const core::Event& e);
  void run_announcements();
  void announce_once(core::InterfaceId id, const core::IpAddress& address);
  void probe(core::InterfaceId id, const core::IpAddress& address);
  void solicit(core::InterfaceId id, const core::IpAddress& address,
               const std::optional<core::MacAddress>& to);
  void announce(core::InterfaceId id, const core::IpAddress& address);
  void send_arp(core::InterfaceId id, std::uint32_t sender, std::uint32_t target,
                std::optional<core::MacAddress> to);
  bool hand_frame(core::InterfaceId id, rte_mbuf* m);
  void load_timers();

  // manager_ping.cc
  void listen_for_answers();
  core::Expected<> prepare_ping(PingSpec& spec, core::InterfaceId link,
                                const RouteAnswer& route) const;
  std::uint16_t next_ping_number(bool udp);
  [[nodiscard]] std::uint16_t answer_vrf(const RouteAnswer& route, std::uint16_t vrf) const;
  void hear(const proto::Delivered& d);
  bool run_pings();

  // manager_local.cc
  [[nodiscard]] proto::NextHopFields broadcast_fields(core::InterfaceId id) const;
  void load_loopback();
  [[nodiscard]] bool is_loopback_interface(core::InterfaceId id) const;
  [[nodiscard]] bool is_loopback_address(const core::IpAddress& address) const;

  // What the rest of the manager asks of IPv6: manager_inet6.cc, manager_mld.cc,
  // manager_autoconf.cc and manager_rtadv.cc, in whose place polluxd-v4 has manager_no_inet6.cc.
  struct Inet6;  ///< manager_inet6.hh
  void make_inet6();
  void load_inet6_timers();
  void load_inet6();
  void update_inet6(core::InterfaceId id);
  void link_is_up_inet6(core::InterfaceId id);
  void leave_inet6(core::InterfaceId id);
  void link_changed_inet6(core::InterfaceId id);
  void add_inet6_groups(core::InterfaceId id, std::set<core::IpAddress>& wanted) const;
  void handle_discovery(const core::Event& e);
  void run_inet6();
  void stop_advertising(core::InterfaceId id);
  [[nodiscard]] bool is_router(core::InterfaceId id) const;
  [[nodiscard]] bool on_link_by_prefix(core::InterfaceId id, const core::IpAddress& address) const;
  [[nodiscard]] std::uint32_t count_routes6() const;
  void add_usage6(std::vector<UseAgainstLimit>& all) const;

  // manager_inet6.cc
  [[nodiscard]] bool speaks_inet6(core::InterfaceId id) const;
  void send_icmp6(core::InterfaceId id, const proto::nd::PacketFields& ip,
                  const core::MacAddress& to, std::size_t room,
                  const std::function<std::size_t(proto::MutBytes)>& emit);
  void send_solicitation(core::InterfaceId id, const core::IpAddress& source,
                         const core::IpAddress& target, const std::optional<core::MacAddress>& to);
  void send_advertisement(core::InterfaceId id, const core::IpAddress& address);

  // manager_address.cc
  void link_is_up(core::InterfaceId id);
  void publish_addresses();
  [[nodiscard]] bool on_link(core::InterfaceId id, const core::IpAddress& address) const;
  [[nodiscard]] core::IpAddress choose_source(core::InterfaceId id,
                                              const core::IpAddress& dst) const;

  // manager_dad.cc
  [[nodiscard]] std::optional<std::size_t> index_of(core::InterfaceId id,
                                                    const core::IpAddress& address) const;
  void detect(core::InterfaceId id, std::size_t index);
  void set_address_state(core::InterfaceId id, std::size_t index, AddressState state);
  void address_unique(core::InterfaceId id, const core::IpAddress& address);
  void address_conflict(const core::Event& e);
  void run_addresses();
  void describe_addresses(core::InterfaceId id, InterfaceInfo& info) const;

  // manager_autoconf.cc
  [[nodiscard]] bool is_autoconf(core::InterfaceId id) const;
  void update_discovery(core::InterfaceId id);
  void leave_routers(core::InterfaceId id);
  void no_router(core::InterfaceId id, const core::IpAddress& address);
  bool solicit_routers(core::InterfaceId id);
  void router_advertised(const core::Event& e);
  void prefix_advertised(const core::Event& e);
  [[nodiscard]] static std::string bad_prefix(const core::IpAddress& prefix);
  void expire_addresses();
  void follow_routers();
  void choose_default_router();
  void watch_routers();
  void redirected(const core::Event& e);
  void remove_redirect(const core::IpAddress& destination);
  void expire_redirects();

  // manager_rtadv.cc
  [[nodiscard]] bool advertises(core::InterfaceId id) const;
  void update_advertiser(core::InterfaceId id);
  [[nodiscard]] std::vector<proto::nd::PrefixInformation> prefixes_to_tell(core::InterfaceId id,
                                                                           bool last) const;
  bool send_router_advertisement(core::InterfaceId id, bool last);

  // manager_membership.cc
  core::Expected<> update_memberships(core::InterfaceId id);
  core::Expected<> join(core::InterfaceId id, const core::IpAddress& group);
  [[nodiscard]] std::set<core::IpAddress> wanted_groups(core::InterfaceId id) const;
  core::Expected<> add_group_route(core::InterfaceId id, const core::IpAddress& group);
  void remove_group_route(core::InterfaceId id, const core::IpAddress& group);
  void set_multicast_filter(core::InterfaceId id);
  void report_groups(core::InterfaceId id, proto::GroupMembership::Version version,
                     const std::vector<proto::GroupRecord>& records);
  void listener_queried(const core::Event& e);
  static constexpr std::size_t kMaxGroupRecords = 64;  ///< of one report; more go into the next
  void report_igmp(core::InterfaceId id, proto::GroupMembership::Version version,
                   const std::vector<proto::GroupRecord>& records);
  void report_mld(core::InterfaceId id, proto::GroupMembership::Version version,
                  const std::vector<proto::GroupRecord>& records);
  void send_mld(core::InterfaceId id, const core::IpAddress& to, std::size_t room,
                const std::function<std::size_t(proto::MutBytes)>& emit);
  void send_igmp(core::InterfaceId id, const core::IpAddress& to, std::size_t length,
                 const std::function<void(proto::MutBytes)>& emit);

  // manager_interface.cc
  [[nodiscard]] core::Expected<core::InterfaceId> find(const std::string& name) const;
  core::Expected<core::InterfaceId> free_slot() const;
  core::Expected<std::string> choose_name(const std::string& wanted,
                                          const std::string& prefix) const;
  core::Expected<> add_address(core::InterfaceId id, proto::IpPrefix address,
                               const AddressLife& life = {});
  void remove_address(core::InterfaceId id, std::size_t index);
  core::Expected<> add_address_routes(core::InterfaceId id, const proto::IpPrefix& address,
                                      proto::NextHopId connected);
  [[nodiscard]] proto::NextHopId connected_by(core::InterfaceId id, std::size_t index,
                                              const proto::IpPrefix& prefix) const;
  void pass_on(std::uint16_t vrf, proto::IpPrefix prefix, core::InterfaceId from);
  core::Expected<std::string> finish_interface(core::InterfaceId id, const InterfaceSpec& spec);
  void destroy(core::InterfaceId id);
  void remove_interface(core::InterfaceId id);
  [[nodiscard]] bool is_absent(core::InterfaceId id) const { return managed[id].retry_at_us != 0; }
  core::Expected<> make_base_next_hops(core::InterfaceId id);
  void link_changed(core::InterfaceId id);
  [[nodiscard]] proto::NextHopFields link_fields(core::InterfaceId id,
                                                 const core::IpAddress& address) const;
  [[nodiscard]] std::optional<proto::IpPrefix> subnet_of(core::InterfaceId id,
                                                         const core::IpAddress& address) const;

  // manager_port.cc
  core::Expected<OpenPort> open_port(const InterfaceSpec& spec,
                                     const std::shared_ptr<const Driver>& driver,
                                     std::uint16_t mtu);
  void connect(core::InterfaceId id, OpenPort port);
  OpenPort disconnect(core::InterfaceId id);
  core::Expected<> set_port_mtu(core::InterfaceId id, std::uint16_t mtu);
  void assign_tx_queues(core::Interface& i, std::uint16_t tx_queues);
  void add_rx_queues(core::InterfaceId id);
  std::size_t balance(bool anew);
  [[nodiscard]] bool needs_spreading(core::InterfaceId id) const;
  void move_queues(std::vector<std::vector<core::RxQueue>> wanted);
  void drain_handoff();
  void poll_devices();
  void device_gone(core::InterfaceId id);
  void look_for_device(core::InterfaceId id);
  [[nodiscard]] bool is_pinned(const core::RxQueue& q) const;
  void tell(ManagerEvent::Kind kind, const std::string& subject, std::string detail = {});
  void tell_drivers();

  // manager_vlan.cc
  core::Expected<std::string> create_vlan(const InterfaceSpec& spec,
                                          const std::shared_ptr<const Driver>& driver);
  void show_vlan(core::InterfaceId id, bool there);
  void follow_parent(core::InterfaceId parent);
  void follow_parent_of(core::InterfaceId id);
  [[nodiscard]] std::vector<core::InterfaceId> vlans_on(core::InterfaceId parent) const;

  // manager_route.cc
  void make_builtin_next_hops();
  core::Expected<> add_builtin_routes(proto::RouteTable& routes) const;
  core::Expected<proto::Route> resolve(std::uint16_t vrf, const RouteSpec& spec);
  void let_go(const proto::Route& route);
  void remove_stranded_routes(core::InterfaceId id, bool all);
  [[nodiscard]] std::uint64_t next_hop_packets(proto::NextHopId id) const;

  // manager_vrf.cc
  struct Vrf {
    Vrf(proto::FibBlocks& blocks, std::uint32_t limit, std::string its_name)
        : name{std::move(its_name)},
          fib4{blocks, proto::CompactFib::Family::Ip4, limit},
          fib6{blocks, proto::CompactFib::Family::Ip6, limit} {}
    std::string name;
    proto::CompactFib fib4, fib6;
    proto::RouteTable routes{fib4, fib6};
  };
  /// @return NotFound. An empty name is the default VRF's.
  [[nodiscard]] core::Expected<std::uint16_t> find_vrf(const std::string& name) const;
  [[nodiscard]] std::string vrf_name(std::uint16_t vrf) const;
  [[nodiscard]] std::uint16_t vrf_of(core::InterfaceId id) const {
    return id < master.interfaces.size() ? master.interfaces[id].vrf : std::uint16_t{0};
  }
  [[nodiscard]] proto::RouteTable& routes_in(std::uint16_t vrf) {
    return vrf == 0 ? routes : vrfs[vrf]->routes;
  }
  [[nodiscard]] const proto::RouteTable& routes_in(std::uint16_t vrf) const {
    return vrf == 0 ? routes : vrfs[vrf]->routes;
  }
  [[nodiscard]] proto::RouteTable& routes_of(core::InterfaceId id) { return routes_in(vrf_of(id)); }
  /// Calls `f(id, const RouteTable&)` with the table of each VRF.
  template <class F>
  void for_each_vrf(F&& f) const {
    f(std::uint16_t{0}, routes);
    for (std::size_t id = 1; id < vrfs.size(); ++id)
      if (vrfs[id] != nullptr) f(static_cast<std::uint16_t>(id), vrfs[id]->routes);
  }
  [[nodiscard]] std::uint64_t route_version() const;
  [[nodiscard]] std::string who_is_in(std::uint16_t vrf) const;
  void withdraw_from_vrf(core::InterfaceId id);
  core::Expected<> bring_into_vrf(core::InterfaceId id, std::uint16_t vrf);
  [[nodiscard]] core::Expected<> check_addresses_free(core::InterfaceId id,
                                                      std::uint16_t vrf) const;
  std::uint64_t vrf_changes = 0;  ///< route_version() never falls

  // manager_group.cc
  /// Where a next hop of a group leads.
  struct Way {
    core::InterfaceId interface = core::kNoInterface;
    std::optional<core::IpAddress> gateway;
    proto::NextHopId through = 0;  ///< another group's next hop; then nothing else
    friend bool operator==(const Way&, const Way&) = default;
  };
  struct GroupMember {
    RouteNextHop hop;
    std::optional<Way> way;  ///< none: it leads nowhere now
    proto::NextHopId id = 0;
  };
  /// Routes that ask for the same share a group.
  struct GroupKey {
    std::vector<RouteNextHop> hops;
    bool recursive;
    std::uint16_t vrf;  ///< whose routes lead to the gateways
    friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
  };
  struct RouteGroup {
    std::uint16_t group = 0;
    proto::NextHopId next_hop = 0;
    std::uint32_t users = 0;  ///< routes
    std::vector<GroupMember> members;
    std::vector<proto::NextHopGroups::Member> assigned;
  };
  [[nodiscard]] std::optional<Way> find_way(const RouteNextHop& hop, std::uint16_t vrf,
                                            bool recursive) const;
  [[nodiscard]] core::InterfaceId link_to(const core::IpAddress& address, std::uint16_t vrf) const;
  core::Expected<proto::NextHopId> use_way(const Way& way);
  void leave_way(GroupMember& member);
  [[nodiscard]] bool is_alive(const GroupMember& member) const;
  void collect_members(const RouteGroup& group, unsigned depth,
                       std::vector<proto::NextHopGroups::Member>& out) const;
  void refresh_groups();
  void find_ways(const GroupKey& key, RouteGroup& group);
  void assign_members(RouteGroup& group);
  void follow_changes();
  void leave_interface(core::InterfaceId id);
  core::Expected<proto::NextHopId> use_group(std::uint16_t vrf, const RouteSpec& spec);
  void let_go_group(proto::NextHopId next_hop);
  [[nodiscard]] bool is_recursive(proto::NextHopId next_hop) const {
    const auto at = groups_by_hop.find(next_hop);
    return at != groups_by_hop.end() && at->second->first.recursive;
  }
  [[nodiscard]] std::vector<NextHopInfo> members_of(proto::NextHopId next_hop) const;

  // manager_config.cc
  [[nodiscard]] std::uint16_t default_mtu(core::InterfaceId id) const;
  [[nodiscard]] std::vector<InterfaceSpec> interface_specs() const;
  [[nodiscard]] std::vector<proto::IpPrefix> asked_addresses(core::InterfaceId id) const;
  [[nodiscard]] std::vector<TunnelConfig> tunnel_configs() const;
  [[nodiscard]] std::vector<SaConfig> sa_configs() const;
  [[nodiscard]] core::Expected<crypto::SaInfo> find_sa(const std::string& tunnel,
                                                       crypto::Direction direction,
                                                       std::uint32_t spi) const;

  // manager_ipsec.cc
  [[nodiscard]] core::Expected<std::uint16_t> find_tunnel(const std::string& name) const;
  [[nodiscard]] std::uint32_t tunnel_source(std::uint16_t tunnel) const;
  void refresh_tunnels();
  void choose_outbound(std::uint16_t tunnel);
  void remove_tunnel(std::uint16_t tunnel);
  core::Expected<> retire_sa(const crypto::SaInfo& sa);
  [[nodiscard]] SaTotals count_sa(const crypto::SaInfo& info) const;

  [[nodiscard]] bool is_tunnel(core::InterfaceId id) const {
    return master.interfaces[id].kind == core::Interface::Kind::Tunnel;
  }
  /// Whether it is a link with other hosts on it.
  [[nodiscard]] bool has_neighbors(core::InterfaceId id) const {
    const auto kind = master.interfaces[id].kind;
    return kind == core::Interface::Kind::Ethernet || kind == core::Interface::Kind::Vlan;
  }
  [[nodiscard]] bool is_ours(const core::IpAddress& address, std::uint16_t vrf = 0) const;
  [[nodiscard]] const std::string& name_of(core::InterfaceId id) const {
    static const std::string none;
    return id < master.interfaces.size() ? master.interfaces[id].name : none;
  }

  Limits limits;
  std::vector<Shard*> shards;  ///< what env.shards looks at
  Env env;
  DriverRegistry& drivers;
  Handoff handoff;
  proto::NextHopTable next_hops;
  proto::NextHopGroups groups;
  std::unique_ptr<proto::Fib4> fib4;
  std::unique_ptr<Inet6, void (*)(Inet6*)> inet6{nullptr, nullptr};  ///< null in polluxd-v4
  proto::FibBlocks fib_blocks;
  proto::RouteTable routes;                ///< of VRF 0
  std::vector<std::unique_ptr<Vrf>> vrfs;  ///< by VRF; [0] is null
  proto::NeighborTable neighbors;
  std::unique_ptr<crypto::SaTable> sas;
  core::Sysctl sysctl;

  StackConfig master;  ///< what will be published next
  std::unique_ptr<core::Published<StackConfig>> published;
  std::vector<ManagedInterface> managed;   ///< by InterfaceId
  std::vector<ManagedTunnel> tunnel_list;  ///< by tunnel index
  std::vector<SaTotals> sa_base;           ///< by SaId: counters of whoever had the id before
  std::vector<std::string> key_files;      ///< by SaId; empty: the key came over the API
  core::InterfaceId last_slot = 0;
  proto::NextHopId blackhole = 0, prohibited = 0, unreachable = 0, local_prefix = 0;
  proto::NextHopId martian = 0, any_multicast = 0, any_broadcast = 0;
  using RouteGroups = std::map<GroupKey, RouteGroup>;
  RouteGroups route_groups;
  std::map<proto::NextHopId, RouteGroups::iterator> groups_by_hop;
  std::uint64_t link_version = 0;  ///< changes when a link or an interface goes up or down
  std::uint64_t groups_seen = 0;   ///< versions that the groups were worked out for
  std::vector<Announcement> announcements;
  proto::Listener ping_listener;
  std::map<std::uint16_t, Ping> pings;  ///< by ICMP sequence number or UDP source port
  std::uint16_t ping_id = 0, ping_sequence = 0;
  std::uint64_t ping_until_us = 0;  ///< how long answers are listened for; 0: they are not
  std::uint64_t now_us = 0;
  std::map<core::IpAddress, std::uint64_t> defended_us;  ///< address conflicts, by address
  std::set<core::InterfaceId> changed_links;             ///< by time or by others: to be published
  proto::AddressDetection detection;
  proto::GroupMembership memberships;
  struct LoadBase {
    std::uint64_t busy = 0, idle = 0, sleep = 0;
  };
  std::vector<LoadBase> load_base;  ///< by worker
  struct Pin {
    core::RxQueue queue;
    std::uint16_t worker;
  };
  std::vector<Pin> pins;
  std::uint64_t next_device_poll_us = 0;
  Observers observers;
  std::function<void(const ManagerEvent&)> listener;
  std::vector<LoadedDriver> known_drivers;  ///< that were loaded when last looked at
};
/// IPv6's tunables; polluxd-v4 has none.
void add_inet6_sysctls(core::Sysctl& s);
}  // namespace polluxd
