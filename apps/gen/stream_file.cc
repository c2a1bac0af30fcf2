// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/stream_file.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>

#include "apps/gen/stream_field.hh"
#include "apps/gen/units.hh"
#include "apps/polluxd/config_file_table.hh"

namespace gen {
using core::Errc;
using core::Error;
using polluxd::ConfigError;
using polluxd::ConfigTable;
using polluxd::ConfigValue;
using polluxd::fail_at;

namespace {
constexpr std::uint32_t kMaxFrame = 9600, kMaxStreams = 1024;

core::Expected<core::IpAddress> to_address(std::string_view text) {
  if (const auto a = proto::parse_ip(text)) return *a;
  return Error{Errc::Invalid, fmt::format("\"{}\" is not an address, expected 192.0.2.1 or "
                                          "2001:db8::1",
                                          text)};
}
core::Expected<proto::IpPrefix> to_prefix(std::string_view text) {
  if (const auto p = proto::parse_ip_prefix(text)) return *p;
  return Error{Errc::Invalid, fmt::format("\"{}\" is not an address or a prefix, expected "
                                          "192.0.2.1/24 or 2001:db8::1/64",
                                          text)};
}

std::vector<VlanPlan> read_vlans(ConfigTable& table) {
  std::vector<VlanPlan> vlans;
  const auto value = table.find("vlan");
  if (!value) return vlans;
  for (const ConfigValue& item : value->items(true)) {
    VlanPlan& v = vlans.emplace_back();
    if (!item.value.is_table() || item.value.as_table().count("id") == 0) {
      v.id = read_field(item, kVlanField);
      continue;
    }
    ConfigTable tag{nullptr, item.value, "vlan"};
    v.id = read_field(tag.need("id"), kVlanField);
    std::uint32_t pcp = 0;
    tag.number("pcp", pcp, 0, 7);
    v.pcp = static_cast<std::uint8_t>(pcp);
    if (const auto kind = tag.find("proto")) {
      if (kind->text() != "802.1Q" && kind->text() != "802.1ad")
        fail_at(kind->value,
                fmt::format("proto \"{}\" is unknown, expected 802.1Q or 802.1ad", kind->text()));
      v.tpid = kind->text() == "802.1Q" ? 0x8100 : 0x88a8;
    }
    tag.done();
  }
  if (vlans.size() > 2)
    fail_at(value->value, fmt::format("vlan has {} tags, expected at most 2", vlans.size()));
  return vlans;
}

PortPlan read_port(ConfigTable& table, const std::vector<GivenDevice>& devices) {
  PortPlan p;
  const ConfigValue name = table.need("name");
  p.name = name.text();
  if (const auto device = table.find("device")) {
    p.device = device->text();
  } else {
    const auto at = std::ranges::find(devices, p.name, &GivenDevice::name);
    if (at == devices.end())
      fail_at(name.value, fmt::format("port {} has no device, expected \"device\" here or -d "
                                      "DRIVER,...,name={}",
                                      p.name, p.name));
    p.device = at->text;
  }
  if (const auto value = table.find("address"))
    for (const ConfigValue& a : value->items(true)) p.addresses.push_back(a.parsed(to_prefix));
  if (const auto value = table.find("answer"))
    for (const ConfigValue& a : value->items(true)) p.answers.push_back(a.parsed(to_prefix));
  if (const auto value = table.find("gateway")) {
    for (const ConfigValue& g : value->items(true)) {
      const core::IpAddress a = g.parsed(to_address);
      const auto same = [&](const auto& other) { return other.is_ip4() == a.is_ip4(); };
      if (std::ranges::any_of(p.gateways, same))
        fail_at(g.value, "a second gateway of one family, expected one of each at most");
      if (std::ranges::none_of(p.addresses, same))
        fail_at(g.value, fmt::format("gateway {}: the port has no address of its family to ask "
                                     "from, expected one in \"address\"",
                                     proto::to_string(a)));
      p.gateways.push_back(a);
    }
  }
  p.vlans = read_vlans(table);
  if (std::ranges::any_of(p.vlans, [](const VlanPlan& v) { return v.id.min != v.id.max; }))
    fail_at(table.find("vlan")->value, "vlan of a port varies, expected fixed tags");
  table.done();
  return p;
}

std::uint16_t frame_size(const ConfigValue& v) {
  return static_cast<std::uint16_t>(v.number(64, kMaxFrame));
}

SizePlan read_mix(const ConfigValue& value) {
  SizePlan plan{.mix = {}};
  for (const ConfigValue& item : value.items()) {
    if (!item.value.is_array()) {
      plan.mix.push_back({frame_size(item), 1});
      continue;
    }
    const auto pair = item.items();
    if (pair.size() != 2)
      fail_at(item.value,
              fmt::format("a part of a mix has {} numbers, expected [SIZE, WEIGHT]", pair.size()));
    plan.mix.push_back({frame_size(pair[0]), pair[1].number(1, 1000)});
  }
  if (plan.mix.empty() || plan.mix.size() > 64)
    fail_at(value.value, fmt::format("size has {} sizes, expected 1 to 64", plan.mix.size()));
  return plan;
}

/// Where the sizes of a stream stand, for the complaint about one that is too small.
void read_size(ConfigTable& table, StreamPlan& s) {
  const auto value = table.find("size");
  if (!value) return;
  if (value->value.is_string()) {
    if (value->text() != "imix")
      fail_at(value->value,
              fmt::format("size \"{}\" is unknown, expected \"imix\"", value->text()));
    s.size = SizePlan::imix();
  } else if (value->value.is_array()) {
    s.size = read_mix(*value);
  } else if (value->value.is_table()) {
    s.size = {.mix = {}, .range = read_field(*value, {64, kMaxFrame, FieldKind::Number})};
  } else {
    s.size = SizePlan::fixed(frame_size(*value));
  }
}

void check_size(ConfigTable& table, const StreamPlan& s) {
  if (s.size.smallest() >= s.smallest_frame()) return;
  const std::string text = fmt::format(
      "stream {}: a frame of {} bytes has no room for headers and signature, expected {} or more",
      s.name, s.size.smallest(), s.smallest_frame());
  if (const auto value = table.find("size")) fail_at(value->value, text);
  fail_at(table.find("from")->value, text);
}

void read_addresses(ConfigTable& table, StreamPlan& s) {
  const ConfigValue src = table.need("src"), dst = table.need("dst");
  s.is_ip6 = is_ip6_field(dst);
  const FieldLimits limits = s.is_ip6 ? kIp6Field : kIp4Field;
  s.src = read_field(src, limits);
  s.dst = read_field(dst, limits);
}

void read_headers(ConfigTable& table, StreamPlan& s) {
  if (const auto v = table.find("eth_src")) {
    s.eth_src = read_field(*v, kMacField);
    s.has_eth_src = true;
  }
  if (const auto v = table.find("eth_dst")) {
    s.eth_dst = read_field(*v, kMacField);
    s.has_eth_dst = true;
  }
  s.vlans = read_vlans(table);
  if (const auto v = table.find("protocol")) {
    if (v->text() != "udp" && v->text() != "tcp")
      fail_at(v->value, fmt::format("protocol \"{}\" is unknown, expected udp or tcp", v->text()));
    s.is_tcp = v->text() == "tcp";
  }
  if (const auto v = table.find("src_port")) s.src_port = read_field(*v, kPortField);
  if (const auto v = table.find("dst_port")) s.dst_port = read_field(*v, kPortField);
  if (const auto v = table.find("flow_label")) s.flow_label = read_field(*v, kFlowLabelField);
  if (const auto v = table.find("id")) s.id = read_field(*v, kIdField);
  std::uint32_t dscp = s.dscp, ttl = s.ttl;
  table.number("dscp", dscp, 0, 63);
  table.number("ttl", ttl, 1, 255);
  s.dscp = static_cast<std::uint8_t>(dscp);
  s.ttl = static_cast<std::uint8_t>(ttl);
}

std::size_t port_of(const ConfigValue& v, const std::vector<PortPlan>& ports) {
  const auto at = std::ranges::find(ports, v.text(), &PortPlan::name);
  if (at != ports.end()) return static_cast<std::size_t>(at - ports.begin());
  std::vector<std::string_view> names;
  for (const PortPlan& p : ports) names.push_back(p.name);
  fail_at(v.value, fmt::format("{}: there is no port \"{}\", expected one of: {}", v.name, v.text(),
                               fmt::join(names, ", ")));
}

StreamPlan read_stream(ConfigTable& table, const Plan& plan, std::uint64_t seed) {
  StreamPlan s;
  s.name = fmt::format("stream{}", plan.streams.size());
  table.text("name", s.name);
  s.from = port_of(table.need("from"), plan.ports);
  s.to = port_of(table.need("to"), plan.ports);
  read_addresses(table, s);
  read_headers(table, s);
  read_size(table, s);
  if (const auto v = table.find("rate")) s.rate = v->parsed(parse_rate);
  table.number("burst", s.burst, 1, 65536);
  if (const auto v = table.find("packets")) {
    constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
    s.packets = v->number(1, kMost);
  }
  s.seed = seed + plan.streams.size();
  table.done();
  if (s.vlans.empty()) {
    StreamPlan tagged = s;
    tagged.vlans = plan.ports[s.from].vlans;
    check_size(table, tagged);
  } else {
    check_size(table, s);
  }
  return s;
}

void read_ports(ConfigTable& root, const std::vector<GivenDevice>& devices, Plan& plan) {
  for (ConfigTable& table : root.tables("port")) {
    const ConfigValue name = table.need("name");
    PortPlan p = read_port(table, devices);
    if (std::ranges::find(plan.ports, p.name, &PortPlan::name) != plan.ports.end())
      fail_at(name.value, fmt::format("a second port \"{}\", expected a name of its own", p.name));
    plan.ports.push_back(std::move(p));
  }
  for (const PortPlan& p : ports_only(devices).ports)
    if (std::ranges::find(plan.ports, p.name, &PortPlan::name) == plan.ports.end())
      plan.ports.push_back(p);
}

Plan read_plan(const std::string& file, const std::string& text,
               const std::vector<GivenDevice>& devices) {
  const auto document = std::make_shared<const polluxd::TomlValue>(polluxd::parse_toml(file, text));
  ConfigTable root{document, *document, "the file"};
  Plan plan;
  std::uint32_t seed = 1;
  if (auto run = root.table("run")) {
    run->number("seed", seed, 0, std::numeric_limits<std::uint32_t>::max());
    run->number("window", plan.window, 1, 1u << 24);
    run->done();
  }
  read_ports(root, devices, plan);
  for (ConfigTable& table : root.tables("stream")) {
    if (plan.streams.size() == kMaxStreams)
      fail_at(*document, fmt::format("more than {} streams", kMaxStreams));
    plan.streams.push_back(read_stream(table, plan, seed));
  }
  root.done();
  return plan;
}
}  // namespace

Plan ports_only(const std::vector<GivenDevice>& devices) {
  Plan plan;
  for (std::size_t i = 0; i < devices.size(); ++i)
    plan.ports.push_back(
        {.device = devices[i].text,
         .name = devices[i].name.empty() ? fmt::format("port{}", i) : devices[i].name,
         .addresses = {},
         .gateways = {},
         .answers = {},
         .vlans = {}});
  return plan;
}

core::Expected<Plan> parse_streams(const std::string& file, const std::string& text,
                                   const std::vector<GivenDevice>& devices) {
  try {
    return read_plan(file, text, devices);
  } catch (const ConfigError& e) { return Error{Errc::Invalid, e.text}; }
}

core::Expected<Plan> read_streams(const std::string& file,
                                  const std::vector<GivenDevice>& devices) {
  std::ifstream in{file};
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return Error{Errc::NotFound, fmt::format("{}: cannot be read", file)};
  return parse_streams(file, text.str(), devices);
}
}  // namespace gen
