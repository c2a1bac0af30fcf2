// SPDX-License-Identifier: BSD-3-Clause
// What the configuration as a whole needs beside the single requests: the running state in the
// file's words, and changes that leave what stays alone.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "apps/polluxd/manager_impl.hh"
#include "crypto/sa_slot.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;
using proto::NextHopKind;
using proto::RouteOrigin;

constexpr std::uint16_t kEthernetMtu = 1500;

RouteSpec::Kind kind_of(NextHopKind kind) {
  switch (kind) {
    case NextHopKind::Blackhole: return RouteSpec::Kind::Blackhole;
    case NextHopKind::Prohibited: return RouteSpec::Kind::Prohibit;
    case NextHopKind::NoRoute: return RouteSpec::Kind::Unreachable;
    case NextHopKind::Local: return RouteSpec::Kind::Local;
    default: return RouteSpec::Kind::Unicast;
  }
}

/// A route as it was asked for.
RouteSpec spec_of(const RouteListing& r, const std::string& interface, bool tunnel) {
  RouteSpec spec{.prefix = r.prefix,
                 .kind = kind_of(r.kind),
                 .gateway = tunnel ? std::nullopt : r.gateway,
                 .interface = interface,
                 .next_hops = {},
                 .recursive = r.recursive,
                 .vrf = r.vrf};
  for (const NextHopInfo& n : r.next_hops) spec.next_hops.push_back(n.hop);
  if (spec.next_hops.size() == 1) {
    spec.gateway = spec.next_hops.front().gateway;
    spec.interface = spec.next_hops.front().interface;
    spec.next_hops.clear();
  }
  return spec;
}
}  // namespace

std::vector<InterfaceSpec> Manager::Impl::interface_specs() const {
  std::vector<InterfaceSpec> all;
  for (const Interface& i : master.interfaces) {
    if (i.kind != Interface::Kind::Ethernet && i.kind != Interface::Kind::Vlan) continue;
    InterfaceSpec spec = managed[i.id].spec;
    if (spec.driver.find('/') == std::string::npos) spec.driver = managed[i.id].driver;
    spec.name = i.name;
    spec.addresses = asked_addresses(i.id);
    spec.groups.assign(managed[i.id].asked_groups.begin(), managed[i.id].asked_groups.end());
    all.push_back(std::move(spec));
  }
  std::ranges::sort(all, {}, &InterfaceSpec::name);
  return all;
}

std::vector<TunnelConfig> Manager::Impl::tunnel_configs() const {
  std::vector<TunnelConfig> all;
  for (std::size_t t = 0; t < tunnel_list.size(); ++t) {
    if (!tunnel_list[t].used) continue;
    TunnelConfig config{tunnel_list[t].spec, {}, true};
    const core::InterfaceId id = master.ipsec.tunnels[t].interface;
    if (managed[id].spec.mtu != 0) config.mtu = managed[id].spec.mtu;  // set since
    config.addresses = asked_addresses(id);
    config.up = master.interfaces[id].up;
    if (vrf_of(id) != 0) config.overlay_vrf = vrf_name(vrf_of(id));
    all.push_back(std::move(config));
  }
  std::ranges::sort(all, {}, &TunnelConfig::name);
  return all;
}

/// By tunnel; inbound ones by SPI, then outbound ones, oldest first.
std::vector<SaConfig> Manager::Impl::sa_configs() const {
  std::vector<SaConfig> all;
  std::map<crypto::SaId, std::size_t> age;
  for (const ManagedTunnel& t : tunnel_list)
    for (std::size_t n = 0; n < t.outbound.size(); ++n) age[t.outbound[n]] = n;
  std::vector<crypto::SaInfo> infos = sas->list();
  std::ranges::sort(infos, [&](const crypto::SaInfo& a, const crypto::SaInfo& b) {
    const auto order = [&](const crypto::SaInfo& i) {
      const bool out = i.direction == crypto::Direction::Out;
      return std::tuple{i.tunnel, out, out ? age[i.id] : i.spi};
    };
    return order(a) < order(b);
  });
  for (const crypto::SaInfo& i : infos) {
    SaConfig config;
    config.tunnel = i.tunnel;
    config.direction = i.direction;
    config.spi = i.spi;
    config.algorithm = i.algorithm;
    config.replay_window = i.replay_window;
    config.key_file = key_files[i.id];
    all.push_back(std::move(config));
  }
  return all;
}

