// SPDX-License-Identifier: BSD-3-Clause
// What stays and changes; texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/polluxd/config_planner.hh"
#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
using proto::IpPrefix;

void append(std::string& text, std::string_view part) {
  if (part.empty()) return;
  if (!text.empty()) text += ", ";
  text += part;
}
void append_switch(std::string& text, bool now, bool then, std::string_view off,
                   std::string_view on) {
  if (now != then) append(text, fmt::format("{} -> {}", now ? on : off, then ? on : off));
}
std::string join(const std::vector<IpPrefix>& addresses) {
  std::vector<std::string> texts;
  for (const IpPrefix& a : addresses) texts.push_back(proto::to_string(a));
  return fmt::format("{}", fmt::join(texts, " "));
}
std::string join(const std::vector<crypto::Selector>& selectors) {
  std::vector<std::string> texts;
  for (const crypto::Selector& s : selectors)
    texts.push_back(fmt::format("{} to {}", proto::to_string(s.local), proto::to_string(s.remote)));
  return texts.empty() ? "any" : fmt::format("{}", fmt::join(texts, "; "));
}
bool same_selectors(const std::vector<crypto::Selector>& a,
                    const std::vector<crypto::Selector>& b) {
  return std::ranges::equal(a, b, [](const crypto::Selector& x, const crypto::Selector& y) {
    return x.local == y.local && x.remote == y.remote;
  });
}
std::string options_text(const InterfaceSpec& spec) {
  std::string text = spec.driver;
  for (const auto& [name, value] : spec.options) text += fmt::format(" {}={}", name, value);
  return text;
}
}  // namespace

std::string describe_mtu(std::uint16_t mtu) {
  return mtu == 0 ? "default" : std::to_string(mtu);
}

std::string describe(const InterfaceSpec& spec) {
  std::string text = options_text(spec);
  append(text, join(spec.addresses));
  if (spec.mtu != 0) append(text, fmt::format("mtu {}", spec.mtu));
  if (!spec.up) append(text, "down");
  if (spec.promiscuous) append(text, "promiscuous");
  if (!spec.software_rss) append(text, "rss off");
  if (!spec.vrf.empty()) append(text, "vrf " + spec.vrf);
  if (spec.urpf != core::Interface::Urpf::Off)
    append(text, fmt::format("urpf {}", to_string(spec.urpf)));
  for (const core::IpAddress& g : spec.groups) append(text, "group " + proto::to_string(g));
  if (spec.autoconf) append(text, "autoconf");
  if (spec.rtadv.enabled) append(text, "rtadv");
  return text;
}

std::string describe(const TunnelConfig& spec) {
  std::string text =
      fmt::format("{} to {}", proto::to_string(spec.local), proto::to_string(spec.remote));
  append(text, join(spec.addresses));
  if (spec.mtu != 0) append(text, fmt::format("mtu {}", spec.mtu));
  if (!spec.selectors.empty()) append(text, "selectors " + join(spec.selectors));
  if (!spec.vrf.empty()) append(text, "vrf " + spec.vrf);
  if (!spec.overlay_vrf.empty()) append(text, "overlay vrf " + spec.overlay_vrf);
  if (!spec.up) append(text, "down");
  return text;
}

std::string describe(const RouteSpec& route) {
  if (route.kind != RouteSpec::Kind::Unicast) return std::string{to_string(route.kind)};
  const auto hop = [](const auto& gateway, const std::string& interface) {
    std::string text = gateway ? "via " + proto::to_string(*gateway) : "";
    if (!interface.empty()) text += (text.empty() ? "interface " : " interface ") + interface;
    return text;
  };
  std::string text = route.recursive ? "recursive " : "";
  if (route.next_hops.empty()) return text + hop(route.gateway, route.interface);
  for (const RouteNextHop& h : route.next_hops)
    text += fmt::format("{}nexthop {} weight {}", &h == &route.next_hops.front() ? "" : " ",
                        hop(h.gateway, h.interface), h.weight);
  return text;
}

