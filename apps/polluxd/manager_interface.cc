// SPDX-License-Identifier: BSD-3-Clause
// Interfaces. Create = start the device, then publish. Destroy = publish
// without it, one grace period, then close.
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"
#include "apps/polluxd/manager_vrf.hh"
#include "core/log.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;
using proto::IpPrefix;
using proto::NextHopKind;
using proto::RouteOrigin;

constexpr std::uint16_t kMinMtu = 68;    // RFC 791 section 3.2
constexpr std::size_t kMaxNameLen = 15;  // IFNAMSIZ - 1: names fit the kernel's tools

bool valid_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxNameLen &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}
}  // namespace

core::Expected<core::InterfaceId> Manager::Impl::find(const std::string& name) const {
  for (const Interface& i : master.interfaces)
    if (i.kind != Interface::Kind::None && i.name == name) return i.id;
  return Error{Errc::NotFound, fmt::format("no interface {}", name)};
}

/// The free slot after the last one given: an id is not used again while packets for its former
/// owner may still be on their way between threads.
core::Expected<core::InterfaceId> Manager::Impl::free_slot() const {
  for (std::size_t n = 1; n <= master.interfaces.size(); ++n) {
    const std::size_t id = (last_slot + n) % master.interfaces.size();
    if (master.interfaces[id].kind == Interface::Kind::None)
      return static_cast<core::InterfaceId>(id);
  }
  return Error{Errc::Full, fmt::format("interface table is full: {} interfaces (limits.interfaces)",
                                       limits.interfaces)};
}

core::Expected<std::string> Manager::Impl::choose_name(const std::string& wanted,
                                                       const std::string& prefix) const {
  if (wanted.empty()) {
    for (unsigned n = 0;; ++n)
      if (std::string name = fmt::format("{}{}", prefix, n); !find(name)) return name;
  }
  if (!valid_name(wanted))
    return Error{Errc::Invalid,
                 fmt::format("interface name '{}': expected 1 to {} letters, digits, '.', '_', '-'",
                             wanted, kMaxNameLen)};
  if (find(wanted)) return Error{Errc::Exists, fmt::format("interface {} exists", wanted)};
  return wanted;
}

core::Expected<std::string> Manager::create_interface(const InterfaceSpec& spec) {
  const auto driver = impl_->drivers.load(spec.driver);
  if (!driver) return driver.error();
  if (is_built_in(**driver)) {
    auto name = impl_->create_vlan(spec, *driver);
    return name ? impl_->finish_interface(*impl_->find(*name), spec) : name;
  }
  if (auto name = impl_->choose_name(spec.name, interface_prefix(**driver)); !name) return name;
  auto port = impl_->open_port(spec, *driver, spec.mtu);
  if (!port) return port.error();
  return attach_interface(spec, driver_name(**driver), *std::move(port));
}

core::Expected<std::string> Manager::attach_interface(const InterfaceSpec& spec,
                                                      const std::string& driver, OpenPort port) {
  Impl& m = *impl_;
  const auto refuse = [&](const Error& e) -> core::Expected<std::string> {
    if (port.driver != nullptr) port.close();
    return e;
  };
  const auto name =
      m.choose_name(spec.name, port.driver != nullptr ? interface_prefix(*port.driver) : driver);
  if (!name) return refuse(name.error());
  const auto slot = m.free_slot();
  if (!slot) return refuse(slot.error());
  const core::InterfaceId id = *slot;
  m.last_slot = id;

  Interface& i = m.master.interfaces[id];
  i.id = i.port_id = id;
  i.kind = Interface::Kind::Ethernet;
  i.name = *name;
  Impl::ManagedInterface& managed = m.managed[id];
  managed.driver = driver;
  managed.spec = spec;
  managed.spec.name = *name;
  managed.admin_up = spec.up;
  m.connect(id, std::move(port));
  if (spec.mtu == 0) managed.device_mtu = i.mtu;
  if (spec.promiscuous)
    if (auto set = managed.port.set_promiscuous(true); !set) {
      m.remove_interface(id);
      return set.error();
    }
  managed.promiscuous = spec.promiscuous;
  return m.finish_interface(id, spec);
}

