// SPDX-License-Identifier: BSD-3-Clause
// As a host on a link with routers: addresses, on-link prefixes and the default route that they
// advertise, and redirects.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "apps/polluxd/manager_inet6.hh"
#include "apps/polluxd/manager_vrf.hh"
#include "core/log.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/nd.hh"

namespace polluxd {
namespace {
using core::IpAddress;
using proto::IpPrefix;
using proto::NextHopKind;
using proto::RouteOrigin;
using proto::RouterDiscovery;
namespace nd = proto::nd;

constexpr std::uint64_t kSecond_us = 1'000'000;
constexpr std::size_t kMaxRedirects = 256;
constexpr std::uint64_t kRedirectLifetime_us = 600 * kSecond_us;
constexpr std::uint32_t kMinMtu6 = 1280;  // RFC 8200 section 5
// What a router may ask of our timers: a forged advertisement can neither make us flood the link
// nor have us believe in neighbours for days.
constexpr std::uint32_t kMinRetrans_ms = 100, kMaxRetrans_ms = 60'000;
constexpr std::uint32_t kMinReachable_ms = 1000, kMaxReachable_ms = 3'600'000;

const IpPrefix& default_prefix() {
  static const IpPrefix any{IpAddress{}, 0};
  return any;
}
}  // namespace

/// Whether routers of the link tell us our addresses: asked for, or by sysctl, as long as we are
/// no router ourselves.
bool Manager::Impl::is_autoconf(core::InterfaceId id) const {
  if (!has_neighbors(id)) return false;
  const bool by_sysctl = sysctl.value("net.inet6.ip6.accept_rtadv") != 0 &&
                         sysctl.value("net.inet6.ip6.forwarding") == 0;
  return managed[id].spec.autoconf || by_sysctl;
}

core::Expected<> Manager::set_autoconf(const std::string& name, bool on) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  if (!impl_->has_neighbors(*id))
    return core::Error{core::Errc::Invalid, fmt::format("{} is no link with routers on it", name)};
  if (on && impl_->vrf_of(*id) != 0) return no_autoconf_in_vrf(name);
  impl_->managed[*id].spec.autoconf = on;
  impl_->update_inet6(*id);
  impl_->publish();
  impl_->link_changed(*id);
  return core::Done{};
}

/// A neighbour says that it is no router any more.
void Manager::Impl::no_router(core::InterfaceId id, const IpAddress& address) {
  inet6->discovery.no_router(id, address);
}

core::Expected<> Manager::check_autoconf(bool) {
  return core::Done{};
}

/// Begins to listen to routers, or stops, as is_autoconf() says.
void Manager::Impl::update_discovery(core::InterfaceId id) {
  const bool wanted = is_autoconf(id);
  if (wanted == inet6->discovery.running(id)) return;
  if (wanted)
    inet6->discovery.start(id, now_us);
  else
    leave_routers(id);
}

/// Forgets what routers of the link have said.
void Manager::Impl::leave_routers(core::InterfaceId id) {
  inet6->discovery.stop(id);
  managed[id].inet6_mtu = 0;
  managed[id].inet6_hop_limit = 0;
  neighbors.set_timers(id, proto::NeighborTable::LinkTimers{});
  for (std::size_t n = managed[id].addresses.size(); n-- > 0;)
    if (managed[id].lives[n].origin == AddressOrigin::Autoconf) remove_address(id, n);
  std::erase_if(inet6->redirects, [&](const auto& r) {
    if (r.second.interface != id) return false;
    remove_redirect(r.first);
    return true;
  });
  follow_routers();
}

/// RFC 4861 section 6.3.7.
bool Manager::Impl::solicit_routers(core::InterfaceId id) {
  const IpAddress source = choose_source(id, nd::kAllRouters);
  if (!proto::is_link_local(source)) return false;
  const nd::RouterSolicitation message{master.interfaces[id].mac};
  send_icmp6(id, {.src = source, .dst = nd::kAllRouters}, nd::group_mac(nd::kAllRouters),
             nd::RouterSolicitationView::kFixedLen + nd::Options::kMacLen,
             [&](proto::MutBytes out) { return nd::emit(message, out); });
  return true;
}

/// RFC 4861 section 6.3.4. Values of 0 say nothing.
void Manager::Impl::router_advertised(const core::Event& e) {
  if (!inet6->discovery.running(e.interface)) return;
  inet6->unreachable_routers.erase({e.interface, e.address});
  inet6->discovery.advertised(e, now_us);
  auto timers = neighbors.link_timers(e.interface);
  if (e.reachable_ms >= kMinReachable_ms && e.reachable_ms <= kMaxReachable_ms)
    timers.reachable_ms = e.reachable_ms;
  if (e.retrans_ms >= kMinRetrans_ms && e.retrans_ms <= kMaxRetrans_ms)
    timers.retrans_ms = e.retrans_ms;
  neighbors.set_timers(e.interface, timers);
  ManagedInterface& i = managed[e.interface];
  const bool good_mtu = e.mtu >= kMinMtu6 && e.mtu <= master.interfaces[e.interface].mtu;
  if (good_mtu && i.inet6_mtu != e.mtu) {
    i.inet6_mtu = static_cast<std::uint16_t>(e.mtu);
    link_changed(e.interface);
  }
  if (e.ttl != 0 && i.inet6_hop_limit != e.ttl) {
    i.inet6_hop_limit = e.ttl;
    changed_links.insert(e.interface);
  }
}

