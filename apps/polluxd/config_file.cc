// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_file.hh"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <system_error>

#include "apps/polluxd/config_file_table.hh"
#include "apps/polluxd/manager.hh"
#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
namespace fs = std::filesystem;

void read_workers(ConfigTable& root, Config& config) {
  auto table = root.table("workers");
  if (!table) return;
  const bool counted = [&] {
    const auto count = table->find("count");
    if (count) config.workers = count->number(1, kMaxWorkers);
    return count.has_value();
  }();
  if (const auto cpus = table->find("cpus")) {
    for (const ConfigValue& cpu : cpus->items()) config.cpus.push_back(cpu.number(0, kMaxCpu));
    if (!counted && !config.cpus.empty())
      config.workers = static_cast<std::uint32_t>(config.cpus.size());
    if (config.cpus.size() != config.workers || config.workers > kMaxWorkers)
      fail_at(cpus->value, fmt::format("cpus has {} entries, expected one per worker: {}",
                                       config.cpus.size(), counted ? config.workers : kMaxWorkers));
  }
  table->number("idle_sleep_us", config.idle_sleep_us, 0, 1'000'000);
  table->done();
}

void read_limits(ConfigTable& root, Limits& limits) {
  auto table = root.table("limits");
  if (!table) return;
  table->number("mbufs", limits.mbufs, 512, 1u << 24);
  table->number("mbuf_size", limits.mbuf_size, 2048, 32768);
  table->number("interfaces", limits.interfaces, 1, 4096);
  table->number("routes", limits.routes, 16, 1u << 24);
  table->number("route_groups", limits.route_groups, 1, 32767);
  table->number("routes6", limits.routes6, 1, 4'000'000);
  table->number("route_groups6", limits.route_groups6, 1, 1'000'000);
  table->number("next_hops", limits.next_hops, 16, 1u << 20);
  table->number("next_hop_groups", limits.next_hop_groups, 1, 65535);
  table->number("neighbors", limits.neighbors, 1, 1u << 20);
  table->number("vrfs", limits.vrfs, 0, 4096);
  table->number("vrf_routes", limits.vrf_routes, 16, 1u << 24);
  table->number("vrf_groups", limits.vrf_groups, 1, proto::FibBlocks::kMaxCapacity);
  table->number("tunnels", limits.tunnels, 1, 4096);
  table->number("sas", limits.sas, 1, 65534);
  table->done();
}

void read_texts(ConfigTable& table, std::string_view key, std::vector<std::string>& to) {
  if (const auto found = table.find(key))
    for (const ConfigValue& item : found->items()) to.push_back(item.text());
}

void read_process(ConfigTable& root, ConfigFile& file) {
  Config& config = file.config;
  if (auto control = root.table("control")) {
    control->text("socket_directory", config.socket_directory);
    control->done();
  }
  if (auto drivers = root.table("drivers")) {
    read_texts(*drivers, "path", config.driver_path);
    drivers->done();
  }
  if (auto eal = root.table("eal")) {
    read_texts(*eal, "args", config.eal_args);
    eal->done();
  }
  if (auto sysctl = root.table("sysctl")) {
    for (const auto& [name, value] : sysctl->all())
      config.sysctls.emplace_back(name, value.switch_or_number());
    file.sysctls = sysctl->place();
  }
}

std::vector<proto::IpPrefix> read_addresses(ConfigTable& table) {
  std::vector<proto::IpPrefix> addresses;
  if (const auto found = table.find("address"))
    for (const ConfigValue& item : found->items(/*or_one=*/true))
      addresses.push_back(item.parsed(parse_interface_address));
  return addresses;
}

std::uint16_t read_mtu(ConfigTable& table) {
  const auto mtu = table.find("mtu");
  return mtu ? static_cast<std::uint16_t>(mtu->number(kMinMtu, kMaxMtu)) : std::uint16_t{0};
}

