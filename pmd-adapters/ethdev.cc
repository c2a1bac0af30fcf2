// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/ethdev.hh"

#include <fmt/format.h>
#include <rte_bus.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <bitset>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace pmd {
namespace {
constexpr std::uint16_t kDefaultMtu = 1500;
// A frame may carry one VLAN tag beside its Ethernet header.
constexpr std::size_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;

using PortSet = std::bitset<RTE_MAX_ETHPORTS>;

PortSet ports() {
  PortSet set;
  for (std::uint16_t id = 0; id < RTE_MAX_ETHPORTS; ++id)
    set.set(id, rte_eth_dev_is_valid_port(id) != 0);
  return set;
}

/// The positive errno behind what a DPDK function returned: -1 means "see rte_errno", or, of many
/// drivers, just "no".
int positive(int result) noexcept {
  if (result == -1) return rte_errno != 0 ? rte_errno : EIO;
  return result < 0 ? -result : result;
}

/// Attaches a device to its bus. A virtual one goes straight to its bus: the general way leaves the
/// device on the bus's list when its driver refuses it.
int attach(const std::string& text) {
  rte_devargs args{};
  if (const int result = rte_devargs_parse(&args, text.c_str()); result != 0) {
    rte_devargs_reset(&args);
    return -ENODEV;
  }
  const std::string name = args.name;
  const std::string options = args.args == nullptr ? "" : args.args;
  const bool is_virtual = std::string_view{rte_bus_name(args.bus)} == "vdev";
  rte_devargs_reset(&args);
  if (is_virtual) return rte_vdev_init(name.c_str(), options.c_str());
  return rte_dev_probe(text.c_str());
}
/// The kernel's own driver of a PCI device, which DPDK cannot take it from; empty: none.
std::string kernel_driver(const std::string& address) {
  std::error_code none;
  const auto driver =
      std::filesystem::read_symlink("/sys/bus/pci/devices/" + address + "/driver", none);
  const std::string name = driver.filename();
  const bool hands_over = name == "vfio-pci" || name.find("uio") != std::string::npos;
  return hands_over ? std::string{} : name;
}
}  // namespace

std::size_t buffer_capacity(const rte_mempool* pool) noexcept {
  const std::size_t room = rte_pktmbuf_data_room_size(const_cast<rte_mempool*>(pool));
  return room < RTE_PKTMBUF_HEADROOM ? 0 : room - RTE_PKTMBUF_HEADROOM;
}

Failure Ethdev::failure(const char* step, int error) const {
  const int code = positive(error);
  return {code, fmt::format("{}: cannot {}: {}", spec_.device, step, rte_strerror(code))};
}

Outcome<std::unique_ptr<Ethdev>> Ethdev::open(EthdevSpec spec) {
  std::unique_ptr<Ethdev> dev{new Ethdev{std::move(spec)}};
  if (auto done = dev->probe(); !done) return done.error();
  if (auto done = dev->configure(); !done) return done.error();
  if (auto done = dev->settle_mtu(); !done) return done.error();
  if (auto done = dev->start(); !done) return done.error();
  if (dev->spec_.backing) dev->spec_.backing->started();
  return dev;
}

Outcome<> Ethdev::probe() {
  const PortSet before = ports();
  rte_errno = 0;
  if (const int result = attach(spec_.devargs); result != 0) {
    if (positive(result) == EEXIST) return failure("attach the device, which is in use", result);
    Failure why = failure("attach the device", result);
    if (const std::string holder = kernel_driver(spec_.device); !holder.empty())
      why.text += fmt::format("; the kernel's driver {} has it, bind it to vfio-pci", holder);
    return why;
  }
  const PortSet fresh = ports() & ~before;
  if (fresh.none())
    return Failure{ENODEV, fmt::format("{}: the device has no Ethernet port", spec_.device)};
  while (!fresh.test(id_)) ++id_;
  probed_ = true;
  return core::Done{};
}