void ConfigPlanner::change_faces() {
  for (std::size_t n = 0; n < want_.interfaces.size(); ++n)
    if (const auto now = interfaces_.find(want_.interfaces[n].name);
        now != interfaces_.end() && kept_.contains(now->first))
      change_interface(*now->second, n);
  for (std::size_t n = 0; n < want_.tunnels.size(); ++n)
    if (const auto now = tunnels_.find(want_.tunnels[n].name);
        now != tunnels_.end() && kept_.contains(now->first))
      change_tunnel(*now->second, n);
}

/// Before anything is made that stands on another; carriers first.
void ConfigPlanner::change_mtus() {
  std::vector<ConfigSteps::Mtu> mtus;
  std::set<std::string> seen;
  const std::function<void(const std::string&)> visit = [&](const std::string& name) {
    const auto now = interfaces_.find(name);
    const auto then = wanted_interfaces_.find(name);
    if (then == wanted_interfaces_.end() || !seen.insert(name).second) return;
    if (const std::string parent = parent_of(*then->second); !parent.empty()) visit(parent);
    if (kept_.contains(name) && now->second->mtu != then->second->mtu)
      mtus.push_back({name, now->second->mtu, then->second->mtu});
  };
  for (const InterfaceSpec& i : want_.interfaces) visit(i.name);
  for (const TunnelConfig& t : now_.tunnels)
    if (const auto then = wanted_tunnels_.find(t.name);
        then != wanted_tunnels_.end() && kept_.contains(t.name) && t.mtu != then->second->mtu)
      mtus.push_back({t.name, t.mtu, then->second->mtu});
  steps_.at({});
  steps_.set_mtus(mtus);
}

/// Addresses that could not come before others went, then the order. @return the difference.
std::string ConfigPlanner::change_addresses(const std::string& name) {
  const Face& face = kept_.at(name);
  if (face.now == face.then) return {};
  std::string text;
  // The order in which they stand once all have come: those that stayed, then the late ones.
  Addresses order = face.now;
  std::erase_if(order, [&](const IpPrefix& a) {
    if (std::ranges::find(face.then, a) != face.then.end()) return false;
    append(text, fmt::format("-{}", proto::to_string(a)));
    return true;
  });
  for (const bool late : {false, true})
    for (const IpPrefix& a : face.then) {
      const bool was = std::ranges::find(face.now, a) != face.now.end();
      const bool early = std::ranges::find(face.stay, a) != face.stay.end();
      if (was || early == late) continue;
      append(text, fmt::format("+{}", proto::to_string(a)));
      order.push_back(a);
      if (late) steps_.add_address(name, a);
    }
  if (order != face.then) steps_.order_addresses(name, face.then);
  if (text.empty()) text = fmt::format("addresses in the order {}", join(face.then));
  return text;
}

/// Groups that are left, then those that are joined.
void ConfigPlanner::change_groups(const InterfaceSpec& now, const InterfaceSpec& then,
                                  std::string& text) {
  const auto each_beyond = [&](const Groups& some, const Groups& others, bool joined) {
    for (const core::IpAddress& group : some) {
      if (std::ranges::find(others, group) != others.end()) continue;
      append(text, fmt::format("{}group {}", joined ? '+' : '-', proto::to_string(group)));
      steps_.set_group(now.name, group, joined);
    }
  };
  each_beyond(now.groups, then.groups, false);
  each_beyond(then.groups, now.groups, true);
}

