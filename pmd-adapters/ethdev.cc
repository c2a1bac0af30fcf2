// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/ethdev.hh"

#include <fmt/format.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace pmd {
namespace {
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kDefaultMtu = 1500, kMaxMtu = 9216;
// A peer that has not brought the link up by then never will.
constexpr std::chrono::seconds kHandshake{10};
// A frame may carry two VLAN tags beside its Ethernet header (IEEE 802.1ad).
constexpr std::size_t kFrameOverhead = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
// What a device may count of a frame at most, its check sequence included.
constexpr std::size_t kFullOverhead = kFrameOverhead + RTE_ETHER_CRC_LEN;

}  // namespace

std::size_t buffer_capacity(const rte_mempool* pool) noexcept {
  const std::size_t room = rte_pktmbuf_data_room_size(const_cast<rte_mempool*>(pool));
  return room < RTE_PKTMBUF_HEADROOM ? 0 : room - RTE_PKTMBUF_HEADROOM;
}

Failure Ethdev::failure(const char* step, int error) const {
  return device_failure(spec_.device, step, error);
}

Outcome<std::unique_ptr<Ethdev>> Ethdev::open(EthdevSpec spec) {
  std::unique_ptr<Ethdev> dev{new Ethdev{std::move(spec)}};
  if (auto done = dev->probe(); !done) return done.error();
  if (auto done = dev->configure(); !done) return done.error();
  if (auto done = dev->settle_mtu(); !done) return done.error();
  if (auto done = dev->start(); !done) return done.error();
  if (dev->spec_.backing)
    if (auto done = dev->spec_.backing->started(dev->id_); !done) return done.error();
  return dev;
}

Outcome<> Ethdev::probe() {
  auto device = AttachedDevice::attach(spec_.devargs, spec_.device);
  if (!device) return device.error();
  device_.emplace(std::move(*device));
  id_ = device_->port();
  return core::Done{};
}

Outcome<> Ethdev::configure() {
  rte_eth_dev_info info{};
  if (const int result = rte_eth_dev_info_get(id_, &info); result != 0)
    return failure("ask the device what it can do", result);

  bus_name_ = rte_dev_name(info.device);
  is_pci_ = std::string_view{rte_bus_name(rte_dev_bus(info.device))} == "pci";
  rx_queues_ = std::min(spec_.queues, info.max_rx_queues);
  tx_queues_ = std::min(spec_.queues, info.max_tx_queues);
  rte_eth_conf conf{};
  ask_offloads(info, conf);
  ask_rss(info, conf);
  watch_removal();
  if (const int result = rte_eth_dev_configure(id_, rx_queues_, tx_queues_, &conf); result != 0)
    return failure("configure the device", result);

  std::uint16_t rx_descriptors = spec_.rx_descriptors, tx_descriptors = spec_.tx_descriptors;
  if (const int result = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors, &tx_descriptors);
      result != 0)
    return failure("size the queues", result);
  return set_up_queues(rte_eth_dev_socket_id(id_), rx_descriptors, tx_descriptors);
}

Outcome<> Ethdev::set_up_queues(int socket, std::uint16_t rx_descriptors,
                                std::uint16_t tx_descriptors) {
  const auto node = static_cast<unsigned>(socket);
  if (spec_.pool_near) spec_.pool = spec_.pool_near(socket);
  spec_.pool_near = nullptr;  // what it asks is there only while the device is opened
  for (std::uint16_t q = 0; q < rx_queues_; ++q)
    if (const int result =
            rte_eth_rx_queue_setup(id_, q, rx_descriptors, node, nullptr, spec_.pool);
        result != 0)
      return failure("set up a receive queue", result);
  for (std::uint16_t q = 0; q < tx_queues_; ++q)
    if (const int result = rte_eth_tx_queue_setup(id_, q, tx_descriptors, node, nullptr);
        result != 0)
      return failure("set up a transmit queue", result);
  return core::Done{};
}

std::uint16_t Ethdev::max_mtu() const noexcept {
  std::size_t frame = spec_.frame_capacity;
  rte_eth_dev_info info{};
  // In several buffers a frame may be as long as the device takes it.
  if (scatters() && spec_.scatter_capacity != 0)
    frame = spec_.scatter_capacity;
  else if (scatters() && rte_eth_dev_info_get(id_, &info) == 0)
    frame = std::min<std::size_t>(info.max_rx_pktlen, kMaxMtu + kFullOverhead) - RTE_ETHER_CRC_LEN;
  if (frame < kFrameOverhead) return 0;
  return static_cast<std::uint16_t>(std::min<std::size_t>(frame - kFrameOverhead, UINT16_MAX));
}

