// SPDX-License-Identifier: BSD-3-Clause
// Tunnels and their security associations.
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;
using proto::NextHopKind;

constexpr std::uint16_t kMinTunnelMtu = 68, kMaxTunnelMtu = 9000;
constexpr std::uint16_t kDefaultPathMtu = 1500;

std::uint16_t mtu_of(const crypto::TunnelSpec& spec) {
  return spec.mtu != 0 ? spec.mtu : crypto::tunnel_mtu(kDefaultPathMtu);
}
}  // namespace

core::Expected<std::uint16_t> Manager::Impl::find_tunnel(const std::string& name) const {
  for (std::size_t t = 0; t < tunnel_list.size(); ++t)
    if (tunnel_list[t].used && tunnel_list[t].spec.name == name)
      return static_cast<std::uint16_t>(t);
  return Error{Errc::NotFound, fmt::format("no tunnel {}", name)};
}

/// What our own packets into a tunnel come from: an address that the peer's policy lets through.
std::uint32_t Manager::Impl::tunnel_source(std::uint16_t tunnel) const {
  const core::InterfaceId id = master.ipsec.tunnels[tunnel].interface;
  std::uint32_t any = 0;
  for (const proto::IpPrefix& a : managed[id].addresses)
    if (a.is_ip4()) return a.address.ip4();
  for (core::InterfaceId other = 0; other < managed.size(); ++other)
    for (const proto::IpPrefix& a : managed[other].addresses) {
      if (!a.is_ip4() || vrf_of(other) != vrf_of(id)) continue;
      for (const crypto::Selector& s : tunnel_list[tunnel].spec.selectors)
        if (s.local.contains(a.address.ip4())) return a.address.ip4();
      if (any == 0) any = a.address.ip4();
    }
  return any;
}

/// Sources of tunnels follow the addresses, wherever those are.
void Manager::Impl::refresh_tunnels() {
  for (std::size_t t = 0; t < tunnel_list.size(); ++t) {
    if (!tunnel_list[t].used) continue;
    const auto index = static_cast<std::uint16_t>(t);
    const core::InterfaceId id = master.ipsec.tunnels[t].interface;
    const proto::NextHop& hop = next_hops[tunnel_list[t].next_hop];
    const std::uint32_t source = tunnel_source(index);
    if (hop.source == source && hop.mtu == master.interfaces[id].mtu) continue;
    next_hops.set(tunnel_list[t].next_hop, {.kind = NextHopKind::Tunnel,
                                            .interface = id,
                                            .mtu = master.interfaces[id].mtu,
                                            .tunnel = index,
                                            .source = source});
  }
}

core::Expected<> Manager::check_tunnel(const crypto::TunnelSpec& spec) {
  if (spec.local == 0 || spec.remote == 0 || spec.local == spec.remote)
    return Error{Errc::Invalid,
                 fmt::format("tunnel {}: local and remote must be two addresses", spec.name)};
  if (const auto mtu = mtu_of(spec); mtu < kMinTunnelMtu || mtu > kMaxTunnelMtu)
    return Error{Errc::Invalid, fmt::format("tunnel {}: MTU {}: expected {} to {} bytes", spec.name,
                                            mtu, kMinTunnelMtu, kMaxTunnelMtu)};
  return core::Done{};
}

core::Expected<> Manager::create_tunnel(const crypto::TunnelSpec& spec) {
  Impl& m = *impl_;
  const auto name = m.choose_name(spec.name, "ipsec");
  if (!name) return name.error();
  if (auto good = check_tunnel(spec); !good) return good;
  const auto underlay = m.find_vrf(spec.vrf);
  if (!underlay) return underlay.error();
  const std::uint16_t mtu = mtu_of(spec);
  const auto slot = m.free_slot();
  if (!slot) return slot.error();
  const auto at = std::find_if(m.tunnel_list.begin(), m.tunnel_list.end(),
                               [](const Impl::ManagedTunnel& t) { return !t.used; });
  if (at == m.tunnel_list.end())
    return Error{Errc::Full, fmt::format("tunnel table is full: {} tunnels (limits.tunnels)",
                                         m.limits.tunnels)};
  const auto index = static_cast<std::uint16_t>(at - m.tunnel_list.begin());
  if (auto made = m.make_base_next_hops(*slot); !made) return made;
  const auto nh = m.next_hops.allocate(
      {.kind = NextHopKind::Tunnel, .interface = *slot, .mtu = mtu, .tunnel = index});
  if (!nh) {
    m.next_hops.release(m.managed[*slot].local);
    m.next_hops.release(m.managed[*slot].broadcast);
    m.managed[*slot] = {};
    return Error{Errc::Full, fmt::format("next-hop table is full: {} entries (limits.next_hops)",
                                         m.next_hops.capacity())};
  }
  m.last_slot = *slot;
  m.managed[*slot].driver = "ipsec";
  Interface& i = m.master.interfaces[*slot];
  i.id = i.port_id = *slot;
  i.kind = Interface::Kind::Tunnel;
  i.up = true;
  m.managed[*slot].admin_up = true;
  i.mtu = mtu;
  i.name = *name;
  *at = {.used = true, .spec = spec, .next_hop = *nh, .outbound = {}};
  at->spec.name = *name;
  if (*underlay == 0) at->spec.vrf.clear();
  m.master.ipsec.tunnels[index] = {.interface = *slot,
                                   .outbound = crypto::kNoSa,
                                   .local = spec.local,
                                   .remote = spec.remote,
                                   .selectors = spec.selectors,
                                   .underlay = *underlay,
                                   .overlay = 0};
  m.publish();
  m.refresh_tunnels();
  return core::Done{};
}

