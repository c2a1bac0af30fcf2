// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mempool.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/driver.h"
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
  /// Called once the device runs.
  virtual void started() {}
  /// Called before a running device stops. @param port  DPDK's number of it.
  virtual void stopping(std::uint16_t port) { (void)port; }
};

/// What a driver wants of DPDK, after it has read its options.
struct EthdevSpec {
  std::string devargs;  ///< DPDK's device text: "net_memif_pollux0,id=1", "0000:03:00.0"
  std::string device;   ///< what a person calls it
  std::uint16_t queues = 1;
  std::uint16_t mtu = 0;                                       ///< 0: the interface's, or 1500
  std::uint16_t rx_descriptors = 1024, tx_descriptors = 1024;  ///< a queue, where the device can
  rte_mempool* pool = nullptr;
  std::size_t frame_capacity = 0;  ///< bytes of the longest frame that arrives whole, without FCS
  std::optional<KernelInterface> interface;  ///< the kernel's, which stands behind the device
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
  [[nodiscard]] pollux_link link() const noexcept;
  Outcome<> set_mtu(std::uint16_t mtu);
  Outcome<pollux_port_stats> stats() const;

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
  Outcome<> start();
  [[nodiscard]] std::uint16_t max_mtu() const noexcept;
  /// "veth0: cannot start: Device or resource busy". @param error  errno, of either sign.
  [[nodiscard]] Failure failure(const char* step, int error) const;

  // The port number comes first: all that rx and tx read.
  std::uint16_t id_ = 0;
  bool probed_ = false, started_ = false, rx_checksum_ = false;
  std::uint16_t rx_queues_ = 0, tx_queues_ = 0, mtu_ = 0;
  EthdevSpec spec_;
};

/// Bytes of frame that one packet buffer of `pool` holds.
[[nodiscard]] std::size_t buffer_capacity(const rte_mempool* pool) noexcept;
}  // namespace pmd