/// Why an MTU cannot be, and what would help.
Failure Ethdev::beyond(std::uint16_t mtu) const {
  const bool by_buffer = !scatters() && spec_.larger.empty();
  std::string help = spec_.larger;
  if (by_buffer) {
    help = fmt::format("raise limits.mbuf_size to {}", mtu + kFrameOverhead);
    if (started_ && spec_.offloads.scatter == Scatter::WhenNeeded)
      help += ", or give mtu when the interface is created: the device may use several buffers";
  }
  return Failure{
      EMSGSIZE, fmt::format("{}: MTU {} is beyond the {} that {}{}{}", spec_.device, mtu, max_mtu(),
                            by_buffer ? "a packet buffer holds" : "the device carries",
                            help.empty() ? "" : ": ", help)};
}

/// What the device is to believe its MTU to be, so that a frame with two tags is not too long for
/// it: many count one tag, or none.
std::uint16_t Ethdev::device_mtu(std::uint16_t mtu) const noexcept {
  rte_eth_dev_info info{};
  if (!spec_.room_for_tags || rte_eth_dev_info_get(id_, &info) != 0) return mtu;
  std::size_t counted = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  if (info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu)
    counted = info.max_rx_pktlen - info.max_mtu;
  const std::size_t wanted = mtu + (counted < kFullOverhead ? kFullOverhead - counted : 0);
  return static_cast<std::uint16_t>(
      std::clamp<std::size_t>(wanted, mtu, std::max(mtu, info.max_mtu)));
}

Outcome<> Ethdev::settle_mtu() {
  if (spec_.mtu != 0) return set_mtu(spec_.mtu);
  if (spec_.interface) {
    mtu_ = spec_.interface->mtu();
  } else {
    if (rte_eth_dev_get_mtu(id_, &mtu_) != 0 || mtu_ == 0) mtu_ = kDefaultMtu;
    if (spec_.room_for_tags) (void)rte_eth_dev_set_mtu(id_, device_mtu(mtu_));
  }
  if (mtu_ > max_mtu())
    return Failure{EMSGSIZE, fmt::format("{}: its MTU of {} is beyond the {} that a packet buffer "
                                         "holds: give mtu, or raise limits.mbuf_size",
                                         spec_.device, mtu_, max_mtu())};
  return core::Done{};
}

Outcome<> Ethdev::set_mtu(std::uint16_t mtu) {
  if (mtu > max_mtu()) return beyond(mtu);
  // Cards take another MTU at rest only: some refuse otherwise, some start anew by themselves.
  const bool rest = started_ && is_pci_;
  if (rest)
    if (const int result = rte_eth_dev_stop(id_); result != 0) return failure("stop", result);
  auto changed = change_mtu(mtu);
  if (changed) mtu_ = mtu;
  if (rest)
    if (const int result = rte_eth_dev_start(id_); result != 0) return failure("start", result);
  return changed;
}

Outcome<> Ethdev::change_mtu(std::uint16_t mtu) {
  if (spec_.interface) return spec_.interface->set_mtu(mtu);
  const int result = rte_eth_dev_set_mtu(id_, device_mtu(mtu));
  // Devices without the call carry what they were configured for, or whatever there is.
  const bool any = mtu <= kDefaultMtu || spec_.offloads.scatter == Scatter::Unasked;
  if (result == 0 || (result == -ENOTSUP && any)) return core::Done{};
  return failure(fmt::format("set MTU {}", mtu).c_str(), result);
}

Outcome<> Ethdev::start() {
  if (const int result = rte_eth_dev_start(id_); result != 0) return failure("start", result);
  started_ = true;
  started_at_ = Clock::now();
  // The port's address is the device's own, so its filter is right. Devices without a filter say
  // that they cannot; ether_input judges every address anyway.
  const int filters = rte_eth_promiscuous_disable(id_);
  if (filters != 0 && filters != -ENOTSUP) return failure("leave promiscuous mode", filters);
  if (filters == 0 && rte_eth_promiscuous_get(id_) == 0) capabilities_ |= POLLUX_CAP_PROMISCUOUS;
  capabilities_ |= multicast_capability();
  if (auto done = take_all_groups(); !done) return done.error();
  return take_all_vlans();
}