core::Expected<> Manager::destroy_tunnel(const std::string& name) {
  const auto index = impl_->find_tunnel(name);
  if (!index) return index.error();
  impl_->remove_tunnel(*index);
  return core::Done{};
}

void Manager::Impl::remove_tunnel(std::uint16_t index) {
  const core::InterfaceId id = master.ipsec.tunnels[index].interface;
  const std::string name = tunnel_list[index].spec.name;
  const proto::NextHopId nh = tunnel_list[index].next_hop;
  leave_interface(id);
  remove_stranded_routes(id, /*all=*/true);
  while (!managed[id].addresses.empty()) remove_address(id, managed[id].addresses.size() - 1);

  master.ipsec.tunnels[index].outbound = crypto::kNoSa;
  publish();
  for (const crypto::SaInfo& sa : sas->list())
    if (sa.tunnel == name) (void)retire_sa(sa);
  tunnel_list[index] = {};
  master.ipsec.tunnels[index] = {};
  remove_interface(id);
  next_hops.release(nh);
}

core::Expected<> Manager::add_sa(const crypto::SaSpec& spec) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(spec.tunnel);
  if (!index) return index.error();
  const crypto::TunnelSpec& tunnel = m.tunnel_list[*index].spec;
  const bool out = spec.direction == crypto::Direction::Out;
  for (const crypto::SaInfo& sa : m.sas->list())
    if (out && sa.direction == spec.direction && sa.tunnel == spec.tunnel && sa.spi == spec.spi)
      return Error{Errc::Exists, fmt::format("tunnel {} has an outbound SA with SPI {:#x}",
                                             spec.tunnel, spec.spi)};
  const auto id = m.sas->add(spec, *index, out ? tunnel.local : tunnel.remote,
                             out ? tunnel.remote : tunnel.local);
  if (!id) return id.error();
  if (out) {
    m.tunnel_list[*index].outbound.push_back(*id);
    m.choose_outbound(*index);
  }
  return core::Done{};
}

/// The newest outbound SA is the one in use: adding one is a rekey.
void Manager::Impl::choose_outbound(std::uint16_t tunnel) {
  const auto& outbound = tunnel_list[tunnel].outbound;
  master.ipsec.tunnels[tunnel].outbound = outbound.empty() ? crypto::kNoSa : outbound.back();
  publish();
}

core::Expected<> Manager::delete_sa(const std::string& tunnel, crypto::Direction direction,
                                    std::uint32_t spi) {
  Impl& m = *impl_;
  const auto index = m.find_tunnel(tunnel);
  if (!index) return index.error();
  for (const crypto::SaInfo& sa : m.sas->list()) {
    if (sa.tunnel != tunnel || sa.direction != direction || sa.spi != spi) continue;
    if (direction == crypto::Direction::Out) {
      std::erase(m.tunnel_list[*index].outbound, sa.id);
      m.choose_outbound(*index);
    }
    return m.retire_sa(sa);
  }
  return Error{Errc::NotFound,
               fmt::format("tunnel {} has no {} SA with SPI {:#x}", tunnel,
                           direction == crypto::Direction::Out ? "outbound" : "inbound", spi)};
}

/// Removes an SA for good; whoever gets its id next starts counting from here.
core::Expected<> Manager::Impl::retire_sa(const crypto::SaInfo& sa) {
  auto removed = sas->remove(sa.id);
  if (!removed) return removed;
  key_files[sa.id].clear();
  sa_base[sa.id] = {};
  sa_base[sa.id] = count_sa(sa);
  return removed;
}

std::vector<TunnelInfo> Manager::tunnels() const {
  std::vector<TunnelInfo> all;
  const auto sas = impl_->sas->list();
  for (std::size_t t = 0; t < impl_->tunnel_list.size(); ++t) {
    if (!impl_->tunnel_list[t].used) continue;
    TunnelInfo info{.spec = impl_->tunnel_list[t].spec, .outbound_spi = std::nullopt};
    const crypto::Tunnel& published = impl_->master.ipsec.tunnels[t];
    info.spec.mtu = impl_->master.interfaces[published.interface].mtu;
    for (const crypto::SaInfo& sa : sas)
      if (sa.id == published.outbound) info.outbound_spi = sa.spi;
    all.push_back(std::move(info));
  }
  return all;
}

SaTotals Manager::Impl::count_sa(const crypto::SaInfo& info) const {
  SaTotals t;
  t.info = info;
  for (const Shard* s : env.shards) {
    const crypto::SaCounters& c = s->esp.sa[info.id];
    t.traffic.packets += c.traffic.packets.read();
    t.traffic.bytes += c.traffic.bytes.read();
    t.replayed += c.replayed.read();
    t.bad_icv += c.bad_icv.read();
    t.malformed += c.malformed.read();
    t.mismatched += c.mismatched.read();
  }
  const SaTotals& base = sa_base[info.id];
  t.traffic.packets -= base.traffic.packets;
  t.traffic.bytes -= base.traffic.bytes;
  t.replayed -= base.replayed;
  t.bad_icv -= base.bad_icv;
  t.malformed -= base.malformed;
  t.mismatched -= base.mismatched;
  return t;
}

std::vector<SaTotals> Manager::sas() const {
  std::vector<SaTotals> all;
  for (const crypto::SaInfo& info : impl_->sas->list()) all.push_back(impl_->count_sa(info));
  return all;
}
}  // namespace polluxd
