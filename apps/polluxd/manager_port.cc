// SPDX-License-Identifier: BSD-3-Clause
// Ports: which worker polls which of their queues, their link, devices that go and come back.
//
// A receive queue changes hands in two steps, for two workers must never poll it at once and a flow
// must keep its order: first nobody polls it and all that was taken from it is finished, then the
// new worker does.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "apps/polluxd/manager_impl.hh"
#include "core/log.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::Interface;

constexpr std::uint64_t kDevicePoll_us = 100'000;  ///< how often the link is looked at
constexpr std::uint64_t kFirstRetry_us = 1'000'000, kLongestRetry_us = 10'000'000;

bool same(const core::RxQueue& a, const core::RxQueue& b) noexcept {
  return a.interface == b.interface && a.queue == b.queue;
}

bool contains(const std::vector<core::RxQueue>& list, const core::RxQueue& q) noexcept {
  return std::any_of(list.begin(), list.end(), [&](const auto& other) { return same(q, other); });
}
}  // namespace

core::Expected<OpenPort> Manager::Impl::open_port(const InterfaceSpec& spec,
                                                  const std::shared_ptr<const Driver>& driver,
                                                  std::uint16_t mtu) {
  auto port = drivers.open(driver, {.options = spec.options,
                                    .queues = static_cast<std::uint16_t>(env.shards.size()),
                                    .mtu = mtu,
                                    .pool = env.pool,
                                    .pool_near = env.pool_near});
  if (port) tell_drivers();
  return port;
}

/// Gives an interface its port; published with the next publish(), but for the receive queues.
void Manager::Impl::connect(core::InterfaceId id, OpenPort port) {
  Interface& i = master.interfaces[id];
  ManagedInterface& m = managed[id];
  const pollux_port& p = port.port;
  i.up = m.admin_up;
  i.mtu = p.mtu;
  i.port = p.port;
  i.rx = p.rx;
  i.tx = p.tx;
  i.rx_checksum = (p.capabilities & POLLUX_CAP_RX_IP4_CHECKSUM) != 0;
  i.tx_chained = (p.capabilities & POLLUX_CAP_TX_CHAINED) != 0;
  std::copy_n(std::begin(p.mac), i.mac.size(), i.mac.begin());
  assign_tx_queues(i, p.tx_queues);
  m.port = std::move(port);
  i.spread = needs_spreading(id);
  m.link.reset();
  m.retries = 0;
}

/// Software RSS is for devices that do not give every worker its share of the flows.
bool Manager::Impl::needs_spreading(core::InterfaceId id) const {
  const pollux_port& p = managed[id].port.port;
  const bool by_device = (p.capabilities & POLLUX_CAP_RSS) != 0 && p.rx_queues >= env.shards.size();
  return managed[id].spec.software_rss && env.shards.size() > 1 && !by_device;
}

/// Takes the port away: nobody polls it, all that was received is finished, nothing is sent any
/// more. On return no worker can be in it.
OpenPort Manager::Impl::disconnect(core::InterfaceId id) {
  for (auto& queues : master.rx_queues)
    std::erase_if(queues, [&](const core::RxQueue& q) { return q.interface == id; });
  publish();
  drain_handoff();
  Interface& i = master.interfaces[id];
  i.up = false;
  i.port = nullptr;
  i.rx = i.tx = nullptr;
  publish();
  managed[id].link.reset();
  return std::exchange(managed[id].port, {});
}

/// A card may stop and start for another MTU: nobody is in it meanwhile.
core::Expected<> Manager::Impl::set_port_mtu(core::InterfaceId id, std::uint16_t mtu) {
  const auto polled = master.rx_queues;
  OpenPort port = disconnect(id);
  auto done = port.set_mtu(mtu);
  Interface& i = master.interfaces[id];
  i.port = port.port.port;
  i.rx = port.port.rx;
  i.tx = port.port.tx;
  i.up = managed[id].admin_up;
  managed[id].port = std::move(port);
  master.rx_queues = polled;
  publish();
  return done;
}

/// A worker without a transmit queue of its own hands its packets to one that has.
void Manager::Impl::assign_tx_queues(Interface& i, std::uint16_t tx_queues) {
  const auto workers = static_cast<std::uint16_t>(env.shards.size());
  const std::uint16_t owners = std::min(workers, std::max<std::uint16_t>(tx_queues, 1));
  i.tx_queues.resize(workers);
  for (std::uint16_t w = 0; w < workers; ++w) {
    const auto q = static_cast<std::uint16_t>(w % owners);
    i.tx_queues[w] = {q, q};
  }
}

bool Manager::Impl::is_pinned(const core::RxQueue& q) const {
  return std::any_of(pins.begin(), pins.end(), [&](const Pin& p) { return same(p.queue, q); });
}

