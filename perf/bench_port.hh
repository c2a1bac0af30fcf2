// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/driver.h"

namespace perf {
/// A device that always has a full burst and takes whatever it is given, and that knows how many
/// cycles it has itself cost: program = all - device.
///
/// Receive takes buffers from the pool and writes each packet, as a NIC's re-arm and DMA do;
/// `depth` packets lie between writing and delivering, so that they are no longer in L1 when the
/// program gets them. Transmit frees.
class BenchPort {
public:
  /// Writes the packets of one burst. @param packets  fresh buffers, empty.
  using Fill = std::function<void(rte_mbuf** packets, std::uint16_t n)>;

  BenchPort(rte_mempool* pool, Fill fill, std::uint32_t depth = 0);
  ~BenchPort();
  BenchPort(const BenchPort&) = delete;
  BenchPort& operator=(const BenchPort&) = delete;

  [[nodiscard]] pollux_port as_port(const std::array<std::uint8_t, 6>& mac) noexcept;

  void receiving(bool on) noexcept { receiving_ = on; }
  [[nodiscard]] std::uint64_t device_cycles() const noexcept { return device_cycles_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  static std::uint16_t rx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept;
  static std::uint16_t tx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept;

private:
  rte_mempool* pool_;
  Fill fill_;
  std::vector<rte_mbuf*> ring_;  ///< written, not yet delivered
  std::size_t at_ = 0;
  bool receiving_ = false;
  std::uint64_t device_cycles_ = 0, received_ = 0, sent_ = 0;
};
}  // namespace perf
