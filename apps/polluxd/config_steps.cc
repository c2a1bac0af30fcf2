// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_steps.hh"

#include <fmt/format.h>

#include <algorithm>

namespace polluxd {
namespace {
using core::Done;
using core::Expected;
using proto::IpPrefix;

Expected<> without_value(const Expected<std::string>& made) {
  if (!made) return made.error();
  return Done{};
}
std::vector<IpPrefix> addresses_of(const Manager& m, const std::string& name) {
  for (InterfaceInfo& i : m.interfaces())
    if (i.name == name) return std::move(i.addresses);
  return {};
}

/// A tunnel as it was, or nothing of it.
Expected<> make_tunnel(Manager& m, const TunnelConfig& t) {
  if (auto made = m.create_tunnel(t); !made) return made;
  Expected<> done = t.overlay_vrf.empty() ? Expected<>{Done{}} : m.set_vrf(t.name, t.overlay_vrf);
  for (const IpPrefix& a : t.addresses)
    if (done) done = m.add_address(t.name, a);
  if (done && !t.up) done = m.set_up(t.name, false);
  if (!done) (void)m.destroy_tunnel(t.name);
  return done;
}

/// All, or as it was before. @param field  Mtu::to or Mtu::from.
Expected<> set_all(Manager& m, const std::vector<ConfigSteps::Mtu>& mtus,
                   std::uint16_t ConfigSteps::Mtu::*field, std::uint16_t ConfigSteps::Mtu::*back) {
  for (std::size_t n = 0; n < mtus.size(); ++n) {
    auto set = m.ask_mtu(mtus[n].name, mtus[n].*field);
    if (set) continue;
    for (std::size_t i = 0; i < n; ++i) (void)m.ask_mtu(mtus[i].name, mtus[i].*back);
    return core::Error{set.error().code, fmt::format("{}: {}", mtus[n].name, set.error().context)};
  }
  return Done{};
}
}  // namespace

std::string sa_name(const SaConfig& sa) {
  return fmt::format("{} {} 0x{:08x}", sa.tunnel,
                     sa.direction == crypto::Direction::In ? "in" : "out", sa.spi);
}
std::string neighbor_name(const NeighborSpec& neighbor) {
  return fmt::format("{} {}", neighbor.interface, proto::to_string(neighbor.address));
}

void ConfigSteps::step(std::string what, Request request, Request inverse) {
  to_.push_back(
      {std::move(what), place_,
       [request = std::move(request), inverse = std::move(inverse)]() -> Expected<ConfigStepDone> {
         if (const auto done = request(); !done) return done.error();
         return ConfigStepDone{inverse, nullptr};
       }});
}

std::string route_name(const RouteSpec& route) {
  const std::string prefix = proto::to_string(route.prefix);
  return route.vrf.empty() ? prefix : fmt::format("{} vrf {}", prefix, route.vrf);
}

void ConfigSteps::add(const VrfSpec& vrf) {
  step(
      fmt::format("vrf {}", vrf.name), [=, &m = m_] { return m.add_vrf(vrf); },
      [=, &m = m_] { return m.delete_vrf(vrf.name); });
}
void ConfigSteps::remove(const VrfSpec& running) {
  step(
      fmt::format("vrf {}: delete", running.name),
      [=, &m = m_] { return m.delete_vrf(running.name); },
      [=, &m = m_] { return m.add_vrf(running); });
}

void ConfigSteps::create(const InterfaceSpec& spec) {
  step(
      fmt::format("interface {}", spec.name),
      [&m = m_, spec] { return without_value(m.create_interface(spec)); },
      [&m = m_, name = spec.name] { return m.destroy_interface(name); });
}
void ConfigSteps::destroy(const InterfaceSpec& running) {
  step(
      fmt::format("interface {}: destroy", running.name),
      [&m = m_, name = running.name] { return m.destroy_interface(name); },
      [&m = m_, running] { return without_value(m.create_interface(running)); });
}
void ConfigSteps::add_address(const std::string& name, IpPrefix address) {
  step(
      fmt::format("interface {}: address {}", name, proto::to_string(address)),
      [=, &m = m_] { return m.add_address(name, address); },
      [=, &m = m_] { return m.delete_address(name, address); });
}
void ConfigSteps::delete_address(const std::string& name, IpPrefix address) {
  const std::string what =
      fmt::format("interface {}: delete address {}", name, proto::to_string(address));
  to_.push_back({what, place_, [=, &m = m_]() -> Expected<ConfigStepDone> {
                   const auto before = addresses_of(m, name);
                   if (const auto done = m.delete_address(name, address); !done)
                     return done.error();
                   return ConfigStepDone{[=, &m]() -> Expected<> {
                                           if (auto back = m.add_address(name, address); !back)
                                             return back;
                                           return m.order_addresses(name, before);
                                         },
                                         nullptr};
                 }});
}
void ConfigSteps::order_addresses(const std::string& name, const std::vector<IpPrefix>& order) {
  to_.push_back(
      {fmt::format("interface {}: order of addresses", name), place_,
       [=, &m = m_]() -> Expected<ConfigStepDone> {
         const auto before = addresses_of(m, name);
         if (const auto done = m.order_addresses(name, order); !done) return done.error();
         return ConfigStepDone{[=, &m] { return m.order_addresses(name, before); }, nullptr};
       }});
}
void ConfigSteps::set_up(const std::string& name, bool up) {
  step(
      fmt::format("interface {}: {}", name, up ? "up" : "down"),
      [=, &m = m_] { return m.set_up(name, up); }, [=, &m = m_] { return m.set_up(name, !up); });
}
void ConfigSteps::set_promiscuous(const std::string& name, bool on) {
  step(
      fmt::format("interface {}: promiscuous", name),
      [=, &m = m_] { return m.set_promiscuous(name, on); },
      [=, &m = m_] { return m.set_promiscuous(name, !on); });
}
void ConfigSteps::set_software_rss(const std::string& name, bool on) {
  step(
      fmt::format("interface {}: rss", name), [=, &m = m_] { return m.set_software_rss(name, on); },
      [=, &m = m_] { return m.set_software_rss(name, !on); });
}
void ConfigSteps::set_urpf(const std::string& name, core::Interface::Urpf from,
                           core::Interface::Urpf to) {
  step(
      fmt::format("interface {}: urpf", name), [=, &m = m_] { return m.set_urpf(name, to); },
      [=, &m = m_] { return m.set_urpf(name, from); });
}
void ConfigSteps::set_autoconf(const std::string& name, bool on) {
  step(
      fmt::format("interface {}: autoconf", name),
      [=, &m = m_] { return m.set_autoconf(name, on); },
      [=, &m = m_] { return m.set_autoconf(name, !on); });
}
void ConfigSteps::set_group(const std::string& name, const core::IpAddress& group, bool joined) {
  const auto set = [=, &m = m_](bool join) {
    return join ? m.join_group(name, group) : m.leave_group(name, group);
  };
  step(
      fmt::format("interface {}: {} {}", name, joined ? "join" : "leave", proto::to_string(group)),
      [=] { return set(joined); }, [=] { return set(!joined); });
}
void ConfigSteps::set_rtadv(const std::string& name, const RtadvSpec& now, const RtadvSpec& then) {
  step(
      fmt::format("interface {}: rtadv", name), [=, &m = m_] { return m.set_rtadv(name, then); },
      [=, &m = m_] { return m.set_rtadv(name, now); });
}
void ConfigSteps::set_mtus(const std::vector<Mtu>& mtus) {
  if (mtus.empty()) return;
  step(
      "mtu", [=, &m = m_] { return set_all(m, mtus, &Mtu::to, &Mtu::from); },
      [=, &m = m_] { return set_all(m, mtus, &Mtu::from, &Mtu::to); });
}

void ConfigSteps::create(const TunnelConfig& spec) {
  step(
      fmt::format("tunnel {}", spec.name), [&m = m_, spec] { return make_tunnel(m, spec); },
      [&m = m_, name = spec.name] { return m.destroy_tunnel(name); });
}
void ConfigSteps::destroy(const TunnelConfig& running) {
  step(
      fmt::format("tunnel {}: destroy", running.name),
      [&m = m_, name = running.name] { return m.destroy_tunnel(name); },
      [&m = m_, running] { return make_tunnel(m, running); });
}
void ConfigSteps::set_selectors(const TunnelConfig& running,
                                const std::vector<crypto::Selector>& to) {
  step(
      fmt::format("tunnel {}: selectors", running.name),
      [=, &m = m_, name = running.name] { return m.set_selectors(name, to); },
      [&m = m_, name = running.name, from = running.selectors] {
        return m.set_selectors(name, from);
      });
}

void ConfigSteps::add(const SaConfig& wanted) {
  step(
      "sa " + sa_name(wanted), [&m = m_, &wanted] { return m.add_sa(wanted); },
      [&m = m_, tunnel = wanted.tunnel, direction = wanted.direction, spi = wanted.spi] {
        return m.delete_sa(tunnel, direction, spi);
      });
}
void ConfigSteps::remove(const SaConfig& running) {
  to_.push_back({fmt::format("sa {}: delete", sa_name(running)), place_,
                 [&m = m_, tunnel = running.tunnel, direction = running.direction,
                  spi = running.spi]() -> Expected<ConfigStepDone> {
                   const auto order = m.outbound_spis(tunnel);
                   const auto parked = m.park_sa(tunnel, direction, spi);
                   if (!parked) return parked.error();
                   return ConfigStepDone{[=, &m, id = *parked]() -> Expected<> {
                                           if (auto back = m.unpark_sa(id, tunnel, direction);
                                               !back)
                                             return back;
                                           return direction == crypto::Direction::Out
                                                      ? m.order_outbound(tunnel, order)
                                                      : Expected<>{Done{}};
                                         },
                                         [&m, id = *parked] { m.forget_parked_sa(id); }};
                 }});
}
void ConfigSteps::order_outbound(const std::string& tunnel, const std::vector<std::uint32_t>& to) {
  to_.push_back(
      {fmt::format("tunnel {}: order of outbound SAs", tunnel), place_,
       [=, &m = m_]() -> Expected<ConfigStepDone> {
         const auto before = m.outbound_spis(tunnel);
         if (const auto done = m.order_outbound(tunnel, to); !done) return done.error();
         return ConfigStepDone{[=, &m] { return m.order_outbound(tunnel, before); }, nullptr};
       }});
}

void ConfigSteps::add(const RouteSpec& route) {
  step(
      fmt::format("route {}", route_name(route)), [=, &m = m_] { return m.add_route(route); },
      [&m = m_, prefix = route.prefix, vrf = route.vrf] { return m.delete_route(prefix, vrf); });
}
void ConfigSteps::remove(const RouteSpec& route) {
  step(
      fmt::format("route {}: delete", route_name(route)),
      [&m = m_, prefix = route.prefix, vrf = route.vrf] { return m.delete_route(prefix, vrf); },
      [=, &m = m_] { return m.add_route(route); });
}

void ConfigSteps::add(const NeighborSpec& neighbor) {
  step(
      fmt::format("neighbor {}", neighbor_name(neighbor)),
      [=, &m = m_] { return m.add_neighbor(neighbor); },
      [=, &m = m_] { return m.delete_neighbor(neighbor.interface, neighbor.address); });
}
void ConfigSteps::replace(const NeighborSpec& running, const NeighborSpec& neighbor) {
  step(
      fmt::format("neighbor {}", neighbor_name(neighbor)),
      [=, &m = m_] { return m.add_neighbor(neighbor); },
      [=, &m = m_] { return m.add_neighbor(running); });
}
void ConfigSteps::remove(const NeighborSpec& neighbor) {
  step(
      fmt::format("neighbor {}: delete", neighbor_name(neighbor)),
      [=, &m = m_] { return m.delete_neighbor(neighbor.interface, neighbor.address); },
      [=, &m = m_] { return m.add_neighbor(neighbor); });
}

void ConfigSteps::set_sysctl(const std::string& name, std::int64_t from, std::int64_t to) {
  step(
      fmt::format("sysctl {}", name), [=, &m = m_] { return m.set_sysctl(name, to); },
      [=, &m = m_] { return m.set_sysctl(name, from); });
}

std::vector<std::string> ConfigUndo::undo() {
  std::vector<std::string> failed;
  for (; !taken_.empty(); taken_.pop_back()) {
    const Taken& last = taken_.back();
    if (const auto done = last.done.undo(); !done)
      failed.push_back(fmt::format("{}: {}", last.what, done.error().context));
  }
  return failed;
}

void ConfigUndo::keep() {
  for (const Taken& t : taken_)
    if (t.done.keep) t.done.keep();
  taken_.clear();
}
}  // namespace polluxd