/// Driver options: a string, or an integer that a driver reads as text.
std::string option_text(const ConfigValue& value) {
  if (value.value.is_string()) return value.text();
  if (value.value.is_integer()) return std::to_string(value.value.as_integer());
  value.expected("a string or an integer");
}

bool read_rss(const ConfigValue& rss) {
  const std::string text = rss.text();
  if (text != "auto" && text != "off") fail_at(rss.value, "rss: expected \"auto\" or \"off\"");
  return text == "auto";
}

/// The table [interface.rtadv]; what the values mean to each other is Manager::check_rtadv()'s.
RtadvSpec read_rtadv(ConfigTable& table) {
  RtadvSpec spec;
  spec.enabled = true;
  table.boolean("enabled", spec.enabled);
  table.number("interval", spec.interval_s, 4, 1800);
  if (!table.find("lifetime")) spec.lifetime_s = 3 * spec.interval_s;
  table.number("lifetime", spec.lifetime_s, 0, 9000);
  table.boolean("managed", spec.managed);
  table.boolean("other", spec.other);
  table.number("mtu", spec.mtu, 0, kMaxMtu);
  table.number("hop_limit", spec.hop_limit, 0, 255);
  table.number("reachable_ms", spec.reachable_ms, 0, 3'600'000);
  table.number("retrans_ms", spec.retrans_ms, 0, ~std::uint32_t{0});
  for (ConfigTable& p : table.tables("prefix")) {
    AdvertisedPrefixSpec prefix;
    prefix.prefix = p.need("prefix").parsed(parse_network);
    p.number("valid", prefix.valid_s, 0, ~std::uint32_t{0});
    p.number("preferred", prefix.preferred_s, 0, ~std::uint32_t{0});
    p.boolean("on_link", prefix.on_link);
    p.boolean("autonomous", prefix.autonomous);
    p.done();
    spec.prefixes.push_back(prefix);
  }
  table.done();
  return spec;
}

/// A VRF's name; empty for the default one.
std::string read_vrf_name(ConfigTable& table, std::string_view key) {
  const auto vrf = table.find(key);
  if (!vrf) return {};
  std::string name = vrf->parsed(parse_interface_name);
  return name == kDefaultVrf ? std::string{} : name;
}

VrfSpec read_vrf(ConfigTable& table) {
  VrfSpec spec;
  const ConfigValue name = table.need("name");
  spec.name = name.text();
  if (const std::string why = Manager::bad_vrf_name(spec.name); !why.empty())
    fail_at(name.value, why);
  if (const auto id = table.find("id")) spec.id = static_cast<std::uint16_t>(id->number(1, 65534));
  table.done();
  return spec;
}

InterfaceSpec read_interface(ConfigTable& table) {
  InterfaceSpec spec;
  spec.driver = table.need("driver").text();
  if (const auto name = table.find("name")) spec.name = name->parsed(parse_interface_name);
  spec.addresses = read_addresses(table);
  spec.mtu = read_mtu(table);
  table.boolean("up", spec.up);
  table.boolean("promiscuous", spec.promiscuous);
  spec.vrf = read_vrf_name(table, "vrf");
  if (const auto urpf = table.find("urpf")) spec.urpf = urpf->parsed(parse_urpf);
  if (const auto rss = table.find("rss")) spec.software_rss = read_rss(*rss);
  if (const auto groups = table.find("groups"))
    for (const ConfigValue& item : groups->items())
      spec.groups.push_back(item.parsed(parse_address));
  table.boolean("autoconf", spec.autoconf);
  if (auto rtadv = table.table("rtadv")) spec.rtadv = read_rtadv(*rtadv);
  if (const auto options = table.table("options"))
    for (const auto& [key, value] : options->all()) {
      if (key == "name")
        fail_at_key(value.value, key, "the name is no option, expected it in [[interface]]");
      spec.options.emplace_back(key, option_text(value));
    }
  table.done();
  return spec;
}