/// RFC 4862 section 5.5.3.
void Manager::Impl::prefix_advertised(const core::Event& e) {
  const core::InterfaceId id = e.interface;
  if (!inet6->discovery.running(id)) return;
  inet6->discovery.prefix_advertised(e, now_us);
  const bool usable = (e.flags & nd::PrefixInformation::kAutonomous) != 0 && e.length == 64 &&
                      e.preferred_s <= e.lifetime_s && bad_prefix(e.other).empty();
  if (!usable) return;
  const bool on_link = (e.flags & nd::PrefixInformation::kOnLink) != 0;
  const IpPrefix address{
      nd::with_eui64(IpPrefix{e.other, 64}.network().address, master.interfaces[id].mac),
      static_cast<std::uint8_t>(on_link ? 64 : 128)};
  AddressLife life{.state = AddressState::Tentative,
                   .origin = AddressOrigin::Autoconf,
                   .preferred_until_us = RouterDiscovery::after(now_us, e.preferred_s),
                   .valid_until_us = RouterDiscovery::after(now_us, e.lifetime_s)};
  if (const auto index = index_of(id, address.address)) {
    AddressLife& known = managed[id].lives[*index];
    if (known.origin != AddressOrigin::Autoconf) return;
    known.preferred_until_us = life.preferred_until_us;
    known.valid_until_us = RouterDiscovery::valid_until(now_us, known.valid_until_us, e.lifetime_s);
    inet6->next_life_us = 0;
    return;
  }
  if (e.lifetime_s == 0) return;
  if (auto added = add_address(id, address, life); !added)
    return core::log::warning("{}: {}", name_of(id), added.error().context);
  core::log::info("{}: {} from {}", name_of(id), proto::to_string(address),
                  proto::to_string(proto::unscoped(e.address)));
  tell(ManagerEvent::Kind::AddressAdded, name_of(id), proto::to_string(address));
  changed_links.insert(id);
}

/// Why no address is made of a prefix; empty: one can be.
std::string Manager::Impl::bad_prefix(const IpAddress& prefix) {
  if (proto::is_link_local(prefix)) return "is link-local";
  IpPrefix address{prefix, 64};
  address.address.bytes()[15] |= 1;  // not the subnet's own address
  return bad_address(address);
}

/// Lifetimes end.
void Manager::Impl::expire_addresses() {
  if (now_us < inet6->next_life_us) return;
  inet6->next_life_us = now_us + kSecond_us;
  for (core::InterfaceId id = 0; id < managed.size(); ++id)
    for (std::size_t n = managed[id].addresses.size(); n-- > 0;) {
      const AddressLife& life = managed[id].lives[n];
      const bool old = life.preferred_until_us <= now_us;
      if (life.valid_until_us <= now_us) {
        const std::string gone = proto::to_string(managed[id].addresses[n]);
        remove_address(id, n);
        tell(ManagerEvent::Kind::AddressDeleted, name_of(id), gone);
        changed_links.insert(id);
      } else if (life.usable() && old != (life.state == AddressState::Deprecated)) {
        set_address_state(id, n, old ? AddressState::Deprecated : AddressState::Preferred);
        changed_links.insert(id);
      }
    }
}

/// On-link prefixes without an address of ours have a route of their own, and the best router has
/// the default route.
void Manager::Impl::follow_routers() {
  std::erase_if(inet6->on_link_prefixes, [&](const Inet6::OnLinkPrefix& known) {
    const bool stays = std::ranges::any_of(inet6->discovery.prefixes(), [&](const auto& p) {
      return p.interface == known.interface && p.prefix == known.prefix && p.on_link;
    });
    if (stays) return false;
    (void)routes.remove(known.prefix, RouteOrigin::Advertised);
    next_hops.release(known.next_hop);
    return true;
  });
  for (const proto::AdvertisedPrefix& p : inet6->discovery.prefixes()) {
    const bool known =
        std::ranges::any_of(inet6->on_link_prefixes, [&](const Inet6::OnLinkPrefix& o) {
          return o.interface == p.interface && o.prefix == p.prefix;
        });
    if (!p.on_link || known || routes.find(p.prefix, RouteOrigin::Advertised) != nullptr) continue;
    proto::NextHopFields glean = link_fields(p.interface, p.prefix.address);
    glean.kind = NextHopKind::Glean;
    const auto nh = next_hops.allocate(glean);
    if (!nh) continue;
    if (routes.add(p.prefix, RouteOrigin::Advertised, {*nh, p.interface, std::nullopt}))
      inet6->on_link_prefixes.push_back({p.interface, p.prefix, *nh});
    else
      next_hops.release(*nh);
  }
  choose_default_router();
}