Config Manager::configuration() const {
  const Impl& m = *impl_;
  Config config;
  config.limits = m.limits;
  for (const VrfInfo& v : vrfs())
    if (v.spec.id != 0) config.vrfs.push_back(v.spec);
  config.interfaces = m.interface_specs();
  config.tunnels = m.tunnel_configs();
  config.sas = m.sa_configs();
  for (const RouteListing& r : routes())
    if (r.origin == RouteOrigin::Static)
      config.routes.push_back(
          spec_of(r, m.name_of(r.interface),
                  r.interface != core::kNoInterface && m.is_tunnel(r.interface)));
  for (const proto::NeighborInfo& n : neighbors())
    if (n.state == proto::NeighborState::Permanent)
      config.neighbors.push_back({m.name_of(n.interface), n.address, n.mac});
  std::ranges::sort(config.neighbors, [](const NeighborSpec& a, const NeighborSpec& b) {
    return std::tie(a.interface, a.address) < std::tie(b.interface, b.address);
  });
  for (const core::SysctlNode& node : sysctl().list())
    if (node.value != node.initial) config.sysctls.emplace_back(node.name, node.value);
  return config;
}

/// Addresses that came by themselves come by themselves again.
std::vector<proto::IpPrefix> Manager::Impl::asked_addresses(core::InterfaceId id) const {
  InterfaceInfo info;
  describe_addresses(id, info);
  return std::move(info.addresses);
}

/// @pre `order` has the addresses that were asked for, each once; the others stay behind them.
core::Expected<> Manager::order_addresses(const std::string& name,
                                          const std::vector<proto::IpPrefix>& order) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  Impl::ManagedInterface& i = m.managed[*id];
  std::vector<proto::IpPrefix> addresses = order;
  const std::vector<proto::IpPrefix> asked = m.asked_addresses(*id);
  for (const proto::IpPrefix& a : order)
    if (std::ranges::find(asked, a) == asked.end())
      return Error{Errc::NotFound, fmt::format("{} has no address {}", name, proto::to_string(a))};
  if (order.size() != asked.size())
    return Error{Errc::Invalid, fmt::format("{} has {} addresses, the order has {}", name,
                                            asked.size(), order.size())};
  for (const proto::IpPrefix& a : i.addresses)
    if (std::ranges::find(asked, a) == asked.end()) addresses.push_back(a);
  std::vector<proto::NextHopId> connected;
  std::vector<AddressLife> lives;
  for (const proto::IpPrefix& a : addresses) {
    const auto at =
        static_cast<std::size_t>(std::ranges::find(i.addresses, a) - i.addresses.begin());
    connected.push_back(i.connected[at]);
    lives.push_back(i.lives[at]);
  }
  i.addresses = std::move(addresses);
  i.connected = std::move(connected);
  i.lives = std::move(lives);
  m.publish();
  m.link_changed(*id);
  return core::Done{};
}

core::Expected<> Manager::set_selectors(const std::string& tunnel,
                                        const std::vector<crypto::Selector>& selectors) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(tunnel);
  if (!index) return index.error();
  m.tunnel_list[*index].spec.selectors = selectors;
  m.master.ipsec.tunnels[*index].selectors = selectors;
  m.publish();
  m.refresh_tunnels();
  return core::Done{};
}

core::Expected<crypto::SaInfo> Manager::Impl::find_sa(const std::string& tunnel,
                                                      crypto::Direction direction,
                                                      std::uint32_t spi) const {
  for (const crypto::SaInfo& sa : sas->list())
    if (sa.tunnel == tunnel && sa.direction == direction && sa.spi == spi) return sa;
  return Error{Errc::NotFound,
               fmt::format("tunnel {} has no {} SA with SPI {:#x}", tunnel,
                           direction == crypto::Direction::Out ? "outbound" : "inbound", spi)};
}

