// SPDX-License-Identifier: BSD-3-Clause
// What a device is asked to do, what it then says that it does, and how it is heard to be gone.
#include <rte_dev.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "pmd-adapters/ethdev.hh"

namespace pmd {
namespace {
constexpr std::uint64_t kRxL4 = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kTxL4 = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kHash =
    RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP;

/// Toeplitz hashes both ways of a flow alike with a key whose every second pair of bytes is the
/// same: swapping addresses or ports then swaps equal parts of the key.
std::vector<std::uint8_t> symmetric_key(std::size_t length) {
  std::vector<std::uint8_t> key(length);
  for (std::size_t i = 0; i < length; ++i) key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  return key;
}

/// Runs in DPDK's interrupt thread.
int note_removal(std::uint16_t /*port*/, rte_eth_event_type /*event*/, void* flag,
                 void* /*details*/) {
  static_cast<std::atomic<bool>*>(flag)->store(true);
  return 0;
}

/// The same, from the device's bus: vfio asks for a device back before it goes.
void note_bus_event(const char* /*device*/, rte_dev_event_type event, void* flag) {
  if (event == RTE_DEV_EVENT_REMOVE) static_cast<std::atomic<bool>*>(flag)->store(true);
}
}  // namespace

void Ethdev::ask_offloads(const rte_eth_dev_info& info, rte_eth_conf& conf) {
  const auto rx = [&](std::uint64_t wanted, std::uint32_t capability) {
    if ((info.rx_offload_capa & wanted) != wanted) return;
    conf.rxmode.offloads |= wanted;
    capabilities_ |= capability;
  };
  const auto tx = [&](std::uint64_t wanted, std::uint32_t capability) {
    if ((info.tx_offload_capa & wanted) != wanted) return;
    conf.txmode.offloads |= wanted;
    capabilities_ |= capability;
  };
  if (spec_.offloads.rx_ip4_checksum) rx(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, POLLUX_CAP_RX_IP4_CHECKSUM);
  if (spec_.offloads.rx_l4_checksum) rx(kRxL4, POLLUX_CAP_RX_L4_CHECKSUM);
  if (spec_.offloads.vlan_filter) rx(RTE_ETH_RX_OFFLOAD_VLAN_FILTER, 0);
  const Scatter scatter = spec_.offloads.scatter;
  const bool needed = scatter == Scatter::WhenNeeded && spec_.mtu > max_mtu();
  if (needed || scatter == Scatter::Always) rx(RTE_ETH_RX_OFFLOAD_SCATTER, POLLUX_CAP_RX_SCATTER);
  if (scatter == Scatter::Unasked) capabilities_ |= POLLUX_CAP_RX_SCATTER;
  // Cards have a quicker way to send single segments. Whatever is sent keeps to the MTU: where that
  // fits a packet buffer, a chain does so too, and the stack makes one segment of it. Virtual
  // devices have one way for both.
  if (needed || !is_pci_) tx(RTE_ETH_TX_OFFLOAD_MULTI_SEGS, POLLUX_CAP_TX_CHAINED);
  if (spec_.offloads.sends_chains) capabilities_ |= POLLUX_CAP_TX_CHAINED;
  if (spec_.offloads.tx) {
    tx(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, POLLUX_CAP_TX_IP4_CHECKSUM);
    tx(kTxL4, POLLUX_CAP_TX_L4_CHECKSUM);
    tx(RTE_ETH_TX_OFFLOAD_MULTI_SEGS, POLLUX_CAP_TX_CHAINED);
    tx(RTE_ETH_TX_OFFLOAD_TCP_TSO, POLLUX_CAP_TX_TSO);
  }
  // Drivers size their buffers by it; whether it can be is asked later, for a better error.
  if (spec_.mtu != 0 && !spec_.interface && spec_.mtu <= max_mtu() && spec_.mtu <= info.max_mtu &&
      spec_.mtu >= info.min_mtu &&
      std::uint32_t{spec_.mtu} + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN <= info.max_rx_pktlen)
    conf.rxmode.mtu = device_mtu(spec_.mtu);
  const std::uint32_t flags = info.dev_flags == nullptr ? 0 : *info.dev_flags;
  conf.intr_conf.lsc = spec_.offloads.link_interrupts && (flags & RTE_ETH_DEV_INTR_LSC) != 0;
  conf.intr_conf.rmv = (flags & RTE_ETH_DEV_INTR_RMV) != 0;
  if (conf.intr_conf.rmv != 0 || spec_.interface || spec_.is_gone || spec_.gone_when_down)
    capabilities_ |= POLLUX_CAP_REMOVABLE;
}

void Ethdev::ask_rss(const rte_eth_dev_info& info, rte_eth_conf& conf) {
  if (!spec_.offloads.rss || rx_queues_ < 2 || info.hash_key_size == 0) return;
  const std::uint64_t types = info.flow_type_rss_offloads & kHash;
  if ((types & (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)) == 0) return;
  rss_key_ = symmetric_key(info.hash_key_size);
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  conf.rx_adv_conf.rss_conf = {rss_key_.data(), info.hash_key_size, types};
  capabilities_ |= POLLUX_CAP_RSS;
}

Outcome<> Ethdev::take_all_vlans() {
  constexpr std::uint16_t kMaxVlan = 4094;
  if (!spec_.offloads.vlan_filter) return core::Done{};
  for (std::uint16_t vlan = 0; vlan <= kMaxVlan; ++vlan)
    if (const int result = rte_eth_dev_vlan_filter(id_, vlan, 1); result != 0) {
      if (result == -ENOTSUP || result == -ENOSYS) break;  // it has no filter
      return failure("open the VLAN filter", result);
    }
  return core::Done{};
}

void Ethdev::watch_removal() {
  (void)rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_RMV, note_removal, &removed_);
  (void)rte_dev_event_callback_register(bus_name_.c_str(), note_bus_event, &removed_);
}