/// RFC 4861 section 6.3.6: one that is reachable, or may be; of these by preference (RFC 4191).
void Manager::Impl::choose_default_router() {
  const auto rank = [&](const proto::DefaultRouter& r) {
    const bool current = inet6->default_router == std::pair{r.interface, r.address};
    return std::tuple{!inet6->unreachable_routers.contains({r.interface, r.address}), r.preference,
                      current};
  };
  const proto::DefaultRouter* best = nullptr;
  for (const proto::DefaultRouter& r : inet6->discovery.routers())
    if (best == nullptr || rank(r) > rank(*best)) best = &r;
  const auto wanted =
      best == nullptr ? std::nullopt : std::optional{std::pair{best->interface, best->address}};
  if (wanted == inet6->default_router) return;
  if (std::exchange(inet6->default_router, std::nullopt))
    if (const auto gone = routes.remove(default_prefix(), RouteOrigin::Advertised)) let_go(*gone);
  if (!wanted) return;
  const auto nh = neighbors.use(wanted->first, wanted->second);
  if (!nh) return;
  const proto::Route route{*nh, wanted->first, wanted->second};
  if (routes.add(default_prefix(), RouteOrigin::Advertised, route))
    inet6->default_router = wanted;
  else
    let_go(route);
}

/// Routers that do not answer give way to others until they are heard of again.
void Manager::Impl::watch_routers() {
  if (inet6->discovery.routers().empty() || now_us < inet6->next_router_look_us) return;
  inet6->next_router_look_us = now_us + kSecond_us;
  for (const proto::DefaultRouter& r : inet6->discovery.routers()) {
    const auto state = neighbors.state(r.interface, r.address);
    if (state == proto::NeighborState::Failed)
      inet6->unreachable_routers.insert({r.interface, r.address});
    else if (state == proto::NeighborState::Reachable)
      inet6->unreachable_routers.erase({r.interface, r.address});
  }
  choose_default_router();
}

/// RFC 4861 section 8.3. That it came from the first hop is for its reader on the worker.
void Manager::Impl::redirected(const core::Event& e) {
  const core::InterfaceId id = e.interface;
  const IpAddress target = e.address, destination = e.other;
  if (vrf_of(id) != 0) return;  // such routes are the default VRF's
  if (is_router(id) || is_ours(target) || is_ours(destination)) return;
  if (const auto at = inet6->redirects.find(destination); at != inet6->redirects.end()) {
    remove_redirect(at->first);
    inet6->redirects.erase(at);
  }
  if (inet6->redirects.size() >= kMaxRedirects) return;
  core::Event seen = e;
  seen.may_create = true;
  const bool to_router = target != destination;
  neighbors.seen(seen, now_us, to_router ? std::optional{true} : std::nullopt);
  const auto nh = neighbors.use(id, target);
  if (!nh) return;
  const proto::Route route{*nh, id, target};
  if (routes.add(IpPrefix::host(destination), RouteOrigin::Advertised, route))
    inet6->redirects[destination] = {id, now_us + kRedirectLifetime_us};
  else
    let_go(route);
}

void Manager::Impl::remove_redirect(const IpAddress& destination) {
  if (const auto gone = routes.remove(IpPrefix::host(destination), RouteOrigin::Advertised))
    let_go(*gone);
}

void Manager::Impl::expire_redirects() {
  std::erase_if(inet6->redirects, [&](const auto& r) {
    if (now_us < r.second.until_us) return false;
    remove_redirect(r.first);
    return true;
  });
}

std::vector<RouterInfo> Manager::default_routers() const {
  const Impl& m = *impl_;
  std::vector<RouterInfo> all;
  using View = nd::RouterAdvertisementView;
  for (const proto::DefaultRouter& r : m.inet6->discovery.routers())
    all.push_back(
        {.interface = m.name_of(r.interface),
         .address = proto::unscoped(r.address),
         .preference = r.preference,
         .managed = (r.flags & View::kManaged) != 0,
         .other = (r.flags & View::kOther) != 0,
         .lifetime_s = r.until_us > m.now_us ? (r.until_us - m.now_us) / kSecond_us : 0,
         .state = m.neighbors.state(r.interface, r.address).value_or(proto::NeighborState::Idle),
         .used = m.inet6->default_router == std::pair{r.interface, r.address}});
  return all;
}

std::vector<PrefixInfo> Manager::advertised_prefixes() const {
  const Impl& m = *impl_;
  std::vector<PrefixInfo> all;
  const auto left_s = [&](std::uint64_t until_us) -> std::optional<std::uint64_t> {
    if (until_us == proto::AdvertisedPrefix::kForEver) return std::nullopt;
    return until_us > m.now_us ? (until_us - m.now_us) / kSecond_us : 0;
  };
  for (const proto::AdvertisedPrefix& p : m.inet6->discovery.prefixes())
    all.push_back({.interface = m.name_of(p.interface),
                   .prefix = p.prefix,
                   .on_link = p.on_link,
                   .autonomous = p.autonomous,
                   .router = proto::unscoped(p.router),
                   .preferred_s = left_s(p.preferred_until_us),
                   .valid_s = left_s(p.valid_until_us)});
  return all;
}
}  // namespace polluxd
