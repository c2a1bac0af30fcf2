// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/driver.h"
#include "pmd-adapters/attached_device.hh"
#include "pmd-adapters/failure.hh"
#include "pmd-adapters/kernel_interface.hh"

namespace pmd {
/// What a driver keeps beside the device. Goes after the device.
class Backing {
public:
  Backing() = default;
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;
  virtual ~Backing() = default;
  /// Called once the device runs. @param port  DPDK's number of it. @return why it is of no use.
  virtual Outcome<> started(std::uint16_t port) {
    (void)port;
    return core::Done{};
  }
  /// Called before a running device stops. @param port  DPDK's number of it.
  virtual void stopping(std::uint16_t port) { (void)port; }
};

/// Whether a frame longer than a packet buffer arrives, in several of them.
enum class Scatter : std::uint8_t {
  No,
  WhenNeeded,  ///< asked for where the MTU is beyond a packet buffer: devices then use slower ways
  Always,      ///< asked for wherever the device offers it: it costs nothing
  Unasked,     ///< DPDK's driver does it, and has no offload for it
};

/// What a device may be asked for beside queues. Off where a driver's device says that it can, and
/// what then arrives is of no use.
struct Offloads {
  bool rx_ip4_checksum = true;
  /// Off for devices that mark packets of their own host whose checksum was never computed.
  bool rx_l4_checksum = true;
  /// On: checksums and TCP segments on transmit. Many devices then send by a slower function.
  bool tx = false;
  /// Trusted to hash as it is told. Virtual devices take the key and do not use it.
  bool rss = false;
  Scatter scatter = Scatter::No;
  /// DPDK's driver sends packets of several segments, and does not say so.
  bool sends_chains = false;
  /// The device drops all groups, broadcast among them, unless it is told to take in every one.
  bool all_multicast = false;
  /// The device tells of its link by interrupts, and in no other way.
  bool link_interrupts = false;
  /// The device drops every VLAN that it was not told of: it is told of all, for the stack judges.
  bool vlan_filter = false;
};

/// What a driver wants of DPDK, after it has read its options.
struct EthdevSpec {
  std::string devargs;  ///< DPDK's device text: "net_memif_pollux0,id=1", "0000:03:00.0"
  std::string device;   ///< what a person calls it
  std::uint16_t queues = 1;
  std::uint16_t mtu = 0;                                       ///< 0: the interface's, or 1500
  std::uint16_t rx_descriptors = 1024, tx_descriptors = 1024;  ///< a queue, where the device can
  rte_mempool* pool = nullptr;                                 ///< the device's
  /// The pool near a NUMA node, in place of `pool`; called while the device is opened.
  std::function<rte_mempool*(int node)> pool_near;
  std::size_t frame_capacity = 0;  ///< bytes of the longest frame in one buffer, without FCS
  /// The same in several buffers; 0: what the device says.
  std::size_t scatter_capacity = 0;
  std::string larger;  ///< what to do for frames longer than that: "raise bsize"; "": nothing
  Offloads offloads;
  bool room_for_tags = false;   ///< the device counts its MTU by frames with one VLAN tag or none
  bool gone_when_down = false;  ///< a link that was up does not come back
  /// The last transmit queue is not offered but polled by link(): the device sends on it by itself.
  bool control_queue = false;
  std::function<bool()> is_gone;  ///< asked ten times a second; none: the device tells
  std::function<bool()>
      is_elsewhere;  ///< true: the device cannot tell its link, which counts as up
  std::optional<KernelInterface> interface;  ///< the kernel's, which stands behind the device
  std::vector<AttachedDevice> members;       ///< other devices that the device is made of
  std::unique_ptr<Backing> backing;          ///< none: nothing but the device
  /// For how long to try again when the device cannot be had.
  std::chrono::milliseconds patience{0};
};

/// A started Ethernet device of DPDK. Letting it go stops, closes and removes the device. The
/// management thread's, but for rx and tx.
class Ethdev {
public:
  /// Probes, configures and starts.
  /// @return the device | which step failed and why, everything undone.
  static Outcome<std::unique_ptr<Ethdev>> open(EthdevSpec spec);
  Ethdev(const Ethdev&) = delete;
  Ethdev& operator=(const Ethdev&) = delete;
  ~Ethdev();

  void describe(pollux_port& out) const noexcept;
  [[nodiscard]] Outcome<pollux_link> link();  ///< ENODEV: the device is gone
  Outcome<> set_mtu(std::uint16_t mtu);
  Outcome<> set_promiscuous(bool on);
  Outcome<> set_multicast(std::span<const std::uint8_t[6]> addresses);
  Outcome<pollux_port_stats> stats() const;
  /// @return how many there are; as many as fit are written.
  Outcome<std::size_t> xstats(std::span<pollux_xstat> out) const;

  // pollux_burst_fn; `port` is an Ethdev.
  static std::uint16_t rx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept;
  static std::uint16_t tx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept;

private:
  explicit Ethdev(EthdevSpec spec) : spec_{std::move(spec)} {}

  Outcome<> probe();
  Outcome<> configure();
  Outcome<> set_up_queues(int socket, std::uint16_t rx_descriptors, std::uint16_t tx_descriptors);
  Outcome<> settle_mtu();
  Outcome<> change_mtu(std::uint16_t mtu);
  Outcome<> take_all_vlans();
  Outcome<> start();
  void watch_removal();
  void unwatch_removal() noexcept;
  void ask_offloads(const rte_eth_dev_info& info, rte_eth_conf& conf);
  void ask_rss(const rte_eth_dev_info& info, rte_eth_conf& conf);
  [[nodiscard]] std::uint32_t multicast_capability() const noexcept;
  Outcome<> take_all_groups();
  [[nodiscard]] std::uint16_t offered_tx_queues() const noexcept {
    return static_cast<std::uint16_t>(tx_queues_ - (spec_.control_queue ? 1 : 0));
  }
  [[nodiscard]] bool scatters() const noexcept {
    return (capabilities_ & POLLUX_CAP_RX_SCATTER) != 0;
  }
  [[nodiscard]] std::uint16_t max_mtu() const noexcept;
  [[nodiscard]] Failure beyond(std::uint16_t mtu) const;
  [[nodiscard]] std::uint16_t device_mtu(std::uint16_t mtu) const noexcept;
  /// "veth0: cannot start: Device or resource busy". @param error  errno, of either sign.
  [[nodiscard]] Failure failure(const char* step, int error) const;

  // The port number comes first: all that rx and tx read.
  std::uint16_t id_ = 0;
  bool started_ = false, was_up_ = false, keeps_promiscuous_ = false;
  bool is_pci_ = false;
  std::uint16_t rx_queues_ = 0, tx_queues_ = 0, mtu_ = 0;
  std::uint32_t capabilities_ = 0;  ///< of enum pollux_capability, as configured
  std::vector<std::uint8_t> rss_key_;
  std::atomic<bool> removed_{false};  ///< set by DPDK's interrupt thread
  std::chrono::steady_clock::time_point started_at_;
  std::optional<AttachedDevice> device_;
  std::string bus_name_;  ///< the device's name on its bus
  EthdevSpec spec_;
};

/// Bytes of frame that one packet buffer of `pool` holds.
[[nodiscard]] std::size_t buffer_capacity(const rte_mempool* pool) noexcept;
}  // namespace pmd