TunnelConfig read_tunnel(ConfigTable& table) {
  TunnelConfig spec;
  spec.name = table.need("name").parsed(parse_interface_name);
  spec.local = table.need("local").parsed(parse_ip4_address);
  spec.remote = table.need("remote").parsed(parse_ip4_address);
  spec.mtu = read_mtu(table);
  spec.addresses = read_addresses(table);
  spec.vrf = read_vrf_name(table, "vrf");
  spec.overlay_vrf = read_vrf_name(table, "overlay_vrf");
  table.boolean("up", spec.up);
  if (const auto selectors = table.find("selectors"))
    for (const ConfigValue& item : selectors->items()) {
      ConfigTable selector{nullptr, item.value, "selectors"};
      crypto::Selector s;
      s.local = selector.need("local").parsed(parse_ip4_network);
      s.remote = selector.need("remote").parsed(parse_ip4_network);
      selector.done();
      spec.selectors.push_back(s);
    }
  table.done();
  return spec;
}

std::uint32_t read_spi(const ConfigValue& spi) {
  return spi.value.is_string() ? spi.parsed(parse_spi) : spi.number(kMinSpi, ~std::uint32_t{0});
}

SaConfig read_sa(ConfigTable& table, const KeySource& keys) {
  SaConfig spec;
  spec.tunnel = table.need("tunnel").parsed(parse_interface_name);
  spec.direction = table.need("direction").parsed(parse_direction);
  spec.spi = read_spi(table.need("spi"));
  spec.algorithm = table.need("algorithm").parsed(parse_sa_algorithm);
  table.number("replay_window", spec.replay_window, 0, kMaxReplayWindow);
  const ConfigValue file = table.need("key_file");
  table.done();
  spec.key_file = file.text();
  if (!keys) return spec;
  auto key = keys(spec.key_file);
  if (!key) fail_at(file.value, fmt::format("key_file: {}", key.error().context));
  if (key->bytes().size() != crypto::keymat_size(spec.algorithm))
    fail_at(file.value,
            fmt::format("key_file holds {} bytes, expected {} (key and 4 bytes of salt) for {}",
                        key->bytes().size(), crypto::keymat_size(spec.algorithm),
                        crypto::to_string(spec.algorithm)));
  spec.key = *std::move(key);
  return spec;
}

RouteNextHop read_next_hop(ConfigTable& table) {
  RouteNextHop hop;
  if (const auto via = table.find("via")) hop.gateway = via->parsed(parse_address);
  if (const auto interface = table.find("interface"))
    hop.interface = interface->parsed(parse_interface_name);
  table.number("weight", hop.weight, 1, 65535);
  table.done();
  return hop;
}

RouteSpec read_route(ConfigTable& table) {
  RouteSpec spec;
  const ConfigValue prefix = table.need("prefix");
  spec.prefix = prefix.parsed(parse_network);
  if (const auto via = table.find("via")) spec.gateway = via->parsed(parse_address);
  if (const auto interface = table.find("interface"))
    spec.interface = interface->parsed(parse_interface_name);
  if (const auto kind = table.find("kind")) spec.kind = kind->parsed(parse_route_kind);
  table.boolean("recursive", spec.recursive);
  spec.vrf = read_vrf_name(table, "vrf");
  if (const auto hops = table.find("nexthops"))
    for (const ConfigValue& item : hops->items()) {
      ConfigTable hop{nullptr, item.value, "nexthops"};
      spec.next_hops.push_back(read_next_hop(hop));
    }
  table.done();
  const bool has_next_hop =
      spec.gateway.has_value() || !spec.interface.empty() || !spec.next_hops.empty();
  if (spec.kind == RouteSpec::Kind::Unicast && !has_next_hop)
    fail_at(prefix.value,
            "the route leads nowhere, expected \"via\", \"interface\", both or \"nexthops\"");
  if (spec.kind != RouteSpec::Kind::Unicast && has_next_hop)
    fail_at(prefix.value, "only a unicast route has \"via\", \"interface\" or \"nexthops\"");
  return spec;
}