core::Expected<crypto::SaId> Manager::park_sa(const std::string& tunnel,
                                              crypto::Direction direction, std::uint32_t spi) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(tunnel);
  if (!index) return index.error();
  const auto sa = m.find_sa(tunnel, direction, spi);
  if (!sa) return sa.error();
  if (direction == crypto::Direction::Out) {
    std::erase(m.tunnel_list[*index].outbound, sa->id);
    m.choose_outbound(*index);
  }
  if (auto parked = m.sas->park(sa->id); !parked) return parked.error();
  return sa->id;
}

core::Expected<> Manager::unpark_sa(crypto::SaId id, const std::string& tunnel,
                                    crypto::Direction direction) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(tunnel);
  if (!index) return index.error();
  const crypto::TunnelSpec& spec = m.tunnel_list[*index].spec;
  const bool out = direction == crypto::Direction::Out;
  if (auto done =
          m.sas->unpark(id, *index, out ? spec.local : spec.remote, out ? spec.remote : spec.local);
      !done)
    return done;
  if (out) {
    m.tunnel_list[*index].outbound.push_back(id);
    m.choose_outbound(*index);
  }
  return core::Done{};
}

void Manager::forget_parked_sa(crypto::SaId id) {
  crypto::SaInfo info;
  info.id = id;
  (void)impl_->retire_sa(info);
}

core::Expected<> Manager::order_outbound(const std::string& tunnel,
                                         const std::vector<std::uint32_t>& spis) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(tunnel);
  if (!index) return index.error();
  std::vector<crypto::SaId> order;
  for (const std::uint32_t spi : spis) {
    const auto sa = m.find_sa(tunnel, crypto::Direction::Out, spi);
    if (!sa) return sa.error();
    order.push_back(sa->id);
  }
  if (order.size() != m.tunnel_list[*index].outbound.size())
    return Error{Errc::Invalid,
                 fmt::format("tunnel {} has {} outbound SAs, the order has {}", tunnel,
                             m.tunnel_list[*index].outbound.size(), order.size())};
  m.tunnel_list[*index].outbound = std::move(order);
  m.choose_outbound(*index);
  return core::Done{};
}

std::vector<std::uint32_t> Manager::outbound_spis(const std::string& tunnel) const {
  std::vector<std::uint32_t> spis;
  if (const auto index = impl_->find_tunnel(tunnel))
    for (const crypto::SaId id : impl_->tunnel_list[*index].outbound)
      spis.push_back((*impl_->sas)[id].spi);
  return spis;
}

void Manager::set_key_files(const std::vector<SaConfig>& sas) {
  std::map<std::tuple<std::string, crypto::Direction, std::uint32_t>, crypto::SaId> ids;
  for (const crypto::SaInfo& i : impl_->sas->list()) ids[{i.tunnel, i.direction, i.spi}] = i.id;
  for (const SaConfig& sa : sas)
    if (const auto at = ids.find({sa.tunnel, sa.direction, sa.spi}); at != ids.end())
      impl_->key_files[at->second] = sa.key_file;
}

bool Manager::sa_has_key(crypto::SaId id, const crypto::Secret& key) const {
  return impl_->sas->has_key(id, key);
}

core::Expected<crypto::Secret> Manager::sa_key(crypto::SaId id) const {
  return impl_->sas->key(id);
}

std::uint16_t Manager::Impl::default_mtu(core::InterfaceId id) const {
  if (is_tunnel(id)) return crypto::tunnel_mtu(kEthernetMtu);
  if (master.interfaces[id].kind == Interface::Kind::Vlan)
    return master.interfaces[managed[id].parent].mtu;
  return managed[id].device_mtu != 0 ? managed[id].device_mtu : kEthernetMtu;
}

core::Expected<> Manager::ask_mtu(const std::string& name, std::uint16_t mtu) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  const std::uint16_t wanted = mtu != 0 ? mtu : m.default_mtu(*id);
  if (m.master.interfaces[*id].mtu != wanted)
    if (auto set = set_mtu(name, wanted); !set) return set;
  m.managed[*id].spec.mtu = mtu;
  if (m.is_tunnel(*id)) {
    m.managed[*id].spec.mtu = 0;
    m.tunnel_list[*m.find_tunnel(name)].spec.mtu = mtu;
  }
  return core::Done{};
}
}  // namespace polluxd
