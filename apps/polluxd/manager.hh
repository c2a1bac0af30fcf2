// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/manager_observe.hh"
#include "apps/polluxd/manager_ping.hh"
#include "apps/polluxd/pipeline.hh"
#include "apps/polluxd/specs.hh"
#include "core/published.hh"
#include "core/sysctl.hh"
#include "crypto/sa_table.hh"
#include "proto/neighbor_table.hh"
#include "proto/route_table.hh"

namespace polluxd {
/// How far an address may be used (RFC 4862 section 2; of IPv4, RFC 5227).
enum class AddressState : std::uint8_t {
  Tentative,   ///< whether another host has it is not known yet: not used
  Preferred,   ///< used
  Deprecated,  ///< still answers, but nothing new comes from it
  Duplicated,  ///< another host has it: not used
};
enum class AddressOrigin : std::uint8_t {
  Manual,     ///< asked for
  LinkLocal,  ///< made of the MAC
  Autoconf,   ///< made of a router's prefix (RFC 4862 section 5.5)
};
/// What is shown of an address.
struct AddressInfo {
  proto::IpPrefix prefix;
  AddressState state = AddressState::Preferred;
  AddressOrigin origin = AddressOrigin::Manual;
  std::optional<std::uint64_t> preferred_s, valid_s;  ///< from now on; none: for ever
};

/// What is shown of an interface.
struct InterfaceInfo {
  std::string name, driver, device;  ///< driver "ipsec" for tunnels
  std::string object;                ///< file of the driver; empty: built in, or no device is there
  core::InterfaceId id = core::kNoInterface;
  core::Interface::Kind kind = core::Interface::Kind::None;
  bool up = false;
  std::optional<bool> link;  ///< none: the kind has no link
  core::MacAddress mac{};
  std::uint16_t mtu = 0;
  std::vector<proto::IpPrefix> addresses;  ///< that were asked for
  std::vector<AddressInfo> all_addresses;  ///< and those that came by themselves
  std::vector<core::IpAddress> groups;     ///< multicast groups whose packets are for us
  bool autoconf = false, rtadv = false;
  std::uint16_t rx_queues = 0, tx_queues = 0;
  bool promiscuous = false;
  std::string vrf;  ///< "default" for VRF 0
  core::Interface::Urpf urpf = core::Interface::Urpf::Off;
  bool absent = false;             ///< its device has gone; it is looked for every few seconds
  bool spread = false;             ///< software RSS is at work
  std::string parent;              ///< of a VLAN; empty: none
  std::uint16_t vlan_id = 0;       ///< 1 to 4094
  std::uint16_t vlan_tpid = 0;     ///< 0x8100 or 0x88a8
  std::uint32_t speed_mbps = 0;    ///< 0: unknown
  std::uint32_t capabilities = 0;  ///< of enum pollux_capability
  std::int32_t numa_node = -1;     ///< -1: none, or unknown
  std::string pmd;                 ///< DPDK's name of the driver; empty: none
};
/// A receive queue, and who polls it.
struct QueueInfo {
  std::string interface;
  std::uint16_t queue = 0, worker = 0;
  bool pinned = false;  ///< by assign_queue(): spread_queues() leaves it there
};
/// A driver object that is loaded, or could be.
struct DriverInfo {
  LoadedDriver object;
  std::vector<std::string> interfaces;
};
/// Something that happened to an interface or a driver.
struct ManagerEvent {
  enum class Kind : std::uint8_t {
    InterfaceCreated,
    InterfaceDestroyed,
    InterfaceRenamed,  ///< detail: the former name
    InterfaceUp,
    InterfaceDown,
    LinkUp,
    LinkDown,
    DeviceGone,         ///< detail: the device
    DeviceBack,         ///< detail: the device
    AddressAdded,       ///< detail: the address
    AddressDeleted,     ///< detail: the address
    AddressDuplicated,  ///< detail: the address; another host has it
    DriverLoaded,       ///< detail: the file
    DriverUnloaded,     ///< detail: the file
  };
  Kind kind;
  std::string subject;  ///< the interface's name, or the driver's
  std::string detail;
};

/// Counters summed over the workers (or one worker's), read while they count.
struct Totals {
  struct Traffic {
    std::uint64_t packets = 0, bytes = 0;
  };
  std::vector<std::uint64_t> drops;  ///< by DropReason
  struct StageTotal {
    std::uint64_t bursts = 0, packets = 0;
  };
  std::vector<StageTotal> stages;  ///< by Stage
  std::uint64_t consumed = 0, originated = 0, events_lost = 0;
  std::uint64_t held = 0;  ///< packets waiting for a neighbour now
};
struct InterfaceTotals {
  Totals::Traffic rx, tx;
  pollux_port_stats device{};
};
/// Shares of the time since the last call of worker_load(), 0 to 1, and what was moved in all.
struct WorkerLoad {
  std::uint16_t worker = 0;
  unsigned cpu = 0;
  double busy = 0, idle = 0, sleep = 0;
  std::uint64_t packets = 0;
};
struct SaTotals {
  crypto::SaInfo info;
  Totals::Traffic traffic;
  std::uint64_t replayed = 0, bad_icv = 0, malformed = 0, mismatched = 0;
};
struct TunnelInfo {
  crypto::TunnelSpec spec;
  std::optional<std::uint32_t> outbound_spi;
};
/// One of a route's several next hops, or the one that a recursive route has found.
struct NextHopInfo {
  RouteNextHop hop;       ///< as asked for
  std::string interface;  ///< where it leads; empty: nowhere, or through another group
  std::optional<core::IpAddress> via;
  bool alive = false;  ///< it carries flows
  double share = 0;    ///< of the flows, 0 to 1
};
/// A route as it is shown.
struct RouteListing : proto::RouteInfo {
  std::vector<NextHopInfo> next_hops;  ///< of NextHopKind::Group
  bool recursive = false;
  std::string vrf;  ///< empty: the default one
};
/// A VRF as it is shown.
struct VrfInfo {
  VrfSpec spec;  ///< id 0, name "default": the one that is always there
  std::vector<std::string> interfaces;
  std::uint32_t routes = 0, routes6 = 0;  ///< prefixes in its tables
  std::uint32_t limit = 0, limit6 = 0;
};
/// Where a packet to an address would go.
struct RouteAnswer {
  proto::IpPrefix prefix{};  ///< of the route that matches
  proto::NextHopKind kind = proto::NextHopKind::NoRoute;
  std::string interface;
  std::optional<core::IpAddress> gateway;
  core::IpAddress source{};
};
/// A router that has said that it is there.
struct RouterInfo {
  std::string interface;
  core::IpAddress address;  ///< not scoped
  int preference = 0;       ///< -1 to 1 (RFC 4191)
  bool managed = false, other = false;
  std::uint64_t lifetime_s = 0;  ///< from now on
  proto::NeighborState state = proto::NeighborState::Idle;
  bool used = false;  ///< it has the default route
};
/// A prefix that a router has advertised.
struct PrefixInfo {
  std::string interface;
  proto::IpPrefix prefix;
  bool on_link = false, autonomous = false;
  core::IpAddress router;                             ///< not scoped
  std::optional<std::uint64_t> preferred_s, valid_s;  ///< from now on; none: for ever
};
struct UseAgainstLimit {
  std::string table;
  std::uint64_t used = 0, limit = 0;
};

/// The management side of the stack: the only writer of what workers read. Every request either is
/// done whole or changes nothing and says why. One thread; takes time as an argument.
class Manager {
public:
  struct Env {
    core::Rcu& rcu;
    std::span<Shard* const> shards;  ///< by worker index; the list is copied, the shards stay yours
    std::vector<unsigned> cpus;      ///< by worker index, for show
    rte_mempool* pool;
    std::string fib_name;  ///< unique in the process
    /// Packet buffers near a NUMA node, -1: anywhere; made when they are first asked for. None:
    /// `pool` for every node.
    std::function<rte_mempool*(int node)> pool_near = {};
    std::function<std::vector<const rte_mempool*>()> pools = {};  ///< all; none: `pool` alone
  };
  /// @throws std::runtime_error where the tables cannot be had.
  Manager(const Limits& limits, Env env, DriverRegistry& drivers);
  ~Manager();

