// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_save.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
/// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}
std::string quoted(proto::IpPrefix p) {
  return quoted(p == proto::IpPrefix{proto::Ip4Prefix{}} ? "default" : proto::to_string(p));
}
std::string quoted(const core::IpAddress& a) {
  return quoted(proto::to_string(a));
}
template <class T>
std::string list(const std::vector<T>& items) {
  std::vector<std::string> texts;
  for (const T& item : items) texts.push_back(quoted(item));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

class Writer {
public:
  explicit Writer(const Config& config) : c_{config} {}
  std::string run() {
    process();
    sysctls();
    for (const VrfSpec& v : c_.vrfs) vrf(v);
    for (const InterfaceSpec& i : c_.interfaces) interface(i);
    for (const TunnelConfig& t : c_.tunnels) tunnel(t);
    for (const SaConfig& sa : c_.sas)
      if (!sa.key_file.empty()) association(sa);
    for (const RouteSpec& r : c_.routes) route(r);
    for (const NeighborSpec& n : c_.neighbors) neighbor(n);
    return std::move(out_);
  }

private:
  /// The heading is written with the table's first line.
  void table(std::string heading) { heading_ = std::move(heading); }
  void line(std::string_view key, std::string_view value) {
    if (!heading_.empty()) out_ += (out_.empty() ? "" : "\n") + heading_ + '\n';
    heading_.clear();
    out_ += fmt::format("{} = {}\n", key, value);
  }
  template <class T>
  void number(std::string_view key, const T& value, const T& otherwise) {
    if (value != otherwise) line(key, fmt::format("{}", value));
  }
  void addresses(const std::vector<proto::IpPrefix>& all) {
    if (all.size() == 1) line("address", quoted(proto::to_string(all.front())));
    if (all.size() < 2) return;
    std::vector<std::string> texts;
    for (const proto::IpPrefix& a : all) texts.push_back(proto::to_string(a));
    line("address", list(texts));
  }

  void process();
  void sysctls();
  void vrf(const VrfSpec& v);
  void interface(const InterfaceSpec& i);
  void rtadv(const RtadvSpec& r);
  void tunnel(const TunnelConfig& t);
  void association(const SaConfig& sa);
  void route(const RouteSpec& r);
  void neighbor(const NeighborSpec& n);

  const Config& c_;
  std::string out_, heading_;
};

void Writer::process() {
  const ProcessConfig usual;
  table("[workers]");
  number("count", c_.workers, usual.workers);
  if (!c_.cpus.empty() && c_.cpus.size() == c_.workers)
    line("cpus", fmt::format("[{}]", fmt::join(c_.cpus, ", ")));
  number("idle_sleep_us", c_.idle_sleep_us, usual.idle_sleep_us);
  table("[limits]");
  const Limits &l = c_.limits, &u = usual.limits;
  number("mbufs", l.mbufs, u.mbufs);
  number("mbuf_size", l.mbuf_size, u.mbuf_size);
  number("interfaces", l.interfaces, u.interfaces);
  number("routes", l.routes, u.routes);
  number("route_groups", l.route_groups, u.route_groups);
  number("routes6", l.routes6, u.routes6);
  number("route_groups6", l.route_groups6, u.route_groups6);
  number("next_hops", l.next_hops, u.next_hops);
  number("next_hop_groups", l.next_hop_groups, u.next_hop_groups);
  number("neighbors", l.neighbors, u.neighbors);
  number("vrfs", l.vrfs, u.vrfs);
  number("vrf_routes", l.vrf_routes, u.vrf_routes);
  number("vrf_groups", l.vrf_groups, u.vrf_groups);
  number("tunnels", l.tunnels, u.tunnels);
  number("sas", l.sas, u.sas);
  table("[control]");
  if (c_.socket_directory != usual.socket_directory)
    line("socket_directory", quoted(c_.socket_directory));
  table("[drivers]");
  if (!c_.driver_path.empty()) line("path", list(c_.driver_path));
  table("[eal]");
  if (!c_.eal_args.empty()) line("args", list(c_.eal_args));
}

void Writer::sysctls() {
  table("[sysctl]");
  for (const auto& [name, value] : c_.sysctls) line(quoted(name), std::to_string(value));
}

void Writer::vrf(const VrfSpec& v) {
  table("[[vrf]]");
  line("name", quoted(v.name));
  number<std::uint16_t>("id", v.id, 0);
}

void Writer::interface(const InterfaceSpec& i) {
  table("[[interface]]");
  line("driver", quoted(i.driver));
  if (!i.name.empty()) line("name", quoted(i.name));
  addresses(i.addresses);
  number<std::uint16_t>("mtu", i.mtu, 0);
  if (!i.up) line("up", "false");
  if (i.promiscuous) line("promiscuous", "true");
  if (!i.vrf.empty()) line("vrf", quoted(i.vrf));
  if (i.urpf != core::Interface::Urpf::Off) line("urpf", quoted(to_string(i.urpf)));
  if (!i.software_rss) line("rss", quoted("off"));
  if (!i.groups.empty()) line("groups", list(i.groups));
  if (i.autoconf) line("autoconf", "true");
  std::vector<std::string> options;
  for (const auto& [name, value] : i.options)
    options.push_back(fmt::format("{} = {}", quoted(name), quoted(value)));
  if (!options.empty()) line("options", fmt::format("{{{}}}", fmt::join(options, ", ")));
  if (i.rtadv != RtadvSpec{}) rtadv(i.rtadv);
}

void Writer::rtadv(const RtadvSpec& r) {
  const RtadvSpec usual;
  const auto truth = [](bool b) { return b ? "true" : "false"; };
  table("[interface.rtadv]");
  line("enabled", truth(r.enabled));
  number("interval", r.interval_s, usual.interval_s);
  number("lifetime", r.lifetime_s, 3 * r.interval_s);
  if (r.managed) line("managed", "true");
  if (r.other) line("other", "true");
  number("mtu", r.mtu, usual.mtu);
  number("hop_limit", r.hop_limit, usual.hop_limit);
  number("reachable_ms", r.reachable_ms, usual.reachable_ms);
  number("retrans_ms", r.retrans_ms, usual.retrans_ms);
  for (const AdvertisedPrefixSpec& p : r.prefixes) {
    const AdvertisedPrefixSpec common;
    table("[[interface.rtadv.prefix]]");
    line("prefix", quoted(p.prefix));
    number("valid", p.valid_s, common.valid_s);
    number("preferred", p.preferred_s, common.preferred_s);
    if (!p.on_link) line("on_link", "false");
    if (!p.autonomous) line("autonomous", "false");
  }
}

void Writer::tunnel(const TunnelConfig& t) {
  table("[[tunnel]]");
  line("name", quoted(t.name));
  line("local", quoted(t.local));
  line("remote", quoted(t.remote));
  number<std::uint16_t>("mtu", t.mtu, 0);
  addresses(t.addresses);
  if (!t.vrf.empty()) line("vrf", quoted(t.vrf));
  if (!t.overlay_vrf.empty()) line("overlay_vrf", quoted(t.overlay_vrf));
  if (!t.up) line("up", "false");
  std::vector<std::string> selectors;
  for (const crypto::Selector& s : t.selectors)
    selectors.push_back(
        fmt::format("{{local = {}, remote = {}}}", quoted(s.local), quoted(s.remote)));
  if (!selectors.empty()) line("selectors", fmt::format("[{}]", fmt::join(selectors, ", ")));
}

void Writer::association(const SaConfig& sa) {
  const bool in = sa.direction == crypto::Direction::In;
  table("[[sa]]");
  line("tunnel", quoted(sa.tunnel));
  line("direction", quoted(in ? "in" : "out"));
  line("spi", fmt::format("0x{:08x}", sa.spi));
  line("algorithm", quoted(crypto::to_string(sa.algorithm)));
  line("key_file", quoted(sa.key_file));
  if (in) number("replay_window", sa.replay_window, SaConfig{}.replay_window);
}

void Writer::route(const RouteSpec& r) {
  table("[[route]]");
  line("prefix", quoted(r.prefix));
  if (r.kind != RouteSpec::Kind::Unicast) line("kind", quoted(to_string(r.kind)));
  if (r.gateway) line("via", quoted(*r.gateway));
  if (!r.interface.empty()) line("interface", quoted(r.interface));
  if (r.recursive) line("recursive", "true");
  if (!r.vrf.empty()) line("vrf", quoted(r.vrf));
  if (r.next_hops.empty()) return;
  std::vector<std::string> hops;
  for (const RouteNextHop& hop : r.next_hops) {
    std::vector<std::string> parts;
    if (hop.gateway) parts.push_back("via = " + quoted(*hop.gateway));
    if (!hop.interface.empty()) parts.push_back("interface = " + quoted(hop.interface));
    if (hop.weight != 1) parts.push_back(fmt::format("weight = {}", hop.weight));
    hops.push_back(fmt::format("{{ {} }}", fmt::join(parts, ", ")));
  }
  line("nexthops", fmt::format("[{}]", fmt::join(hops, ", ")));
}

void Writer::neighbor(const NeighborSpec& n) {
  table("[[neighbor]]");
  line("interface", quoted(n.interface));
  line("address", quoted(n.address));
  line("mac", quoted(proto::to_string(n.mac)));
}
}  // namespace

std::string to_toml(const Config& config) {
  return Writer{config}.run();
}
}  // namespace polluxd
