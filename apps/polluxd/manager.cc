// SPDX-License-Identifier: BSD-3-Clause
// The manager's life: tables, publishing, the workers' events, ARP and ping from the stack.
#include "apps/polluxd/manager.hh"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"
#include "core/log.hh"
#include "core/mbuf.hh"
#include "proto/link_header.hh"
#include "proto/wire/arp.hh"
#include "proto/wire/ip4.hh"

namespace polluxd {
namespace {
template <class T>
T or_throw(core::Expected<T> made) {
  if (!made) throw std::runtime_error{made.error().context};
  return *std::move(made);
}

constexpr std::uint64_t kSecond_us = 1'000'000;

void add_reassembly_sysctls(core::Sysctl& s) {
  using proto::Reassembler;
  const proto::ReassemblyLimits l;
  s.add({"net.inet.ip.maxfragpackets", "datagrams in fragments that a worker keeps; 0: none", 0,
         Reassembler::kMaxDatagrams, l.ip4_datagrams});
  s.add({"net.inet.ip.maxfrags",
         "fragments that a worker keeps, of both families; all workers together never more "
         "than a quarter of limits.mbufs",
         8, Reassembler::kMaxFragments, l.fragments});
  s.add({"net.inet.ip.maxfragsperpacket", "fragments of one datagram, IPv4 and IPv6", 2,
         Reassembler::kMaxPerDatagram, l.per_datagram});
  s.add({"net.inet.ip.ipfragttl", "seconds that an IPv4 datagram waits for fragments", 1, 255,
         std::int64_t{l.ip4_ttl_us} / 1'000'000});
}

/// Workers together keep at most a quarter of the buffers, whatever sysctl says: a flood of
/// fragments must leave enough for everything else.
proto::ReassemblyLimits reassembly_limits(const core::Sysctl& s, std::size_t buffers,
                                          std::size_t workers) {
  const auto small = [&](const char* name) { return static_cast<std::uint16_t>(s.value(name)); };
  const auto us = [&](const char* name) {
    return static_cast<std::uint32_t>(s.value(name) * std::int64_t{kSecond_us});
  };
  const std::size_t most = std::max<std::size_t>(8, buffers / (4 * workers));
  return {.ip4_datagrams = small("net.inet.ip.maxfragpackets"),
          .fragments = static_cast<std::uint16_t>(
              std::min<std::size_t>(small("net.inet.ip.maxfrags"), most)),
          .per_datagram = small("net.inet.ip.maxfragsperpacket"),
          .ip4_ttl_us = us("net.inet.ip.ipfragttl")};
}

void add_sysctls(core::Sysctl& s) {
  s.add({"net.inet.ip.forwarding", "forward packets between interfaces (0 or 1)", 0, 1, 0});
  s.add({"net.inet.ip.ttl", "TTL of packets of our own", 1, 255, 64});
  s.add({"net.inet.icmp.errppslimit", "ICMP errors a second and worker; 0 sends none", 0, 1'000'000,
         100});
  add_reassembly_sysctls(s);
  s.add({"net.inet.ip.accept_options", "take packets with IPv4 options in (0 or 1)", 0, 1, 1});
  s.add({"net.inet.ip.directed-broadcast",
         "forward broadcasts to subnets of ours (0 or 1, RFC 2644)", 0, 1, 0});
  s.add({"net.inet.ip.redirect", "tell hosts of better gateways (0 or 1, RFC 1812)", 0, 1, 0});
  s.add({"net.inet.ip.do_loopback_cksum",
         "verify the header checksums of what we say to ourselves (0 or 1)", 0, 1, 0});
  s.add({"net.inet.udp.do_loopback_cksum",
         "verify the UDP checksums of what we say to ourselves (0 or 1)", 0, 1, 0});
  s.add({"net.inet.ip.dad_count",
         "ARP probes before an IPv4 address is used (RFC 5227), which takes 3 seconds and more; 0: "
         "used at once, announced and defended all the same",
         0, 10, 0});
  add_inet6_sysctls(s);
  s.add({"net.inet.arp.keep", "seconds for which an ARP answer is good", 2, 86'400, 1200});
  s.add({"net.inet.arp.refresh", "seconds before the end at which a used entry is asked again", 1,
         3600, 30});
  s.add({"net.inet.arp.down", "seconds for which a host that did not answer is not asked", 1, 3600,
         20});
}
}  // namespace

Manager::Impl::Impl(const Limits& l, Env e, DriverRegistry& d)
    : limits{l},
      shards{e.shards.begin(), e.shards.end()},
      env{.rcu = e.rcu,
          .shards = shards,
          .cpus = std::move(e.cpus),
          .pool = e.pool,
          .fib_name = std::move(e.fib_name),
          .pool_near = std::move(e.pool_near),
          .pools = std::move(e.pools)},
      drivers{d},
      handoff{env.shards},
      next_hops{l.next_hops, env.rcu},
      groups{l.next_hop_groups},
      fib4{or_throw(proto::Fib4::create(env.fib_name.c_str(),
                                        {l.routes, l.route_groups, l.next_hops}, env.rcu))},
      fib_blocks{l.vrf_groups, env.rcu},
      routes{*fib4},
      vrfs(l.vrfs + 1),
      neighbors{
          {.next_hops = next_hops,
           .routes = [this](auto id) -> proto::RouteTable& { return routes_of(id); },
           .limit = l.neighbors,
           .link = [this](auto id, const auto& address) { return link_fields(id, address); },
           .request = [this](auto id, const auto& address, auto mac) { solicit(id, address, mac); },
           .packets = [this](auto id) { return next_hop_packets(id); },
           .no_router =
               [this](auto id, const auto& a) {
                 if constexpr (core::kInet6) no_router(id, a);
               }}},
      sas{or_throw(crypto::SaTable::create(l.sas, env.rcu))},
      managed(l.interfaces),
      tunnel_list(l.tunnels),
      sa_base(l.sas),
      key_files(l.sas),
      ping_listener{env.shards.size()},
      detection{{.probe = [this](auto id, const auto& address) { probe(id, address); },
                 .unique = [this](auto id, const auto& address) { address_unique(id, address); }}},
      memberships{{.report = [this](auto id, auto version,
                                    const auto& records) { report_groups(id, version, records); }}},
      load_base(env.shards.size()),
      observers{env.shards.size(), l.interfaces} {
  add_sysctls(sysctl);
  master.interfaces.resize(l.interfaces);
  master.rx_queues.resize(env.shards.size());
  master.ip4.fib = fib4.get();
  master.ip4.vrf_fibs.resize(vrfs.size());
  master.ip4.next_hops = &next_hops;
  master.ip4.groups = &groups;
  master.ip4.addresses.resize(l.interfaces);
  master.ip4.tentative.resize(l.interfaces);
  master.ip6.vrf_fibs.resize(vrfs.size());
  master.ip6.vrfs.resize(l.interfaces);
  master.ip6.next_hops = &next_hops;
  master.ip6.groups = &groups;
  master.ip6.addresses.resize(l.interfaces);
  master.ip6.router.resize(l.interfaces);
  master.ip6.hop_limits.resize(l.interfaces);
  master.ipsec.sas = sas.get();
  master.ipsec.tunnels.resize(l.tunnels);
  make_inet6();
  make_builtin_next_hops();
  (void)add_builtin_routes(routes);
  published = std::make_unique<core::Published<StackConfig>>(
      env.rcu, std::make_unique<const StackConfig>(master));
  load_timers();
}

Manager::Manager(const Limits& limits, Env env, DriverRegistry& drivers)
    : impl_{std::make_unique<Impl>(limits, std::move(env), drivers)} {}
Manager::~Manager() = default;

const core::Published<StackConfig>& Manager::published() const noexcept {
  return *impl_->published;
}

/// Every change of what is published goes through here: a copy, an exchange, one grace period.
void Manager::Impl::publish() {
  master.ip4.sysctl.forwarding = sysctl.value("net.inet.ip.forwarding") != 0;
  master.ip4.sysctl.ttl = static_cast<std::uint8_t>(sysctl.value("net.inet.ip.ttl"));
  master.ip4.sysctl.icmp_errors_per_s =
      static_cast<std::uint32_t>(sysctl.value("net.inet.icmp.errppslimit"));
  master.ip4.sysctl.accept_options = sysctl.value("net.inet.ip.accept_options") != 0;
  master.ip4.sysctl.redirect = sysctl.value("net.inet.ip.redirect") != 0;
  master.ip4.sysctl.directed_broadcast = sysctl.value("net.inet.ip.directed-broadcast") != 0;
  load_loopback();
  publish_addresses();
  ++link_version;
  master.reassembly = reassembly_limits(sysctl, limits.mbufs, env.shards.size());
  load_inet6();
  master.observation = observers.observation(master.interfaces);
  published->publish(std::make_unique<const StackConfig>(master));
}

core::Sysctl Manager::default_sysctl() {
  core::Sysctl tree;
  add_sysctls(tree);
  return tree;
}

void Manager::Impl::load_timers() {
  const auto seconds = [&](const char* name) {
    return static_cast<std::uint32_t>(sysctl.value(name));
  };
  neighbors.set_timers({.keep_s = seconds("net.inet.arp.keep"),
                        .refresh_s = seconds("net.inet.arp.refresh"),
                        .down_s = seconds("net.inet.arp.down")});
  load_inet6_timers();
}

const core::Sysctl& Manager::sysctl() const noexcept {
  return impl_->sysctl;
}

core::Expected<> Manager::set_sysctl(const std::string& name, std::int64_t value) {
  auto set = impl_->sysctl.set(name, value);
  if (!set) return set;
  impl_->load_timers();
  for (core::InterfaceId id = 0; id < impl_->managed.size(); ++id)
    if (impl_->has_neighbors(id)) impl_->update_inet6(id);
  impl_->publish();
  return set;
}

bool Manager::poll(std::uint64_t now_us) {
  Impl& m = *impl_;
  m.now_us = now_us;
  bool reported = false;
  for (Shard* shard : m.env.shards) {
    core::Event e;
    // Bounded, so that a flood of ARP cannot keep the manager from its requests and timers.
    for (int i = 0; i < 1024 && shard->worker.events.pop(e); ++i) {
      m.handle(e);
      reported = true;
    }
  }
  m.neighbors.poll(now_us);
  m.run_addresses();
  m.follow_changes();
  m.run_announcements();
  if (m.run_pings()) reported = true;
  m.poll_devices();
  if (m.observers.poll(now_us, [&m] { m.publish(); })) reported = true;
  return reported;
}

void Manager::Impl::handle(const core::Event& e) {
  if (e.interface != core::kNoInterface && !has_neighbors(e.interface))
    return;  // the interface went while the event was under way
  switch (e.kind) {
    case core::EventKind::NeighborWanted:
      if (on_link(e.interface, e.address) || neighbors.state(e.interface, e.address))
        neighbors.wanted(e, now_us);
      return;
    case core::EventKind::NeighborSeen:
      if (on_link(e.interface, e.address)) neighbors.seen(e, now_us);
      return;
    case core::EventKind::AddressConflict: return address_conflict(e);
    case core::EventKind::EchoReply: return;  // its listener has it
    case core::EventKind::NeighborAdvertised:
    case core::EventKind::RouterSolicited:
    case core::EventKind::RouterAdvertised:
    case core::EventKind::PrefixAdvertised:
    case core::EventKind::Redirected: return handle_discovery(e);
    case core::EventKind::ListenerQueried: return listener_queried(e);
  }
}

/// Tells the link which address is at our MAC, twice (RFC 5227 section 2.3).
void Manager::Impl::announce(core::InterfaceId id, const core::IpAddress& address) {
  announcements.push_back({id, address, 2, now_us});
}

void Manager::Impl::announce_once(core::InterfaceId id, const core::IpAddress& address) {
  if (address.is_ip4())
    send_arp(id, address.ip4(), address.ip4(), std::nullopt);
  else if constexpr (core::kInet6)
    send_advertisement(id, address);
}

/// Asks whether another host has an address that is to be ours.
void Manager::Impl::probe(core::InterfaceId id, const core::IpAddress& address) {
  if (address.is_ip4())
    send_arp(id, 0, address.ip4(), std::nullopt);  // RFC 5227 section 1.1
  else if constexpr (core::kInet6)
    send_solicitation(id, {}, address, std::nullopt);
}

/// Asks for a neighbour: `to` it alone, or all.
void Manager::Impl::solicit(core::InterfaceId id, const core::IpAddress& address,
                            const std::optional<core::MacAddress>& to) {
  const core::IpAddress source = choose_source(id, address);
  if (source == core::IpAddress{}) return;  // as nobody only an address of our own is asked for
  if (address.is_ip4())
    send_arp(id, source.ip4(), address.ip4(), to);
  else if constexpr (core::kInet6)
    send_solicitation(id, source, address, to);
}

void Manager::Impl::run_announcements() {
  std::erase_if(announcements, [&](Announcement& a) {
    if (now_us < a.next_us) return false;
    announce_once(a.interface, a.address);
    a.next_us = now_us + 2 * kSecond_us;
    return --a.left == 0;
  });
}

/// An ARP request from `sender`; target = sender makes it an announcement.
void Manager::Impl::send_arp(core::InterfaceId id, std::uint32_t sender, std::uint32_t target,
                             std::optional<core::MacAddress> to) {
  const core::Interface& out = master.interfaces[id];
  if (!has_neighbors(id) || !out.up) return;
  rte_mbuf* m = rte_pktmbuf_alloc(env.pool);
  if (m == nullptr) return;
  core::grow_back(*m, proto::ArpView::kLen);
  proto::emit(proto::ArpFields{.operation = proto::ArpView::kRequest,
                               .sender_mac = out.mac,
                               .sender_ip = sender,
                               .target_mac = {},
                               .target_ip = target},
              core::front_bytes_mut(*m));
  proto::push_link_header(*m, out, to.value_or(core::kBroadcastMac), proto::kEtherTypeArp);
  (void)hand_frame(id, m);
}

/// Gives a finished frame to the worker that sends for worker 0 on that interface.
bool Manager::Impl::hand_frame(core::InterfaceId id, rte_mbuf* m) {
  const std::uint16_t owner = master.interfaces[master.interfaces[id].port_id].tx_queues[0].owner;
  if (handoff.to_worker(owner, {m, id, core::HandedPacket::Kind::Frame})) return true;
  rte_pktmbuf_free(m);
  return false;
}

void Manager::shutdown() {
  for (core::InterfaceId id = 0; id < impl_->managed.size(); ++id) impl_->stop_advertising(id);
  for (const core::Interface& i : impl_->master.interfaces)
    if (i.kind == core::Interface::Kind::Ethernet) impl_->destroy(i.id);
}
}  // namespace polluxd