Ethdev::~Ethdev() {
  if (!device_) return;
  unwatch_removal();
  if (started_ && spec_.backing) spec_.backing->stopping(id_);
  if (started_) (void)rte_eth_dev_stop(id_);
  device_.reset();  // before what it stands on
}

void Ethdev::describe(pollux_port& out) const noexcept {
  out.rx = &Ethdev::rx;
  out.tx = &Ethdev::tx;
  rte_ether_addr mac{};
  if (rte_eth_macaddr_get(id_, &mac) == 0) std::copy_n(mac.addr_bytes, sizeof out.mac, out.mac);
  out.mtu = mtu_;
  out.rx_queues = rx_queues_;
  out.tx_queues = offered_tx_queues();
  out.capabilities = capabilities_;
  out.numa_node = rte_eth_dev_socket_id(id_);
  out.device[spec_.device.copy(out.device, sizeof out.device - 1)] = '\0';
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(id_, &info) == 0 && info.driver_name != nullptr) {
    const std::string_view pmd{info.driver_name};
    out.pmd[pmd.copy(out.pmd, sizeof out.pmd - 1)] = '\0';
  }
}

Outcome<pollux_link> Ethdev::link() {
  if (spec_.interface && !removed_) {
    auto link = spec_.interface->link();
    if (!link) removed_ = true;
    return link;
  }
  if (!removed_ && ((spec_.is_gone && spec_.is_gone()) || rte_eth_dev_is_removed(id_) != 0))
    removed_ = true;
  if (removed_) return Failure{ENODEV, fmt::format("{}: the device is gone", spec_.device)};
  if (spec_.control_queue) (void)rte_eth_tx_burst(id_, offered_tx_queues(), nullptr, 0);
  if (spec_.is_elsewhere && spec_.is_elsewhere()) return pollux_link{1, 0};
  rte_eth_link link{};
  if (const int result = rte_eth_link_get_nowait(id_, &link); result != 0)
    return failure("read the link", result);
  const bool up = link.link_status == RTE_ETH_LINK_UP;
  if (spec_.gone_when_down && !up && (was_up_ || Clock::now() - started_at_ > kHandshake))
    removed_ = true;
  was_up_ = was_up_ || up;
  if (removed_) return Failure{ENODEV, fmt::format("{}: its peer is gone", spec_.device)};
  const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
  return pollux_link{up, known ? link.link_speed : 0};
}

Outcome<> Ethdev::set_promiscuous(bool on) {
  if (keeps_promiscuous_) return core::Done{};
  const int result = on ? rte_eth_promiscuous_enable(id_) : rte_eth_promiscuous_disable(id_);
  if (result != 0) return failure(on ? "enter promiscuous mode" : "leave promiscuous mode", result);
  return core::Done{};
}

Outcome<std::size_t> Ethdev::xstats(std::span<pollux_xstat> out) const {
  std::size_t count = 0;
  const auto append = [&](const std::string& prefix, std::uint16_t port) {
    const auto counters = read_xstats(port);
    if (!counters) return false;
    for (const auto& [name, value] : *counters) {
      if (count < out.size()) {
        pollux_xstat& x = out[count];
        x = {};
        const std::string full = prefix + name;
        full.copy(x.name, sizeof x.name - 1);
        x.value = value;
      }
      ++count;
    }
    return true;
  };
  bool done = append("", id_);
  for (std::size_t i = 0; i < spec_.members.size(); ++i)
    done = append(fmt::format("member{}_", i), spec_.members[i].port()) && done;
  if (!done) return failure("read the counters", -EIO);
  return count;
}

Outcome<pollux_port_stats> Ethdev::stats() const {
  rte_eth_stats stats{};
  if (const int result = rte_eth_stats_get(id_, &stats); result != 0)
    return failure("read the counters", result);
  return pollux_port_stats{stats.imissed, stats.ierrors, stats.oerrors, stats.rx_nombuf};
}

std::uint16_t Ethdev::rx(void* port, std::uint16_t queue, rte_mbuf** packets,
                         std::uint16_t n) noexcept {
  return rte_eth_rx_burst(static_cast<const Ethdev*>(port)->id_, queue, packets, n);
}

std::uint16_t Ethdev::tx(void* port, std::uint16_t queue, rte_mbuf** packets,
                         std::uint16_t n) noexcept {
  return rte_eth_tx_burst(static_cast<const Ethdev*>(port)->id_, queue, packets, n);
}
}  // namespace pmd