Outcome<> Ethdev::configure() {
  rte_eth_dev_info info{};
  if (const int result = rte_eth_dev_info_get(id_, &info); result != 0)
    return failure("ask the device what it can do", result);

  rx_queues_ = std::min(spec_.queues, info.max_rx_queues);
  tx_queues_ = std::min(spec_.queues, info.max_tx_queues);
  rte_eth_conf conf{};
  if ((info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0) {
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
    rx_checksum_ = true;
  }
  constexpr std::uint64_t kHash = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
  if (rx_queues_ > 1 && (info.flow_type_rss_offloads & kHash) != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kHash;
  }
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
  if (spec_.frame_capacity < kFrameOverhead) return 0;
  return static_cast<std::uint16_t>(
      std::min<std::size_t>(spec_.frame_capacity - kFrameOverhead, UINT16_MAX));
}

Outcome<> Ethdev::settle_mtu() {
  if (spec_.mtu != 0) return set_mtu(spec_.mtu);
  if (spec_.interface) {
    mtu_ = spec_.interface->mtu();
  } else if (rte_eth_dev_get_mtu(id_, &mtu_) != 0 || mtu_ == 0) {
    mtu_ = kDefaultMtu;
  }
  if (mtu_ > max_mtu())
    return Failure{EMSGSIZE, fmt::format("{}: its MTU of {} is beyond the {} that a packet buffer "
                                         "holds: give mtu, or larger buffers",
                                         spec_.device, mtu_, max_mtu())};
  return core::Done{};
}

Outcome<> Ethdev::set_mtu(std::uint16_t mtu) {
  if (mtu > max_mtu())
    return Failure{EMSGSIZE, fmt::format("{}: MTU {} is beyond the {} that a packet buffer holds",
                                         spec_.device, mtu, max_mtu())};
  if (spec_.interface) {
    if (auto done = spec_.interface->set_mtu(mtu); !done) return done.error();
  } else if (const int result = rte_eth_dev_set_mtu(id_, mtu); result != 0) {
    // Devices without the call carry what they were configured for.
    if (result != -ENOTSUP || mtu > kDefaultMtu)
      return failure(fmt::format("set MTU {}", mtu).c_str(), result);
  }
  mtu_ = mtu;
  return core::Done{};
}

Outcome<> Ethdev::start() {
  if (const int result = rte_eth_dev_start(id_); result != 0) return failure("start", result);
  started_ = true;
  // The port's address is the device's own, so its filter is right. Devices without a filter say
  // that they cannot; ether_input judges every address anyway.
  if (const int result = rte_eth_promiscuous_disable(id_); result != 0 && result != -ENOTSUP)
    return failure("leave promiscuous mode", result);
  return core::Done{};
}

Ethdev::~Ethdev() {
  if (!probed_) return;
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(id_, &info) == 0;
  if (started_ && spec_.backing) spec_.backing->stopping(id_);
  if (started_) (void)rte_eth_dev_stop(id_);
  (void)rte_eth_dev_close(id_);
  if (!known) return;
  // A card with two ports is one device: it goes with its last port.
  std::uint16_t other = 0;
  RTE_ETH_FOREACH_DEV_OF(other, info.device) {
    return;
  }
  (void)rte_dev_remove(info.device);
}

void Ethdev::describe(pollux_port& out) const noexcept {
  out.rx = &Ethdev::rx;
  out.tx = &Ethdev::tx;
  rte_ether_addr mac{};
  if (rte_eth_macaddr_get(id_, &mac) == 0) std::copy_n(mac.addr_bytes, sizeof out.mac, out.mac);
  out.mtu = mtu_;
  out.rx_queues = rx_queues_;
  out.tx_queues = tx_queues_;
  out.capabilities = rx_checksum_ ? std::uint32_t{POLLUX_CAP_RX_IP4_CHECKSUM} : 0;
  const std::size_t n = spec_.device.copy(out.device, sizeof out.device - 1);
  out.device[n] = '\0';
}

pollux_link Ethdev::link() const noexcept {
  if (spec_.interface) return spec_.interface->link();
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(id_, &link) != 0) return {};
  const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
  return {link.link_status == RTE_ETH_LINK_UP, known ? link.link_speed : 0};
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