  /// Worker side: what the workers read.
  [[nodiscard]] const core::Published<StackConfig>& published() const noexcept;

  // Interfaces.
  core::Expected<std::string> create_interface(const InterfaceSpec& spec);  ///< @return its name
  /// The same with a port that is open already: the second half of create_interface(). On error the
  /// port is closed.
  core::Expected<std::string> attach_interface(const InterfaceSpec& spec, const std::string& driver,
                                               OpenPort port);
  core::Expected<> destroy_interface(const std::string& name);
  core::Expected<> add_address(const std::string& name, proto::IpPrefix address);
  core::Expected<> delete_address(const std::string& name, proto::IpPrefix address);
  /// Addresses and routes as routers of the link say: router discovery, SLAAC (RFC 4862).
  core::Expected<> set_autoconf(const std::string& name, bool on);
  /// What the hosts of the link are told while we are a router (RFC 4861 section 6.2).
  core::Expected<> set_rtadv(const std::string& name, const RtadvSpec& spec);
  /// What routers have told us: those that are default routers, and prefixes.
  [[nodiscard]] std::vector<RouterInfo> default_routers() const;
  [[nodiscard]] std::vector<PrefixInfo> advertised_prefixes() const;
  /// Packets to a multicast group are taken, and the link's routers hear of it (RFC 3376, RFC
  /// 3810). @return NotFound | Invalid (no group, or one that is always joined) | Exists | Full.
  core::Expected<> join_group(const std::string& name, const core::IpAddress& group);
  core::Expected<> leave_group(const std::string& name, const core::IpAddress& group);
  core::Expected<> set_up(const std::string& name, bool up);
  core::Expected<> set_mtu(const std::string& name, std::uint16_t mtu);
  core::Expected<> set_promiscuous(const std::string& name, bool on);
  core::Expected<> set_software_rss(const std::string& name, bool on);
  core::Expected<> rename(const std::string& name, const std::string& to);
  [[nodiscard]] std::vector<InterfaceInfo> interfaces() const;
  /// The device's own counters. @return NotFound | DeviceFailed.
  [[nodiscard]] core::Expected<std::vector<std::pair<std::string, std::uint64_t>>> device_counters(
      const std::string& name) const;