NeighborSpec read_neighbor(ConfigTable& table) {
  NeighborSpec spec;
  spec.interface = table.need("interface").parsed(parse_interface_name);
  spec.address = table.need("address").parsed(parse_address);
  spec.mac = table.need("mac").parsed(parse_mac_address);
  table.done();
  return spec;
}

/// The objects of [[key]], each read by `read`, and where they stand.
template <class T>
void read_each(std::vector<ConfigTable> tables, std::vector<T>& to,
               std::vector<ConfigPlace>& places, const std::function<T(ConfigTable&)>& read) {
  for (ConfigTable& t : tables) {
    to.push_back(read(t));
    places.push_back(t.place());
  }
}

ConfigFile read_all(const std::shared_ptr<const TomlValue>& value, const KeySource& keys) {
  ConfigFile file;
  Config& config = file.config;
  ConfigTable root{value, *value, "the file"};
  read_workers(root, config);
  read_limits(root, config.limits);
  read_process(root, file);
  read_each<VrfSpec>(root.tables("vrf"), config.vrfs, file.vrfs, read_vrf);
  read_each<InterfaceSpec>(root.tables("interface"), config.interfaces, file.interfaces,
                           read_interface);
  read_each<TunnelConfig>(root.tables("tunnel"), config.tunnels, file.tunnels, read_tunnel);
  auto sas = root.tables("sa");
  read_each<RouteSpec>(root.tables("route"), config.routes, file.routes, read_route);
  read_each<NeighborSpec>(root.tables("neighbor"), config.neighbors, file.neighbors, read_neighbor);
  root.done();
  // Last, because they read further files.
  read_each<SaConfig>(std::move(sas), config.sas, file.sas,
                      [&](ConfigTable& t) { return read_sa(t, keys); });
  return file;
}

/// @throws ConfigError
std::string read_text(const std::string& path) {
  constexpr std::size_t kMaxFile = std::size_t{16} << 20;
  const auto refuse = [&](int error) {
    throw ConfigError{
        fmt::format("{}: cannot read: {}", path, std::generic_category().message(error))};
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "re"),
                                                             &std::fclose};
  if (!file) refuse(errno);
  std::string text(kMaxFile + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) refuse(errno);
  if (text.size() > kMaxFile)
    throw ConfigError{fmt::format("{}: larger than {} MiB", path, kMaxFile >> 20)};
  text.shrink_to_fit();
  return text;
}
}  // namespace

core::Expected<ConfigFile> parse_config(const std::string& name, const std::string& text,
                                        const KeySource& keys) {
  try {
    return read_all(std::make_shared<const TomlValue>(parse_toml(name, text)), keys);
  } catch (const ConfigError& e) {
    return core::Error{core::Errc::Invalid, e.text};
  } catch (const std::exception& e) {
    return core::Error{core::Errc::Invalid, fmt::format("{}: {}", name, e.what())};
  }
}

core::Expected<ConfigFile> read_config_file(const std::string& path) {
  const fs::path folder = fs::path{path}.parent_path();
  std::string text;
  try {
    text = read_text(path);
  } catch (const ConfigError& e) { return core::Error{core::Errc::Invalid, e.text}; }
  auto file = parse_config(
      path, text, [&](const std::string& key) { return crypto::Secret::from_file(folder / key); });
  if (!file) return file;
  std::error_code unknown;  // where we are cannot be told: the path stays as it is
  const fs::path base = fs::absolute(folder, unknown);
  for (SaConfig& sa : file->config.sas) sa.key_file = (base / sa.key_file).lexically_normal();
  return file;
}

core::Expected<Config> read_config(const std::string& path) {
  auto file = read_config_file(path);
  if (!file) return file.error();
  return std::move(file->config);
}
}  // namespace polluxd