void Ethdev::unwatch_removal() noexcept {
  if (bus_name_.empty()) return;
  const auto removed = [this] {
    return rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_INTR_RMV, note_removal, &removed_) !=
           -EAGAIN;
  };
  while (!removed()) std::this_thread::yield();  // it is being called
  while (rte_dev_event_callback_unregister(bus_name_.c_str(), note_bus_event, &removed_) == -EAGAIN)
    std::this_thread::yield();
}

std::uint32_t Ethdev::multicast_capability() const noexcept {
  if (spec_.offloads.all_multicast) return 0;
  if (spec_.interface || rte_eth_dev_set_mc_addr_list(id_, nullptr, 0) == 0)
    return POLLUX_CAP_MULTICAST;
  // Some devices have no list but one switch for all groups.
  return rte_eth_allmulticast_get(id_) == 0 && rte_eth_allmulticast_disable(id_) == 0
             ? std::uint32_t{POLLUX_CAP_MULTICAST}
             : 0;
}

/// Where a device has no such switch, it takes in everything.
Outcome<> Ethdev::take_all_groups() {
  if (!spec_.offloads.all_multicast || rte_eth_allmulticast_enable(id_) == 0) return core::Done{};
  if (const int result = rte_eth_promiscuous_enable(id_); result != 0)
    return failure("take in every group", result);
  keeps_promiscuous_ = true;
  capabilities_ &= ~std::uint32_t{POLLUX_CAP_PROMISCUOUS};
  return core::Done{};
}

Outcome<> Ethdev::set_multicast(std::span<const std::uint8_t[6]> addresses) {
  if (spec_.offloads.all_multicast) return core::Done{};
  if (spec_.interface) return spec_.interface->set_multicast(addresses);
  std::vector<rte_ether_addr> list(addresses.size());
  for (std::size_t i = 0; i < list.size(); ++i)
    std::copy_n(addresses[i], RTE_ETHER_ADDR_LEN, list[i].addr_bytes);
  const auto count = static_cast<std::uint32_t>(list.size());
  if (rte_eth_dev_set_mc_addr_list(id_, list.data(), count) == 0) {
    if (rte_eth_allmulticast_get(id_) == 1) (void)rte_eth_allmulticast_disable(id_);
    return core::Done{};
  }
  // No list, or a longer one than the device holds: all groups then.
  const int result =
      count != 0 ? rte_eth_allmulticast_enable(id_) : rte_eth_allmulticast_disable(id_);
  if (result != 0) return failure("set the multicast filter", result);
  return core::Done{};
}
}  // namespace pmd
