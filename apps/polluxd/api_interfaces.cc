// SPDX-License-Identifier: BSD-3-Clause
// interface.*: the network interfaces and their addresses.
#include <array>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/spec_syntax.hh"

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

Json to_json(const InterfaceInfo& i) {
  Json addresses = Json::array();
  for (const proto::Ip4Prefix& a : i.addresses) addresses.push_back(proto::to_string(a));
  Json object{{"name", i.name},
              {"kind", to_text(i.kind)},
              {"driver", i.driver},
              {"device", i.device},
              {"up", i.up},
              {"mtu", i.mtu},
              {"addresses", std::move(addresses)},
              {"rx_queues", i.rx_queues},
              {"tx_queues", i.tx_queues}};
  object["link"] = i.link ? Json(*i.link) : Json(nullptr);
  if (i.kind != core::Interface::Kind::Tunnel) object["mac"] = proto::to_string(i.mac);
  return object;
}

std::optional<InterfaceInfo> find_interface(const Manager& manager, const std::string& name) {
  for (InterfaceInfo& i : manager.interfaces())
    if (i.name == name) return std::move(i);
  return std::nullopt;
}

Json list(Manager& manager, Params& params) {
  const std::string name = params.text("name", "");
  params.done();
  Json array = Json::array();
  for (const InterfaceInfo& i : manager.interfaces())
    if (name.empty() || i.name == name) array.push_back(to_json(i));
  if (!name.empty() && array.empty())
    throw refusal({core::Errc::NotFound, "no interface \"" + name.substr(0, 64) + '"'});
  return array;
}

Json create(Manager& manager, Params& params) {
  InterfaceSpec spec;
  spec.driver = params.text("driver");
  spec.options = params.options("options");
  if (params.has("name")) spec.name = params.parsed("name", parse_interface_name);
  spec.addresses = params.all_parsed("addresses", parse_interface_address);
  spec.mtu = static_cast<std::uint16_t>(params.number("mtu", kMinMtu, kMaxMtu, 0));
  spec.up = params.boolean("up", true);
  params.done();
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

/// Both or neither: where the second is refused the first is taken back.
Json set(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  std::optional<bool> up;
  std::optional<std::uint16_t> mtu;
  if (params.has("up")) up = params.boolean("up");
  if (params.has("mtu")) mtu = static_cast<std::uint16_t>(params.number("mtu", kMinMtu, kMaxMtu));
  params.done();
  if (!up && !mtu) bad_params("nothing to set, expected \"up\", \"mtu\" or both");
  const auto before = find_interface(manager, name);
  if (mtu) done_or_throw(manager.set_mtu(name, *mtu));
  if (!up) return Json::object();
  if (const auto result = manager.set_up(name, *up); !result) {
    if (mtu && before) static_cast<void>(manager.set_mtu(name, before->mtu));
    throw refusal(result.error());
  }
  return Json::object();
}

constexpr std::array kMethods{
    Method{"interface.list", list},
    Method{"interface.create", create},
    Method{"interface.destroy", destroy},
    Method{"interface.address.add", add_address},
    Method{"interface.address.delete", delete_address},
    Method{"interface.set", set},
};
}  // namespace

std::span<const Method> interface_methods() {
  return kMethods;
}
}  // namespace polluxd