/// Gives the queues of a new port to the workers that have least, then evens out what there is.
void Manager::Impl::add_rx_queues(core::InterfaceId id) {
  for (std::uint16_t q = 0; q < managed[id].port.port.rx_queues; ++q) {
    const auto least =
        std::min_element(master.rx_queues.begin(), master.rx_queues.end(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    least->push_back({id, q});
  }
  publish();
}

/// Moves queues from workers that have more to workers that have less, as few as possible; `anew`
/// forgets the present order and deals all of them out. @return how many have moved.
std::size_t Manager::Impl::balance(bool anew) {
  auto wanted = master.rx_queues;
  const auto fewest = [&] {
    return std::min_element(wanted.begin(), wanted.end(),
                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
  };
  if (anew) {
    for (auto& list : wanted)
      std::erase_if(list, [&](const core::RxQueue& q) { return !is_pinned(q); });
    for (const Interface& i : master.interfaces)
      for (std::uint16_t q = 0; i.port != nullptr && q < managed[i.id].port.port.rx_queues; ++q)
        if (!is_pinned({i.id, q})) fewest()->push_back({i.id, q});
  } else {
    for (;;) {
      const auto most =
          std::max_element(wanted.begin(), wanted.end(),
                           [](const auto& a, const auto& b) { return a.size() < b.size(); });
      const auto least = fewest();
      const auto movable =
          std::find_if(most->rbegin(), most->rend(), [&](const auto& q) { return !is_pinned(q); });
      if (most->size() < least->size() + 2 || movable == most->rend()) break;
      least->push_back(*movable);
      most->erase(std::next(movable).base());
    }
  }
  std::size_t moved = 0;
  for (std::size_t w = 0; w < wanted.size(); ++w)
    for (const core::RxQueue& q : wanted[w]) moved += contains(master.rx_queues[w], q) ? 0 : 1;
  if (moved != 0) move_queues(std::move(wanted));
  return moved;
}

void Manager::Impl::move_queues(std::vector<std::vector<core::RxQueue>> wanted) {
  for (std::size_t w = 0; w < wanted.size(); ++w)
    std::erase_if(master.rx_queues[w],
                  [&](const core::RxQueue& q) { return !contains(wanted[w], q); });
  publish();
  drain_handoff();
  master.rx_queues = std::move(wanted);
  publish();
}

/// Waits until the workers have taken all that lay in the rings between them, and finished it.
void Manager::Impl::drain_handoff() {
  using namespace std::chrono_literals;
  const auto give_up = std::chrono::steady_clock::now() + 200ms;  // nobody may be running
  while (!handoff.empty() && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(20us);
  env.rcu.grace_period();
}

std::vector<QueueInfo> Manager::queues() const {
  std::vector<QueueInfo> all;
  const Impl& m = *impl_;
  for (std::size_t w = 0; w < m.master.rx_queues.size(); ++w)
    for (const core::RxQueue& q : m.master.rx_queues[w])
      all.push_back({.interface = m.name_of(q.interface),
                     .queue = q.queue,
                     .worker = static_cast<std::uint16_t>(w),
                     .pinned = m.is_pinned(q)});
  std::sort(all.begin(), all.end(), [](const QueueInfo& a, const QueueInfo& b) {
    return std::tie(a.interface, a.queue) < std::tie(b.interface, b.queue);
  });
  return all;
}

std::size_t Manager::spread_queues() {
  return impl_->balance(/*anew=*/true);
}

core::Expected<> Manager::assign_queue(const std::string& name, std::uint16_t queue,
                                       std::uint16_t worker) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  const std::uint16_t queues = m.managed[*id].port.port.rx_queues;
  if (queue >= queues)
    return Error{Errc::Invalid,
                 fmt::format("{} has no receive queue {}: it has {}", name, queue, queues)};
  if (worker >= m.env.shards.size())
    return Error{Errc::Invalid,
                 fmt::format("no worker {}: there are {}", worker, m.env.shards.size())};
  const core::RxQueue q{*id, queue};
  std::erase_if(m.pins, [&](const Impl::Pin& p) { return same(p.queue, q); });
  m.pins.push_back({q, worker});
  auto wanted = m.master.rx_queues;
  for (auto& list : wanted) std::erase_if(list, [&](const auto& other) { return same(q, other); });
  wanted[worker].push_back(q);
  m.move_queues(std::move(wanted));
  return core::Done{};
}

core::Expected<> Manager::set_software_rss(const std::string& name, bool on) {
  Impl& m = *impl_;
  const auto id = m.find(name);
  if (!id) return id.error();
  if (m.master.interfaces[*id].kind != Interface::Kind::Ethernet)
    return Error{Errc::Unsupported, fmt::format("{} has no queues", name)};
  m.managed[*id].spec.software_rss = on;
  m.master.interfaces[*id].spread = m.needs_spreading(*id);
  m.publish();
  return core::Done{};
}

core::Expected<std::vector<std::pair<std::string, std::uint64_t>>> Manager::device_counters(
    const std::string& name) const {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  const OpenPort& port = impl_->managed[*id].port;
  if (port.driver == nullptr) return std::vector<std::pair<std::string, std::uint64_t>>{};
  return port.xstats();
}

void Manager::Impl::poll_devices() {
  if (now_us < next_device_poll_us) return;
  next_device_poll_us = now_us + kDevicePoll_us;
  for (core::InterfaceId id = 0; id < managed.size(); ++id) {
    ManagedInterface& m = managed[id];
    if (master.interfaces[id].kind != Interface::Kind::Ethernet) continue;
    if (m.port.driver == nullptr) {
      if (m.retry_at_us != 0 && now_us >= m.retry_at_us) look_for_device(id);
      continue;
    }
    const auto link = m.port.link();
    if (!link) {
      if (link.error().code == Errc::NotFound) device_gone(id);
      continue;
    }
    const bool up = link->up != 0;
    m.speed_mbps = link->speed_mbps;
    if (m.link == up) continue;
    const bool first = !m.link;
    m.link = up;
    ++link_version;
    if (first && up) continue;  // as everybody expects
    core::log::info("{}: link {}", name_of(id), up ? "up" : "down");
    tell(up ? ManagerEvent::Kind::LinkUp : ManagerEvent::Kind::LinkDown, name_of(id));
    if (!up) continue;
    link_is_up(id);  // another switch port, perhaps: it learns where we are
    for (const core::InterfaceId vlan : vlans_on(id)) link_is_up(vlan);
  }
}

/// The interface stays, with its addresses and routes, and waits for its device.
void Manager::Impl::device_gone(core::InterfaceId id) {
  const std::string device = managed[id].port.port.device;
  core::log::warning("{}: {} is gone", name_of(id), device);
  OpenPort port = disconnect(id);
  port.close();
  managed[id].retry_at_us = now_us + kFirstRetry_us;
  tell(ManagerEvent::Kind::DeviceGone, name_of(id), device);
  tell_drivers();
}

void Manager::Impl::look_for_device(core::InterfaceId id) {
  ManagedInterface& m = managed[id];
  const auto wait = std::min(kLongestRetry_us, kFirstRetry_us << std::min(m.retries++, 8U));
  m.retry_at_us = now_us + wait;
  const auto driver = drivers.load(m.spec.driver);
  if (!driver) return;
  auto port = open_port(m.spec, *driver, master.interfaces[id].mtu);
  if (!port) return;
  m.retry_at_us = 0;
  connect(id, *std::move(port));
  if (m.promiscuous) (void)m.port.set_promiscuous(true);
  publish();
  add_rx_queues(id);
  (void)balance(/*anew=*/false);
  link_changed(id);
  follow_parent(id);
  core::log::info("{}: {} is back", name_of(id), m.port.port.device);
  tell(ManagerEvent::Kind::DeviceBack, name_of(id), m.port.port.device);
  set_multicast_filter(id);
  link_is_up(id);
}

void Manager::on_event(std::function<void(const ManagerEvent&)> listener) {
  impl_->listener = std::move(listener);
  impl_->known_drivers = impl_->drivers.loaded();
}

void Manager::Impl::tell(ManagerEvent::Kind kind, const std::string& subject, std::string detail) {
  if (listener) listener({kind, subject, std::move(detail)});
}

/// Which objects have been loaded or unloaded since the last look.
void Manager::Impl::tell_drivers() {
  if (!listener) return;
  auto now = drivers.loaded();
  const auto has = [](const std::vector<LoadedDriver>& list, const LoadedDriver& d) {
    return std::any_of(list.begin(), list.end(), [&](const auto& o) { return o.file == d.file; });
  };
  for (const LoadedDriver& d : known_drivers)
    if (!has(now, d)) tell(ManagerEvent::Kind::DriverUnloaded, d.name, d.file);
  for (const LoadedDriver& d : now)
    if (!has(known_drivers, d)) tell(ManagerEvent::Kind::DriverLoaded, d.name, d.file);
  known_drivers = std::move(now);
}

core::Expected<ParsedDevice> Manager::parse_device(std::string_view text) const {
  return impl_->drivers.parse_device(text);
}

std::vector<DriverInfo> Manager::drivers() const {
  std::vector<DriverInfo> all;
  for (LoadedDriver& d : impl_->drivers.list()) {
    DriverInfo info{.object = std::move(d), .interfaces = {}};
    for (const Interface& i : impl_->master.interfaces)
      if (i.kind != Interface::Kind::None && impl_->managed[i.id].driver == info.object.name)
        info.interfaces.push_back(i.name);
    all.push_back(std::move(info));
  }
  return all;
}
}  // namespace polluxd
