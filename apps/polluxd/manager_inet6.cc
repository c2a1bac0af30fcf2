// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on an interface: when it speaks it, its link-local address, Neighbour Discovery's messages.
#include "apps/polluxd/manager_inet6.hh"

#include <algorithm>
#include <stdexcept>

#include "core/log.hh"
#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/link_header.hh"
#include "proto/wire/nd.hh"

namespace polluxd {
namespace {
using core::Interface;
using core::IpAddress;
using proto::IpPrefix;
namespace nd = proto::nd;

/// Values of net.inet6.ip6.auto_linklocal.
constexpr std::int64_t kNeverLinkLocal = 0, kAlwaysLinkLocal = 2;
constexpr std::int64_t kSecond_us = 1'000'000;
}  // namespace

void add_inet6_sysctls(core::Sysctl& s) {
  s.add({"net.inet6.ip6.forwarding", "forward IPv6 packets between interfaces (0 or 1)", 0, 1, 0});
  s.add({"net.inet6.ip6.hlim",
         "hop limit of packets of our own, where no router of the link says another", 1, 255, 64});
  s.add({"net.inet6.ip6.hdrnestlimit", "extension headers that are read of a packet for us", 0, 50,
         8});
  s.add({"net.inet6.icmp6.errppslimit", "ICMPv6 errors a second and worker; 0 sends none", 0,
         1'000'000, 100});
  s.add({"net.inet6.udp6.do_loopback_cksum",
         "verify the UDP checksums of what we say to ourselves over IPv6 (0 or 1)", 0, 1, 0});
  const proto::ReassemblyLimits l;
  s.add({"net.inet6.ip6.maxfragpackets", "datagrams in fragments that a worker keeps; 0: none", 0,
         proto::Reassembler::kMaxDatagrams, l.ip6_datagrams});
  s.add({"net.inet6.ip6.ip6fragttl", "seconds that an IPv6 datagram waits for fragments", 1, 255,
         std::int64_t{l.ip6_ttl_us} / kSecond_us});
  s.add({"net.inet6.ip6.auto_linklocal",
         "link-local addresses made of the MAC; 0: none, 1: where an interface speaks IPv6, 2: on "
         "every interface",
         kNeverLinkLocal, kAlwaysLinkLocal, 1});
  s.add({"net.inet6.ip6.dad_count",
         "solicitations before an IPv6 address is used (duplicate address detection); 0: used at "
         "once",
         0, 10, 1});
  s.add({"net.inet6.ip6.accept_rtadv",
         "addresses and routes as routers say, on every interface, unless forwarding (0 or 1)", 0,
         1, 0});
  s.add({"net.inet6.ip6.redirect", "tell neighbours of better first hops (0 or 1, RFC 4861)", 0, 1,
         0});
  s.add({"net.inet6.icmp6.rediraccept", "follow redirects of routers, where we are none (0 or 1)",
         0, 1, 0});
  const proto::NeighborTable::DiscoveryTimers t;
  s.add({"net.inet6.icmp6.nd6_delay", "seconds for which a stale neighbour is used unasked", 1, 60,
         t.delay_s});
  s.add({"net.inet6.icmp6.nd6_mmaxtries", "solicitations to all for a neighbour", 1, 20,
         t.multicast_tries});
  s.add({"net.inet6.icmp6.nd6_umaxtries", "solicitations to a stale neighbour in use", 1, 20,
         t.unicast_tries});
  s.add({"net.inet6.icmp6.nd6_gctimer", "seconds after which an unused stale neighbour goes", 1,
         604'800, t.gc_s});
  s.add({"net.inet6.icmp6.nd6_down", "seconds for which a host that did not answer is not asked", 1,
         3600, t.down_s});
}

void Manager::Impl::make_inet6() {
  auto fib = proto::Fib6::create(env.fib_name.c_str(),
                                 {limits.routes6, limits.route_groups6, limits.next_hops}, env.rcu);
  if (!fib) throw std::runtime_error{fib.error().context};
  auto* made = new Inet6{
      .fib = *std::move(fib),
      .discovery =
          proto::RouterDiscovery{{.solicit = [this](auto id) { return solicit_routers(id); },
                                  .changed = [this] { inet6->routers_changed = true; }}},
      .advertiser = proto::RouterAdvertiser{
          {.send = [this](auto id, bool last) { return send_router_advertisement(id, last); }}}};
  inet6 = {made, [](Inet6* gone) { delete gone; }};
  routes.set_fib6(*inet6->fib);
  master.ip6.fib = inet6->fib.get();
}

/// What sysctl and routers say, for publish() to show.
void Manager::Impl::load_inet6() {
  proto::Ip6Sysctl& ip6 = master.ip6.sysctl;
  ip6.forwarding = sysctl.value("net.inet6.ip6.forwarding") != 0;
  ip6.hop_limit = static_cast<std::uint8_t>(sysctl.value("net.inet6.ip6.hlim"));
  ip6.redirect = sysctl.value("net.inet6.ip6.redirect") != 0;
  ip6.redirects = sysctl.value("net.inet6.icmp6.rediraccept") != 0;
  ip6.max_extensions = static_cast<std::uint8_t>(sysctl.value("net.inet6.ip6.hdrnestlimit"));
  ip6.icmp_errors_per_s = static_cast<std::uint32_t>(sysctl.value("net.inet6.icmp6.errppslimit"));
  master.ip6.loopback.udp6_checksum = sysctl.value("net.inet6.udp6.do_loopback_cksum") != 0;
  master.reassembly.ip6_datagrams =
      static_cast<std::uint16_t>(sysctl.value("net.inet6.ip6.maxfragpackets"));
  master.reassembly.ip6_ttl_us =
      static_cast<std::uint32_t>(sysctl.value("net.inet6.ip6.ip6fragttl") * kSecond_us);
}

std::uint32_t Manager::Impl::count_routes6() const {
  return inet6->fib->used();
}

void Manager::Impl::add_usage6(std::vector<UseAgainstLimit>& all) const {
  all.push_back({"routes6", inet6->fib->used(), limits.routes6});
  all.push_back({"route_groups6", inet6->fib->groups_used(), limits.route_groups6});
}

/// What sysctl says of neighbours.
void Manager::Impl::load_inet6_timers() {
  const auto number = [&](const char* name) {
    return static_cast<std::uint32_t>(sysctl.value(name));
  };
  neighbors.set_timers(proto::NeighborTable::DiscoveryTimers{
      .delay_s = number("net.inet6.icmp6.nd6_delay"),
      .multicast_tries = number("net.inet6.icmp6.nd6_mmaxtries"),
      .unicast_tries = number("net.inet6.icmp6.nd6_umaxtries"),
      .gc_s = number("net.inet6.icmp6.nd6_gctimer"),
      .down_s = number("net.inet6.icmp6.nd6_down")});
}

/// Whether IPv6 is spoken there: it has been given an address, or was told to find one.
bool Manager::Impl::speaks_inet6(core::InterfaceId id) const {
  if (!has_neighbors(id)) return false;
  if (sysctl.value("net.inet6.ip6.auto_linklocal") == kAlwaysLinkLocal) return true;
  const ManagedInterface& i = managed[id];
  if (is_autoconf(id) || i.spec.rtadv.enabled) return true;
  for (std::size_t n = 0; n < i.addresses.size(); ++n)
    if (!i.addresses[n].is_ip4() && !is_loopback(i.addresses[n].address) &&
        i.lives[n].origin != AddressOrigin::LinkLocal)
      return true;
  return false;
}

/// RFC 4861 section 6.2.2: IsRouter of the interface. One that listens to routers is a host's.
bool Manager::Impl::is_router(core::InterfaceId id) const {
  return sysctl.value("net.inet6.ip6.forwarding") != 0 && speaks_inet6(id) && !is_autoconf(id);
}

/// What follows by itself from an interface's addresses, its MAC and sysctl: its link-local
/// address, the groups that it listens to, and its part as a host or a router. For publish() to
/// show.
void Manager::Impl::update_inet6(core::InterfaceId id) {
  update_discovery(id);
  const ManagedInterface& i = managed[id];
  const bool wanted =
      speaks_inet6(id) && sysctl.value("net.inet6.ip6.auto_linklocal") != kNeverLinkLocal;
  const IpPrefix own{nd::link_local(master.interfaces[id].mac), 64};
  bool has = false;
  for (std::size_t n = i.addresses.size(); n-- > 0;) {
    if (!proto::is_link_local(i.addresses[n].address)) continue;
    const bool automatic = i.lives[n].origin == AddressOrigin::LinkLocal;
    if (automatic && (!wanted || has || i.addresses[n] != own))
      remove_address(id, n);
    else
      has = true;
  }
  if (wanted && !has)
    if (auto added = add_address(id, own, {.origin = AddressOrigin::LinkLocal}); !added)
      core::log::warning("{}: no link-local address: {}", name_of(id), added.error().context);
  if (auto joined = update_memberships(id); !joined)
    core::log::warning("{}: {}", name_of(id), joined.error().context);
  update_advertiser(id);
}

void Manager::Impl::link_is_up_inet6(core::InterfaceId id) {
  if (inet6->discovery.running(id)) inet6->discovery.start(id, now_us);
}

/// Before the interface goes.
void Manager::Impl::leave_inet6(core::InterfaceId id) {
  stop_advertising(id);
  leave_routers(id);
}

/// As link_changed(), for prefixes that are on the link without an address of ours.
void Manager::Impl::link_changed_inet6(core::InterfaceId id) {
  for (const Inet6::OnLinkPrefix& p : inet6->on_link_prefixes) {
    if (p.interface != id) continue;
    proto::NextHopFields glean = link_fields(id, p.prefix.address);
    glean.kind = proto::NextHopKind::Glean;
    next_hops.set(p.next_hop, glean);
  }
}

bool Manager::Impl::on_link_by_prefix(core::InterfaceId id, const IpAddress& address) const {
  return std::ranges::any_of(inet6->on_link_prefixes, [&](const Inet6::OnLinkPrefix& p) {
    return p.interface == id && p.prefix.contains(address);
  });
}

/// What time brings to routers, prefixes and what was made of them.
void Manager::Impl::run_inet6() {
  inet6->discovery.poll(now_us);
  inet6->advertiser.poll(now_us);
  expire_addresses();
  expire_redirects();
  watch_routers();
  if (std::exchange(inet6->routers_changed, false)) follow_routers();
}

void Manager::Impl::handle_discovery(const core::Event& e) {
  const bool link = on_link(e.interface, e.address);
  core::Event seen = e;
  seen.may_create = true;
  switch (e.kind) {
    case core::EventKind::NeighborAdvertised:
      if (link || neighbors.state(e.interface, e.address)) neighbors.advertised(e, now_us);
      return;
    case core::EventKind::RouterSolicited:
      if (link) neighbors.seen(seen, now_us, /*is_router=*/false);
      return inet6->advertiser.solicited(e.interface, now_us);
    case core::EventKind::RouterAdvertised:
      if (link) neighbors.seen(seen, now_us, /*is_router=*/true);
      return router_advertised(e);
    case core::EventKind::PrefixAdvertised: return prefix_advertised(e);
    case core::EventKind::Redirected: return redirected(e);
    default: return;
  }
}

/// A message of ours to one host or to a group.
/// @param room  bytes of message that `emit` may write; it says how many it has written.
void Manager::Impl::send_icmp6(core::InterfaceId id, const nd::PacketFields& ip,
                               const core::MacAddress& to, std::size_t room,
                               const std::function<std::size_t(proto::MutBytes)>& emit) {
  const Interface& out = master.interfaces[id];
  if (!has_neighbors(id) || !out.up) return;
  rte_mbuf* m = rte_pktmbuf_alloc(env.pool);
  if (m == nullptr) return;
  const std::size_t headers = nd::headers_length(ip);
  if (headers + room > core::tailroom(*m)) return rte_pktmbuf_free(m);
  core::grow_back(*m, static_cast<std::uint16_t>(headers + room));
  const std::size_t length = emit(core::front_bytes_mut(*m).subspan(headers));
  core::keep_front(*m, static_cast<std::uint16_t>(headers + length));
  nd::finish(ip, core::front_bytes_mut(*m));
  proto::push_link_header(*m, out, to, proto::kEtherTypeIp6);
  (void)hand_frame(id, m);
}

/// Asks for a neighbour (RFC 4861 section 7.2.2), or as nobody for an address that is to be ours
/// (RFC 4862 section 5.4.2). @param to  it alone; none: all that may have the address.
void Manager::Impl::send_solicitation(core::InterfaceId id, const IpAddress& source,
                                      const IpAddress& target,
                                      const std::optional<core::MacAddress>& to) {
  const IpAddress wire = proto::unscoped(target);
  const IpAddress group = nd::solicited_node(wire);
  const nd::NeighborSolicitation message{
      wire, source == IpAddress{} ? core::MacAddress{} : master.interfaces[id].mac};
  send_icmp6(id, {.src = source, .dst = to ? wire : group}, to.value_or(nd::group_mac(group)),
             nd::NeighborSolicitationView::kFixedLen + nd::Options::kMacLen,
             [&](proto::MutBytes out) { return nd::emit(message, out); });
}

/// Tells all hosts that the address is at our MAC (RFC 4861 section 7.2.6).
void Manager::Impl::send_advertisement(core::InterfaceId id, const IpAddress& address) {
  using View = nd::NeighborAdvertisementView;
  const std::uint8_t flags =
      static_cast<std::uint8_t>(View::kOverride | (is_router(id) ? View::kRouter : 0));
  const nd::NeighborAdvertisement message{flags, address, master.interfaces[id].mac};
  send_icmp6(id, {.src = address, .dst = nd::kAllNodes}, nd::group_mac(nd::kAllNodes),
             View::kFixedLen + nd::Options::kMacLen,
             [&](proto::MutBytes out) { return nd::emit(message, out); });
}
}  // namespace polluxd