  // Drivers.
  [[nodiscard]] std::vector<DriverInfo> drivers() const;  ///< loaded ones and those on the path
  /// "driver[,option=value...][,name=NAME]", taken apart as the driver's options say. @return what
  /// DriverRegistry::parse_device() does.
  [[nodiscard]] core::Expected<ParsedDevice> parse_device(std::string_view text) const;
  /// Called from within the request or poll() in which it happens; must not call the manager.
  void on_event(std::function<void(const ManagerEvent&)> listener);

  // Workers and the queues they poll.
  [[nodiscard]] std::vector<QueueInfo> queues() const;
  /// Every receive queue that is not pinned, shared out anew. @return how many have moved.
  std::size_t spread_queues();
  /// Pins a receive queue to a worker. @return NotFound | Invalid (queue, worker).
  core::Expected<> assign_queue(const std::string& name, std::uint16_t queue, std::uint16_t worker);

  // Routes.
  core::Expected<> add_route(const RouteSpec& spec);
  core::Expected<> delete_route(proto::IpPrefix prefix, const std::string& vrf = {});
  /// @param vrf  of this one only.
  [[nodiscard]] std::vector<RouteListing> routes(const std::optional<std::string>& vrf = {}) const;
  /// @param vrf  that is there (find_vrf()).
  [[nodiscard]] RouteAnswer get_route(const core::IpAddress& dst, std::uint16_t vrf = 0) const;