/// The second half of every creation: addresses, then everybody sees it. On error it is undone.
core::Expected<std::string> Manager::Impl::finish_interface(core::InterfaceId id,
                                                            const InterfaceSpec& spec) {
  core::Expected<> done = make_base_next_hops(id);
  if (const auto vrf = find_vrf(spec.vrf); !vrf)
    done = vrf.error();
  else if (*vrf != 0 && spec.autoconf)
    done = no_autoconf_in_vrf(name_of(id));
  else if (const auto can = check_autoconf(spec.autoconf); !can)
    done = can;
  else
    master.interfaces[id].vrf = *vrf;
  managed[id].spec.vrf = vrf_of(id) == 0 ? std::string{} : spec.vrf;
  master.interfaces[id].urpf = spec.urpf;
  for (const IpPrefix& a : spec.addresses)
    if (done) done = add_address(id, a);
  if (done) update_inet6(id);
  for (const core::IpAddress& group : spec.groups)
    if (done) done = join(id, group);
  if (!done) {
    const Error& why = done.error();
    remove_interface(id);
    return why;
  }
  publish();
  add_rx_queues(id);
  (void)balance(/*anew=*/false);
  refresh_tunnels();
  tell(ManagerEvent::Kind::InterfaceCreated, name_of(id));
  return name_of(id);
}

core::Expected<> Manager::Impl::make_base_next_hops(core::InterfaceId id) {
  const auto local = next_hops.allocate({.kind = NextHopKind::Local, .interface = id});
  const auto broadcast = next_hops.allocate(broadcast_fields(id));
  if (local && broadcast) {
    managed[id].local = *local;
    managed[id].broadcast = *broadcast;
    return core::Done{};
  }
  if (local) next_hops.release(*local);
  return Error{Errc::Full, fmt::format("next-hop table is full: {} entries (limits.next_hops)",
                                       next_hops.capacity())};
}

core::Expected<> Manager::destroy_interface(const std::string& name) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  if (m.master.interfaces[*id].kind == Interface::Kind::Tunnel) return destroy_tunnel(name);
  m.destroy(*id);
  (void)m.balance(/*anew=*/false);
  m.refresh_tunnels();
  return core::Done{};
}

/// What is on top goes first.
void Manager::Impl::destroy(core::InterfaceId id) {
  for (const core::InterfaceId vlan : vlans_on(id)) destroy(vlan);
  const std::string name = name_of(id);
  remove_interface(id);
  tell(ManagerEvent::Kind::InterfaceDestroyed, name);
  tell_drivers();
}

/// What leans on the interface goes first: routes, neighbours, addresses; then the interface; then
/// its device, when no worker can be in it any more. A tunnel whose endpoint goes stays, and works
/// again once some interface has the address.
void Manager::Impl::remove_interface(core::InterfaceId id) {
  leave_inet6(id);
  leave_interface(id);
  remove_stranded_routes(id, /*all=*/true);
  while (!managed[id].addresses.empty()) remove_address(id, managed[id].addresses.size() - 1);
  managed[id].asked_groups.clear();
  (void)update_memberships(id);
  memberships.forget(id);
  changed_links.erase(id);
  neighbors.remove_unless(id, [](const auto&) { return false; });
  std::erase_if(announcements, [&](const Announcement& a) { return a.interface == id; });
  std::erase_if(pins, [&](const Pin& p) { return p.queue.interface == id; });

  if (master.interfaces[id].kind == Interface::Kind::Vlan) show_vlan(id, false);
  OpenPort port = disconnect(id);
  const ManagedInterface gone = std::exchange(managed[id], {});
  master.interfaces[id] = {};
  publish();
  for (const proto::NextHopId nh : {gone.local, gone.broadcast})
    if (nh != 0) next_hops.release(nh);
  if (port.driver != nullptr) port.close();
  for (const Shard* s : env.shards) {
    const core::InterfaceCounters& c = s->worker.interface[id];
    managed[id].base.rx.packets += c.rx.packets.read();
    managed[id].base.rx.bytes += c.rx.bytes.read();
    managed[id].base.tx.packets += c.tx.packets.read();
    managed[id].base.tx.bytes += c.tx.bytes.read();
  }
}

core::Expected<> Manager::set_up(const std::string& name, bool up) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  Interface& i = m.master.interfaces[*id];
  Impl::ManagedInterface& managed = m.managed[*id];
  managed.spec.up = up;
  if (managed.admin_up == up) return core::Done{};
  managed.admin_up = up;
  if (!up) m.stop_advertising(*id);
  i.up = up && !m.is_absent(*id);
  m.publish();
  core::log::info("{}: {}", name, up ? "up" : "down");
  m.tell(up ? ManagerEvent::Kind::InterfaceUp : ManagerEvent::Kind::InterfaceDown, name);
  if (up)
    m.link_is_up(*id);
  else
    m.detection.stop_all(*id);
  return core::Done{};
}