void ConfigPlanner::change_interface(const InterfaceSpec& now, std::size_t n) {
  const InterfaceSpec& then = want_.interfaces[n];
  steps_.at(place(file_.interfaces, n));
  std::string text = change_addresses(now.name);
  if (now.mtu != then.mtu)
    append(text, fmt::format("mtu {} -> {}", describe_mtu(now.mtu), describe_mtu(then.mtu)));
  append_switch(text, now.promiscuous, then.promiscuous, "not promiscuous", "promiscuous");
  if (now.promiscuous != then.promiscuous) steps_.set_promiscuous(now.name, then.promiscuous);
  if (now.urpf != then.urpf) {
    append(text, fmt::format("urpf {} -> {}", to_string(now.urpf), to_string(then.urpf)));
    steps_.set_urpf(now.name, now.urpf, then.urpf);
  }
  append_switch(text, now.software_rss, then.software_rss, "rss off", "rss auto");
  if (now.software_rss != then.software_rss) steps_.set_software_rss(now.name, then.software_rss);
  change_groups(now, then, text);
  append_switch(text, now.autoconf, then.autoconf, "no autoconf", "autoconf");
  if (now.autoconf != then.autoconf) steps_.set_autoconf(now.name, then.autoconf);
  if (now.rtadv != then.rtadv) {
    if (now.rtadv.enabled == then.rtadv.enabled) append(text, "other rtadv");
    append_switch(text, now.rtadv.enabled, then.rtadv.enabled, "no rtadv", "rtadv");
    steps_.set_rtadv(now.name, now.rtadv, then.rtadv);
  }
  append_switch(text, now.up, then.up, "down", "up");
  if (now.up != then.up) steps_.set_up(now.name, then.up);
  if (!text.empty()) change(Sign::Modify, "interface", now.name, text);
}

void ConfigPlanner::change_tunnel(const TunnelConfig& now, std::size_t n) {
  const TunnelConfig& then = want_.tunnels[n];
  steps_.at(place(file_.tunnels, n));
  std::string text = change_addresses(now.name);
  if (now.mtu != then.mtu)
    append(text, fmt::format("mtu {} -> {}", describe_mtu(now.mtu), describe_mtu(then.mtu)));
  if (!same_selectors(now.selectors, then.selectors)) {
    append(text, fmt::format("selectors {} -> {}", join(now.selectors), join(then.selectors)));
    steps_.set_selectors(now, then.selectors);
  }
  append_switch(text, now.up, then.up, "down", "up");
  if (now.up != then.up) steps_.set_up(now.name, then.up);
  if (!text.empty()) change(Sign::Modify, "tunnel", now.name, text);
}

void ConfigPlanner::remade_interface(const InterfaceSpec& now, const InterfaceSpec& then) {
  const std::string before = describe(now), after = describe(then);
  change(Sign::Modify, "interface", now.name,
         before == after ? "made anew: what it stands on changes"
                         : fmt::format("made anew: {} -> {}", before, after));
}

void compare_process(const ProcessConfig& now, const ProcessConfig& then,
                     std::vector<std::string>& restart) {
  const auto say = [&](std::string_view what, const auto& a, const auto& b) {
    if (a != b) restart.push_back(fmt::format("{}: {} -> {}", what, a, b));
  };
  const auto list = [](const auto& items) { return fmt::format("[{}]", fmt::join(items, ", ")); };
  const Limits &a = now.limits, &b = then.limits;
  say("workers.count", now.workers, then.workers);
  say("workers.cpus", list(now.cpus), list(then.cpus));
  say("workers.idle_sleep_us", now.idle_sleep_us, then.idle_sleep_us);
  say("limits.mbufs", a.mbufs, b.mbufs);
  say("limits.mbuf_size", a.mbuf_size, b.mbuf_size);
  say("limits.interfaces", a.interfaces, b.interfaces);
  say("limits.routes", a.routes, b.routes);
  say("limits.route_groups", a.route_groups, b.route_groups);
  say("limits.routes6", a.routes6, b.routes6);
  say("limits.route_groups6", a.route_groups6, b.route_groups6);
  say("limits.next_hops", a.next_hops, b.next_hops);
  say("limits.next_hop_groups", a.next_hop_groups, b.next_hop_groups);
  say("limits.neighbors", a.neighbors, b.neighbors);
  say("limits.vrfs", a.vrfs, b.vrfs);
  say("limits.vrf_routes", a.vrf_routes, b.vrf_routes);
  say("limits.vrf_groups", a.vrf_groups, b.vrf_groups);
  say("limits.tunnels", a.tunnels, b.tunnels);
  say("limits.sas", a.sas, b.sas);
  say("control.socket_directory", now.socket_directory, then.socket_directory);
  say("drivers.path", list(now.driver_path), list(then.driver_path));
  say("eal.args", list(now.eal_args), list(then.eal_args));
}
}  // namespace polluxd