  // VRFs: manager_vrf.cc.
  /// @return Exists (name, id) | Invalid (name, id) | Full.
  core::Expected<> add_vrf(const VrfSpec& spec);
  /// @return NotFound | Invalid: what is in it, or that it is the default one.
  core::Expected<> delete_vrf(const std::string& name);
  /// Why no VRF can have this name; empty: it can.
  [[nodiscard]] static std::string bad_vrf_name(const std::string& name);
  /// The default one first, then by id.
  [[nodiscard]] std::vector<VrfInfo> vrfs() const;
  /// @return its id | NotFound. An empty name is the default one's.
  [[nodiscard]] core::Expected<std::uint16_t> find_vrf(const std::string& name) const;
  /// Moves an interface with its addresses and neighbours. Static routes that lean on it go.
  /// @return NotFound | Exists: an address that somebody has there | Full. Nothing changed then.
  core::Expected<> set_vrf(const std::string& interface, const std::string& vrf);
  /// @return NotFound | Unsupported: it is a tunnel.
  core::Expected<> set_urpf(const std::string& interface, core::Interface::Urpf urpf);

  // Neighbours.
  core::Expected<> add_neighbor(const NeighborSpec& spec);  ///< permanent
  core::Expected<> delete_neighbor(const std::string& interface, const core::IpAddress& address);
  [[nodiscard]] std::vector<proto::NeighborInfo> neighbors() const;

  // IPsec.
  /// @return Exists (name) | Invalid (name, addresses, MTU) | Full.
  core::Expected<> create_tunnel(const crypto::TunnelSpec& spec);
  core::Expected<> destroy_tunnel(const std::string& name);
  core::Expected<> add_sa(const crypto::SaSpec& spec);
  /// @param spi  of an SA of `tunnel` in that direction.
  core::Expected<> delete_sa(const std::string& tunnel, crypto::Direction direction,
                             std::uint32_t spi);
  [[nodiscard]] std::vector<TunnelInfo> tunnels() const;
  [[nodiscard]] std::vector<SaTotals> sas() const;

  // The configuration as a whole (config_plan.hh): manager_config.cc.
  /// All that runs, in the file's words: what was asked for, names and order as they are now. SAs
  /// come without their keys, of the process's part there are the limits only.
  [[nodiscard]] Config configuration() const;
  /// Puts an interface's addresses into another order: the first of a subnet is the source.
  /// @param order  all of them, each once. @return NotFound | Invalid.
  core::Expected<> order_addresses(const std::string& name,
                                   const std::vector<proto::IpPrefix>& order);
  core::Expected<> set_selectors(const std::string& tunnel,
                                 const std::vector<crypto::Selector>& selectors);
  /// Takes an SA out of use so that it can be put back as it was, with its sequence number and its
  /// replay window, or forgotten. Until then it keeps its place in the table.
  core::Expected<crypto::SaId> park_sa(const std::string& tunnel, crypto::Direction direction,
                                       std::uint32_t spi);
  /// Puts it back, outbound as the newest. @return NotFound (tunnel) | Exists (SPI).
  core::Expected<> unpark_sa(crypto::SaId id, const std::string& tunnel,
                             crypto::Direction direction);
  void forget_parked_sa(crypto::SaId id);
  /// @param spis  all outbound ones of the tunnel; the last one is in use from now on.
  core::Expected<> order_outbound(const std::string& tunnel,
                                  const std::vector<std::uint32_t>& spis);
  [[nodiscard]] std::vector<std::uint32_t> outbound_spis(const std::string& tunnel) const;
  /// Remembers for configuration() which file each SA's key is in; those that are not there are
  /// passed over.
  void set_key_files(const std::vector<SaConfig>& sas);
  /// @param id  of an SA that is there (sas()). Compares without showing anything, in constant
  /// time.
  [[nodiscard]] bool sa_has_key(crypto::SaId id, const crypto::Secret& key) const;
  [[nodiscard]] core::Expected<crypto::Secret> sa_key(crypto::SaId id) const;
  /// As set_mtu(), but 0 is the default: the device's, or 1500 where that is not known; a VLAN's
  /// carrier's; a tunnel's. An interface that has that MTU already is left alone.
  core::Expected<> ask_mtu(const std::string& name, std::uint16_t mtu);