core::Expected<> Manager::set_mtu(const std::string& name, std::uint16_t mtu) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  Interface& i = m.master.interfaces[*id];
  Impl::ManagedInterface& managed = m.managed[*id];
  // A device knows what it carries, and a VLAN carries what its parent does. A tunnel's packets lie
  // in one packet buffer when they are encrypted.
  const bool judged_below = managed.port.driver != nullptr || i.kind == Interface::Kind::Vlan;
  const std::uint32_t most = judged_below ? std::uint32_t{UINT16_MAX} : m.limits.mbuf_size - 14;
  if (mtu < kMinMtu || mtu > most)
    return Error{Errc::Invalid,
                 fmt::format("MTU {}: expected {} to {} bytes (packet buffers hold {})", mtu,
                             kMinMtu, most, m.limits.mbuf_size)};
  if (i.kind == Interface::Kind::Vlan && mtu > m.master.interfaces[managed.parent].mtu)
    return Error{Errc::Invalid, fmt::format("MTU {}: {} carries {}", mtu, m.name_of(managed.parent),
                                            m.master.interfaces[managed.parent].mtu)};
  if (managed.port.driver != nullptr)
    if (auto set = m.set_port_mtu(*id, mtu); !set) return set;
  managed.spec.mtu = mtu;
  i.mtu = mtu;
  m.publish();
  m.link_changed(*id);
  m.follow_parent(*id);
  return core::Done{};
}

core::Expected<> Manager::set_promiscuous(const std::string& name, bool on) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  Impl::ManagedInterface& managed = m.managed[*id];
  if (m.master.interfaces[*id].kind != Interface::Kind::Ethernet)
    return Error{Errc::Unsupported, fmt::format("{} has no device of its own", name)};
  if (managed.port.driver != nullptr)
    if (auto set = managed.port.set_promiscuous(on); !set) return set;
  managed.promiscuous = managed.spec.promiscuous = on;
  return core::Done{};
}

core::Expected<> Manager::rename(const std::string& name, const std::string& to) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  if (name == to) return core::Done{};
  if (to.empty()) return Error{Errc::Invalid, fmt::format("{}: the new name is empty", name)};
  const auto chosen = m.choose_name(to, {});
  if (!chosen) return chosen.error();
  if (m.is_tunnel(*id)) m.tunnel_list[*m.find_tunnel(name)].spec.name = to;
  m.master.interfaces[*id].name = to;
  m.managed[*id].spec.name = to;
  for (const core::InterfaceId vlan : m.vlans_on(*id))
    for (auto& [option, value] : m.managed[vlan].spec.options)
      if (option == "parent") value = to;
  m.publish();
  m.tell(ManagerEvent::Kind::InterfaceRenamed, to, name);
  return core::Done{};
}

std::vector<InterfaceInfo> Manager::interfaces() const {
  std::vector<InterfaceInfo> all;
  for (const Interface& i : impl_->master.interfaces) {
    if (i.kind == Interface::Kind::None) continue;
    const Impl::ManagedInterface& m = impl_->managed[i.id];
    const pollux_port& p = m.port.port;
    InterfaceInfo info;
    info.name = i.name;
    info.driver = m.driver;
    info.device = p.device;
    info.id = i.id;
    info.kind = i.kind;
    info.up = m.admin_up;
    info.mac = i.mac;
    info.mtu = i.mtu;
    impl_->describe_addresses(i.id, info);
    info.rx_queues = p.rx_queues;
    info.tx_queues = p.tx_queues;
    info.promiscuous = m.promiscuous;
    info.vrf = impl_->vrf_name(i.vrf);
    info.urpf = i.urpf;
    info.absent = impl_->is_absent(i.id);
    info.spread = i.spread;
    info.speed_mbps = m.speed_mbps;
    info.capabilities = p.capabilities;
    info.pmd = p.pmd;
    if (i.kind == Interface::Kind::Vlan) {
      info.parent = impl_->name_of(m.parent);
      info.vlan_id = m.vlan_id;
      info.vlan_tpid = m.vlan_tpid;
    }
    if (m.port.driver != nullptr) {
      info.object = driver_file(*m.port.driver);
      info.numa_node = p.numa_node;
      if (const auto link = m.port.link()) info.link = link->up != 0;
    } else if (info.absent) {
      info.link = false;
    }
    all.push_back(std::move(info));
  }
  return all;
}
}  // namespace polluxd
