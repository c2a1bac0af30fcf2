// SPDX-License-Identifier: BSD-3-Clause
// VLANs: interfaces on top of others, by the tag of IEEE 802.1Q or 802.1ad.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "apps/polluxd/manager_impl.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/vlan.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;

struct VlanOptions {
  std::string parent;
  std::uint16_t id = 0, tpid = 0;
};

core::Expected<VlanOptions> read_options(const std::vector<pollux_option_value>& values) {
  VlanOptions o;
  for (const pollux_option_value& v : values) {
    const std::string_view name = v.name, value = v.value;
    if (name == "parent") {
      o.parent = value;
    } else if (name == "id") {
      std::uint32_t id = 0;
      std::from_chars(value.data(), value.data() + value.size(), id);
      if (id < proto::VlanTagView::kMinId || id > proto::VlanTagView::kMaxId)
        return Error{Errc::Invalid,
                     fmt::format("driver vlan: id={}: expected {} to {}", value,
                                 proto::VlanTagView::kMinId, proto::VlanTagView::kMaxId)};
      o.id = static_cast<std::uint16_t>(id);
    } else if (value == "802.1Q" || value == "802.1q") {
      o.tpid = proto::kTpidC;
    } else if (value == "802.1ad") {
      o.tpid = proto::kTpidS;
    } else {
      return Error{Errc::Invalid,
                   fmt::format("driver vlan: proto={}: expected 802.1Q or 802.1ad", value)};
    }
  }
  return o;
}

core::InterfaceId& slot_of(core::VlanTable& table, std::uint16_t tpid, std::uint16_t id) {
  return (tpid == proto::kTpidS ? table.s_tag : table.c_tag)[id];
}
}  // namespace

core::Expected<> Manager::check_vlan(const std::vector<pollux_option_value>& options) {
  const auto read = read_options(options);
  if (!read) return read.error();
  return core::Done{};
}

core::Expected<std::string> Manager::Impl::create_vlan(
    const InterfaceSpec& spec, const std::shared_ptr<const Driver>& driver) {
  const auto values = check_options(*driver, spec.options);
  if (!values) return values.error();
  const auto options = read_options(*values);
  if (!options) return options.error();
  const auto parent = find(options->parent);
  if (!parent)
    return Error{Errc::NotFound, fmt::format("no interface {} to carry the VLAN", options->parent)};
  const Interface& carrier = master.interfaces[*parent];
  if (!has_neighbors(*parent))
    return Error{Errc::Invalid, fmt::format("{} carries no Ethernet frames", options->parent)};
  if (carrier.encapsulation.length + proto::VlanTagView::kLen > carrier.encapsulation.bytes.size())
    return Error{Errc::Invalid,
                 fmt::format("{} has two VLAN tags already, which is the most", options->parent)};
  for (const core::InterfaceId other : vlans_on(*parent))
    if (managed[other].vlan_id == options->id && managed[other].vlan_tpid == options->tpid)
      return Error{Errc::Exists, fmt::format("VLAN {} of {} is {}", options->id, options->parent,
                                             name_of(other))};
  if (spec.mtu > carrier.mtu)
    return Error{Errc::Invalid,
                 fmt::format("MTU {}: {} carries {}", spec.mtu, options->parent, carrier.mtu)};
  const auto name = choose_name(spec.name, "vlan");
  if (!name) return name;
  const auto slot = free_slot();
  if (!slot) return slot.error();
  last_slot = *slot;

  Interface& i = master.interfaces[*slot];
  i.id = *slot;
  i.kind = Interface::Kind::Vlan;
  i.up = spec.up;
  i.mtu = spec.mtu;
  i.name = *name;
  ManagedInterface& m = managed[*slot];
  m.driver = "vlan";
  m.spec = spec;
  m.spec.name = *name;
  m.admin_up = spec.up;
  m.parent = *parent;
  m.vlan_id = options->id;
  m.vlan_tpid = options->tpid;
  follow_parent_of(*slot);
  show_vlan(*slot, true);
  return *name;
}

/// Whether frames with the tag find the interface, from the next publish() on.
void Manager::Impl::show_vlan(core::InterfaceId id, bool there) {
  Interface& carrier = master.interfaces[managed[id].parent];
  auto table = carrier.vlans != nullptr ? std::make_shared<core::VlanTable>(*carrier.vlans)
                                        : std::make_shared<core::VlanTable>();
  slot_of(*table, managed[id].vlan_tpid, managed[id].vlan_id) = there ? id : core::kNoInterface;
  const bool last = !there && vlans_on(managed[id].parent).size() <= 1;
  carrier.vlans = last ? nullptr : std::shared_ptr<const core::VlanTable>{std::move(table)};
}

std::vector<core::InterfaceId> Manager::Impl::vlans_on(core::InterfaceId parent) const {
  std::vector<core::InterfaceId> ids;
  for (const Interface& i : master.interfaces)
    if (i.kind == Interface::Kind::Vlan && managed[i.id].parent == parent) ids.push_back(i.id);
  return ids;
}

void Manager::Impl::follow_parent(core::InterfaceId parent) {
  for (const core::InterfaceId id : vlans_on(parent)) {
    follow_parent_of(id);
    follow_parent(id);
  }
}

/// What a VLAN has of its carrier: port, address, tags beneath its own, the largest MTU.
void Manager::Impl::follow_parent_of(core::InterfaceId id) {
  const Interface& carrier = master.interfaces[managed[id].parent];
  Interface& i = master.interfaces[id];
  const bool was = i.port_id != core::kNoInterface;
  const std::uint16_t asked = managed[id].spec.mtu;
  const std::uint16_t mtu = asked == 0 ? carrier.mtu : std::min(asked, carrier.mtu);
  const bool same = i.mac == carrier.mac && i.mtu == mtu;
  i.port_id = carrier.port_id;
  i.mac = carrier.mac;
  i.mtu = mtu;
  i.encapsulation = carrier.encapsulation;
  proto::emit_vlan_tag(managed[id].vlan_tpid, managed[id].vlan_id,
                       proto::MutBytes{i.encapsulation.bytes}.subspan(i.encapsulation.length));
  i.encapsulation.length =
      static_cast<std::uint8_t>(i.encapsulation.length + proto::VlanTagView::kLen);
  if (!was || same) return;
  publish();
  link_changed(id);
}
}  // namespace polluxd
