// SPDX-License-Identifier: BSD-3-Clause
// interface.*: the network interfaces and their addresses.
#include <array>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/spec_syntax.hh"
#include "core/driver.h"
#include "proto/wire/ether.hh"

namespace polluxd {
namespace {
std::string_view to_text(core::Interface::Kind kind) noexcept {
  switch (kind) {
    case core::Interface::Kind::None: return "none";
    case core::Interface::Kind::Ethernet: return "ethernet";
    case core::Interface::Kind::Tunnel: return "tunnel";
    case core::Interface::Kind::Vlan: return "vlan";
  }
  return "none";
}

std::string_view to_text(AddressState state) noexcept {
  switch (state) {
    case AddressState::Tentative: return "tentative";
    case AddressState::Preferred: return "preferred";
    case AddressState::Deprecated: return "deprecated";
    case AddressState::Duplicated: return "duplicated";
  }
  return "unknown";
}
std::string_view to_text(AddressOrigin origin) noexcept {
  switch (origin) {
    case AddressOrigin::Manual: return "manual";
    case AddressOrigin::LinkLocal: return "link-local";
    case AddressOrigin::Autoconf: return "autoconf";
  }
  return "unknown";
}

Json seconds_or_null(const std::optional<std::uint64_t>& s) {
  return s ? Json(*s) : Json(nullptr);
}

Json to_json(const AddressInfo& a) {
  return {{"address", proto::to_string(a.prefix)},
          {"state", to_text(a.state)},
          {"origin", to_text(a.origin)},
          {"preferred_s", seconds_or_null(a.preferred_s)},
          {"valid_s", seconds_or_null(a.valid_s)}};
}

/// How the flows of an interface come to be spread over the workers.
std::string_view rss_of(const InterfaceInfo& i) noexcept {
  if (i.spread) return "software";
  return (i.capabilities & POLLUX_CAP_RSS) != 0 && i.rx_queues > 1 ? "device" : "none";
}

std::string_view protocol_of(std::uint16_t tpid) noexcept {
  return tpid == proto::kTpidS ? "802.1ad" : "802.1Q";
}

Json to_json(const InterfaceInfo& i) {
  using Kind = core::Interface::Kind;
  Json addresses = Json::array();
  for (const proto::IpPrefix& a : i.addresses) addresses.push_back(proto::to_string(a));
  Json object{{"name", i.name},
              {"kind", to_text(i.kind)},
              {"driver", i.driver},
              {"device", i.device},
              {"up", i.up},
              {"mtu", i.mtu},
              {"addresses", std::move(addresses)},
              {"address_states", Json::array()},
              {"groups", Json::array()},
              {"autoconf", i.autoconf},
              {"vrf", i.vrf},
              {"urpf", to_string(i.urpf)},
              {"rtadv", i.rtadv},
              {"rx_queues", i.rx_queues},
              {"tx_queues", i.tx_queues}};
  for (const AddressInfo& a : i.all_addresses) object["address_states"].push_back(to_json(a));
  for (const core::IpAddress& g : i.groups) object["groups"].push_back(proto::to_string(g));
  object["link"] = i.link ? Json(*i.link) : Json(nullptr);
  if (i.kind != Kind::Tunnel) object["mac"] = proto::to_string(i.mac);
  if (i.kind == Kind::Ethernet) {
    object["speed_mbps"] = i.speed_mbps != 0 ? Json(i.speed_mbps) : Json(nullptr);
    object["promiscuous"] = i.promiscuous;
    object["absent"] = i.absent;
    object["rss"] = rss_of(i);
  }
  if (i.kind == Kind::Vlan)
    object["vlan"] = {
        {"id", i.vlan_id}, {"protocol", protocol_of(i.vlan_tpid)}, {"parent", i.parent}};
  return object;
}

/// @throws CallError
InterfaceInfo need_interface(const Manager& manager, const std::string& name) {
  for (InterfaceInfo& i : manager.interfaces())
    if (i.name == name) return std::move(i);
  throw refusal({core::Errc::NotFound, "no interface \"" + name.substr(0, 64) + '"'});
}

Json list(Manager& manager, Params& params) {
  const std::string name = params.text("name", "");
  params.done();
  if (!name.empty()) return Json::array({to_json(need_interface(manager, name))});
  Json array = Json::array();
  for (const InterfaceInfo& i : manager.interfaces()) array.push_back(to_json(i));
  return array;
}

/// What an interface may have from the start, beside driver, options and name.
void read_settings(Params& params, InterfaceSpec& spec) {
  spec.addresses = params.all_parsed("addresses", parse_interface_address);
  spec.mtu = static_cast<std::uint16_t>(params.number("mtu", kMinMtu, kMaxMtu, 0));
  spec.up = params.boolean("up", true);
  spec.promiscuous = params.boolean("promiscuous", false);
  spec.software_rss = params.boolean("software_rss", true);
  spec.groups = params.all_parsed("groups", parse_address);
  spec.autoconf = params.boolean("autoconf", false);
  spec.vrf = params.text("vrf", "");
  if (params.has("urpf")) spec.urpf = params.parsed("urpf", parse_urpf);
}

Json create(Manager& manager, Params& params) {
  InterfaceSpec spec;
  spec.driver = params.text("driver");
  spec.options = params.options("options");
  if (params.has("name")) spec.name = params.parsed("name", parse_interface_name);
  read_settings(params, spec);
  params.done();
  return Json{{"name", done_or_throw(manager.create_interface(spec))}};
}

/// The text of `-d` and of `plx mount`: only the driver's options tell where a value ends.
Json mount(Manager& manager, Params& params) {
  const std::string device = params.text("device");
  InterfaceSpec spec;
  read_settings(params, spec);
  params.done();
  auto parsed = done_or_throw(manager.parse_device(device));
  spec.driver = std::move(parsed.driver);
  spec.options = std::move(parsed.options);
  if (!parsed.name.empty()) spec.name = done_or_throw(parse_interface_name(parsed.name));
  return Json{{"name", done_or_throw(manager.create_interface(spec))}};
}

Json destroy(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  params.done();
  done_or_throw(manager.destroy_interface(name));
  return Json::object();
}

Json add_address(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  const auto address = params.parsed("address", parse_interface_address);
  params.done();
  done_or_throw(manager.add_address(name, address));
  return Json::object();
}

Json delete_address(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  const auto address = params.parsed("address", parse_interface_address);
  params.done();
  done_or_throw(manager.delete_address(name, address));
  return Json::object();
}

/// What of an interface is to be changed.
struct Changes {
  std::optional<std::uint16_t> mtu;
  std::optional<bool> promiscuous, software_rss, autoconf, up;
  std::optional<std::string> name, vrf;
  std::optional<core::Interface::Urpf> urpf;