  // What needs no running manager; each request judges by it as well.
  /// Why no interface can have this address; empty: it can.
  /// @param loopback  of the driver "loop", which alone may have 127/8 and ::1.
  [[nodiscard]] static std::string bad_address(const proto::IpPrefix& address,
                                               bool loopback = false);
  static core::Expected<> check_next_hops(const RouteSpec& spec);
  /// @return Unsupported: there is no IPv6 in this build.
  static core::Expected<> check_autoconf(bool on);
  static core::Expected<> check_rtadv(const RtadvSpec& spec);
  /// Why no interface can join the group; empty: one can.
  [[nodiscard]] static std::string bad_group(const core::IpAddress& group);
  static core::Expected<> check_tunnel(const crypto::TunnelSpec& spec);
  /// @param options  all that the driver declares.
  static core::Expected<> check_vlan(const std::vector<pollux_option_value>& options);

  // Tunables. set() publishes at once.
  /// Every tunable with its first value.
  [[nodiscard]] static core::Sysctl default_sysctl();
  [[nodiscard]] const core::Sysctl& sysctl() const noexcept;
  core::Expected<> set_sysctl(const std::string& name, std::int64_t value);

  // Counters.
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] std::vector<std::pair<std::string, InterfaceTotals>> interface_totals() const;
  [[nodiscard]] std::vector<WorkerLoad> worker_load();
  [[nodiscard]] std::vector<UseAgainstLimit> usage() const;

  // Local delivery (proto/listener.hh).
  /// @param listener  outlives its place in the table: call stop_listening() first.
  /// @return Exists.
  core::Expected<> listen_udp(proto::Listener& listener, const proto::UdpEndpoint& at);
  void listen_raw(proto::Listener& listener, const proto::RawEndpoint& at);
  /// Takes it out of the table, waits for one grace period, and frees what nobody took.
  void stop_listening(proto::Listener& listener);
  /// Whether it is in 127/8 or ::1.
  [[nodiscard]] static bool is_loopback(const core::IpAddress& address);

  using PingDone = std::function<void(const core::Expected<PingReply>&)>;
  /// Sends one echo request or UDP datagram from the stack; `done` is called from poll() with what
  /// came back or, after `timeout_ms`, with Timeout.
  /// @return Invalid: source, link, size with "don't fragment" | NotFound: no route, interface |
  /// Full: too many outstanding, no buffers.
  core::Expected<> ping(const PingSpec& spec, PingDone done);

  // Watching packets. What is recorded is given to the sink from poll().
  /// @return as Observers::add_trace() and add_capture().
  core::Expected<ObserverId> start_trace(const TraceSpec& spec, TraceSink sink);
  core::Expected<ObserverId> start_capture(const CaptureSpec& spec, CaptureSink sink);
  /// Ends it in the next poll(), which gives what is left and calls the sink's end().
  void stop_observer(ObserverId id) noexcept;

  /// Takes the workers' events and runs timers: ARP requests, refresh, expiry, ping time-outs.
  /// @param now_us  the clock that the workers use.
  /// @return whether a worker had something to report.
  bool poll(std::uint64_t now_us);

  /// Unpublishes and closes every interface. Whether or not workers still run.
  void shutdown();

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
}  // namespace polluxd
