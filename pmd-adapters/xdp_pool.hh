// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/packet_pool.hh"
#include "pmd-adapters/failure.hh"

namespace pmd {
/// The packet buffers of one AF_XDP port. They are the port's own, for three reasons: AF_XDP takes
/// them only within a page and without gaps, pins all of the pool, and DPDK's driver does not give
/// back those that lie in the kernel's fill rings when it closes. So the pool goes whole, once the
/// buffers that packets elsewhere still use have come home: at the close of its port, or at the
/// opening or close of a later one.
class XdpPool {
public:
  /// @param port  the request's name, "pollux3".  @param mtu  bytes of IP packet to hold.
  /// @return the pool | ENOMEM | EMSGSIZE (a page holds less).
  static Outcome<std::unique_ptr<XdpPool>> create(const std::string& port, std::uint16_t queues,
                                                  std::uint16_t mtu);
  XdpPool(const XdpPool&) = delete;
  XdpPool& operator=(const XdpPool&) = delete;
  ~XdpPool();

  [[nodiscard]] rte_mempool* get() const noexcept { return pool_; }
  /// Waits, for some milliseconds at most, for what was sent on the port to be completed.
  /// @pre nobody else sends on it.
  void drain(std::uint16_t port_id) const noexcept;

  /// What DPDK is to call the device of a port.
  static std::string device_name(const std::string& port);

private:
  explicit XdpPool(rte_mempool* pool) noexcept : pool_{pool} {}
  rte_mempool* pool_;
};
}  // namespace pmd