  [[nodiscard]] bool any() const {
    return mtu || promiscuous || software_rss || autoconf || up || name || vrf || urpf;
  }
};

Changes read_changes(Params& params) {
  Changes c;
  if (params.has("mtu")) c.mtu = static_cast<std::uint16_t>(params.number("mtu", kMinMtu, kMaxMtu));
  if (params.has("promiscuous")) c.promiscuous = params.boolean("promiscuous");
  if (params.has("software_rss")) c.software_rss = params.boolean("software_rss");
  if (params.has("autoconf")) c.autoconf = params.boolean("autoconf");
  if (params.has("vrf")) c.vrf = params.text("vrf");
  if (params.has("urpf")) c.urpf = params.parsed("urpf", parse_urpf);
  if (params.has("up")) c.up = params.boolean("up");
  if (params.has("new_name")) c.name = params.parsed("new_name", parse_interface_name);
  return c;
}

/// All or nothing: where one is refused those before it are taken back. Those without a way back
/// come last: of them only the first can be refused.
core::Expected<> change(Manager& m, const InterfaceInfo& before, const Changes& c) {
  std::string name = before.name;
  if (c.autoconf)
    if (auto set = m.set_autoconf(name, *c.autoconf); !set) return set;
  const auto undo_autoconf = [&] {
    if (c.autoconf) static_cast<void>(m.set_autoconf(name, before.autoconf));
  };
  if (c.mtu)
    if (auto set = m.set_mtu(name, *c.mtu); !set) {
      undo_autoconf();
      return set;
    }
  const auto undo_mtu = [&] {
    if (c.mtu) static_cast<void>(m.set_mtu(name, before.mtu));
    undo_autoconf();
  };
  if (c.promiscuous)
    if (auto set = m.set_promiscuous(name, *c.promiscuous); !set) {
      undo_mtu();
      return set;
    }
  const auto undo_promiscuous = [&] {
    if (c.promiscuous) static_cast<void>(m.set_promiscuous(name, before.promiscuous));
    undo_mtu();
  };
  if (c.name) {
    if (auto set = m.rename(name, *c.name); !set) {
      undo_promiscuous();
      return set;
    }
    name = *c.name;
  }
  if (c.software_rss)
    if (auto set = m.set_software_rss(name, *c.software_rss); !set) {
      if (c.name) static_cast<void>(m.rename(name, before.name));
      name = before.name;
      undo_promiscuous();
      return set;
    }
  return c.up ? m.set_up(name, *c.up) : core::Expected<>{core::Done{}};
}

/// The same, where a VRF or the check of sources changes as well.
core::Expected<> change_all(Manager& m, const InterfaceInfo& before, const Changes& c) {
  if (c.urpf)
    if (auto set = m.set_urpf(before.name, *c.urpf); !set) return set;
  core::Expected<> done = c.vrf ? m.set_vrf(before.name, *c.vrf) : core::Expected<>{core::Done{}};
  if (done) {
    done = change(m, before, c);
    if (!done && c.vrf) static_cast<void>(m.set_vrf(before.name, before.vrf));
  }
  if (!done && c.urpf) static_cast<void>(m.set_urpf(before.name, before.urpf));
  return done;
}

Json set(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  const Changes changes = read_changes(params);
  params.done();
  if (!changes.any())
    bad_params(
        "nothing to set, expected up, mtu, promiscuous, software_rss, autoconf, vrf, urpf or "
        "new_name");
  done_or_throw(change_all(manager, need_interface(manager, name), changes));
  return Json::object();
}

/// What is not given stays as in RtadvSpec; all of it is replaced.
Json set_rtadv(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  RtadvSpec spec;
  spec.enabled = params.boolean("enabled", true);
  spec.interval_s = params.number("interval", 4, 1800, spec.interval_s);
  spec.lifetime_s = params.number("lifetime", 0, 9000, 3 * spec.interval_s);
  spec.managed = params.boolean("managed", false);
  spec.other = params.boolean("other", false);
  spec.mtu = params.number("mtu", 0, kMaxMtu, 0);
  spec.hop_limit = params.number("hop_limit", 0, 255, spec.hop_limit);
  spec.reachable_ms = params.number("reachable_ms", 0, 3'600'000, 0);
  spec.retrans_ms = params.number("retrans_ms", 0, UINT32_MAX, 0);
  params.objects("prefixes", [&](Params& p) {
    AdvertisedPrefixSpec prefix;
    prefix.prefix = p.parsed("prefix", parse_network);
    prefix.valid_s = p.number("valid", 0, UINT32_MAX, prefix.valid_s);
    prefix.preferred_s = p.number("preferred", 0, UINT32_MAX, prefix.preferred_s);
    prefix.on_link = p.boolean("on_link", true);
    prefix.autonomous = p.boolean("autonomous", true);
    spec.prefixes.push_back(prefix);
  });
  params.done();
  done_or_throw(manager.set_rtadv(name, spec));
  return Json::object();
}

Json join_group(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  const auto group = params.parsed("group", parse_address);
  params.done();
  done_or_throw(manager.join_group(name, group));
  return Json::object();
}

Json leave_group(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  const auto group = params.parsed("group", parse_address);
  params.done();
  done_or_throw(manager.leave_group(name, group));
  return Json::object();
}

struct CapabilityName {
  std::uint32_t bit;
  std::string_view name;
};
constexpr std::array kCapabilities{
    CapabilityName{POLLUX_CAP_RX_IP4_CHECKSUM, "rx-ip4-checksum"},
    CapabilityName{POLLUX_CAP_RX_L4_CHECKSUM, "rx-l4-checksum"},
    CapabilityName{POLLUX_CAP_TX_IP4_CHECKSUM, "tx-ip4-checksum"},
    CapabilityName{POLLUX_CAP_TX_L4_CHECKSUM, "tx-l4-checksum"},
    CapabilityName{POLLUX_CAP_TX_TSO, "tso"},
    CapabilityName{POLLUX_CAP_RX_SCATTER, "rx-scatter"},
    CapabilityName{POLLUX_CAP_TX_CHAINED, "tx-chained"},
    CapabilityName{POLLUX_CAP_RSS, "rss"},
    CapabilityName{POLLUX_CAP_PROMISCUOUS, "promiscuous"},
    CapabilityName{POLLUX_CAP_MULTICAST, "multicast-filter"},
    CapabilityName{POLLUX_CAP_REMOVABLE, "removable"},
};
/// What the stack leaves to a device that can do it.
constexpr std::uint32_t kUsed = POLLUX_CAP_RX_IP4_CHECKSUM | POLLUX_CAP_RSS;

Json names_of(std::uint32_t capabilities) {
  Json names = Json::array();
  for (const auto& [bit, name] : kCapabilities)
    if ((capabilities & bit) != 0) names.push_back(name);
  return names;
}

Json nic_to_json(const Manager& manager, const std::vector<QueueInfo>& queues,
                 const InterfaceInfo& i) {
  Json object = to_json(i);
  std::uint32_t used = i.capabilities & kUsed;
  if (rss_of(i) != "device") used &= ~std::uint32_t{POLLUX_CAP_RSS};
  object["object"] = i.object;
  object["pmd"] = i.pmd;
  object["numa_node"] = i.numa_node >= 0 ? Json(i.numa_node) : Json(nullptr);
  object["capabilities"] = names_of(i.capabilities);
  object["offloads"] = names_of(used);
  object["queues"] = Json::array();
  for (const QueueInfo& q : queues)
    if (q.interface == i.name)
      object["queues"].push_back({{"queue", q.queue}, {"worker", q.worker}, {"pinned", q.pinned}});
  object["xstats"] = Json::object();
  if (const auto counters = manager.device_counters(i.name))
    for (const auto& [name, value] : *counters)
      if (value != 0) object["xstats"][name] = value;
  return object;
}

Json nicinfo(Manager& manager, Params& params) {
  const std::string name = params.text("name", "");
  params.done();
  if (!name.empty() && need_interface(manager, name).kind != core::Interface::Kind::Ethernet)
    throw refusal({core::Errc::Unsupported, name + " has no device of its own"});
  const auto queues = manager.queues();
  Json array = Json::array();
  for (const InterfaceInfo& i : manager.interfaces())
    if (i.kind == core::Interface::Kind::Ethernet && (name.empty() || i.name == name))
      array.push_back(nic_to_json(manager, queues, i));
  return array;
}

constexpr std::array kMethods{
    Method{"interface.list", list},
    Method{"interface.create", create},
    Method{"interface.mount", mount},
    Method{"interface.destroy", destroy},
    Method{"interface.address.add", add_address},
    Method{"interface.address.delete", delete_address},
    Method{"interface.set", set},
    Method{"interface.rtadv.set", set_rtadv},
    Method{"group.join", join_group},
    Method{"group.leave", leave_group},
    Method{"interface.nicinfo", nicinfo},
};
}  // namespace

std::span<const Method> interface_methods() {
  return kMethods;
}
}  // namespace polluxd
