// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on an interface: when it speaks it, its link-local address, Neighbour Discovery's messages.
#include <algorithm>
#include <tuple>

#include "apps/polluxd/manager_impl.hh"
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

unsigned common_bits(const IpAddress& a, const IpAddress& b) noexcept {
  unsigned bits = 0;
  while (bits < 128 && ((a.bytes()[bits / 8] ^ b.bytes()[bits / 8]) << (bits % 8) & 0x80) == 0)
    ++bits;
  return bits;
}
}  // namespace

void add_inet6_sysctls(core::Sysctl& s) {
  s.add({"net.inet6.ip6.auto_linklocal",
         "link-local addresses made of the MAC; 0: none, 1: where an interface speaks IPv6, 2: on "
         "every interface",
         kNeverLinkLocal, kAlwaysLinkLocal, 1});
  s.add({"net.inet6.ip6.dad_count",
         "solicitations before an IPv6 address is used (duplicate address detection); 0: used at "
         "once",
         0, 10, 1});
  s.add({"net.inet.ip.dad_count",
         "ARP probes before an IPv4 address is used (RFC 5227), which takes 3 seconds and more; 0: "
         "used at once, announced and defended all the same",
         0, 10, 0});
  s.add({"net.inet6.ip6.accept_rtadv",
         "addresses and routes as routers say, on every interface, unless forwarding (0 or 1)", 0,
         1, 0});
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

/// What sysctl says of neighbours and of our part on each link, from the next publish() on.
void Manager::Impl::load_inet6() {
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

/// The interface has come up, or its link has: it may be another link, where others have our
/// addresses (RFC 4862 section 5.4, RFC 5227 section 2.1).
void Manager::Impl::link_is_up(core::InterfaceId id) {
  for (std::size_t n = 0; n < managed[id].addresses.size(); ++n) detect(id, n);
  update_inet6(id);
  memberships.link_up(id, now_us);
  if (discovery.running(id)) discovery.start(id, now_us);
  publish();
  link_changed(id);
}

/// Workers see IPv4 addresses once they are usable, IPv6's while they are tentative as well.
void Manager::Impl::publish_addresses() {
  for (core::InterfaceId id = 0; id < managed.size(); ++id) {
    const ManagedInterface& i = managed[id];
    master.ip4.addresses[id].clear();
    master.ip4.tentative[id].clear();
    master.ip6.addresses[id].clear();
    master.ip6.router[id] = is_router(id);
    master.ip6.hop_limits[id] = i.inet6_hop_limit;
    master.ip6.vrfs[id] = vrf_of(id);
    for (std::size_t n = 0; n < i.addresses.size(); ++n) {
      const bool usable = i.lives[n].usable();
      if (i.lives[n].state == AddressState::Duplicated) continue;
      if (!i.addresses[n].is_ip4())
        master.ip6.addresses[id].push_back({i.addresses[n], !usable});
      else if (usable)
        master.ip4.addresses[id].push_back(i.addresses[n].ip4());
      else
        master.ip4.tentative[id].push_back(i.addresses[n].ip4().address);
    }
  }
}

/// The address that packets to `dst` by that interface come from (RFC 6724 section 5, as far as
/// addresses of one interface differ): of the same scope, preferred, of the same subnet, nearest.
/// @return "::" where none can be used.
IpAddress Manager::Impl::choose_source(core::InterfaceId id, const IpAddress& dst) const {
  const ManagedInterface& i = managed[id];
  const IpAddress to = proto::unscoped(dst);
  std::optional<std::size_t> best;
  const auto rank = [&](std::size_t n) {
    const IpPrefix& a = i.addresses[n];
    const bool same_scope = proto::is_link_scoped(a.address) == proto::is_link_scoped(to);
    return std::tuple{same_scope, i.lives[n].state == AddressState::Preferred, a.contains(to),
                      a.is_ip4() ? 0 : common_bits(a.address, to)};
  };
  for (std::size_t n = 0; n < i.addresses.size(); ++n)
    if (i.addresses[n].is_ip4() == to.is_ip4() && i.lives[n].usable())
      if (!best || rank(n) > rank(*best)) best = n;
  return best ? i.addresses[*best].address : IpAddress{};
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
      return advertiser.solicited(e.interface, now_us);
    case core::EventKind::RouterAdvertised:
      if (link) neighbors.seen(seen, now_us, /*is_router=*/true);
      return router_advertised(e);
    case core::EventKind::PrefixAdvertised: return prefix_advertised(e);
    case core::EventKind::Redirected: return redirected(e);
    case core::EventKind::ListenerQueried: return listener_queried(e);
    default: return;
  }
}

/// Whether hosts with that address are on the link (RFC 4861 section 2.1).
bool Manager::Impl::on_link(core::InterfaceId id, const IpAddress& address) const {
  if (subnet_of(id, address)) return true;
  return std::ranges::any_of(on_link_prefixes, [&](const OnLinkPrefix& p) {
    return p.interface == id && p.prefix.contains(address);
  });
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
