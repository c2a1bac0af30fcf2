// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "core/interface.hh"
#include "core/ip_address.hh"
#include "core/worker.hh"

namespace proto {
/// A packet that waits until its next hop is known.
struct HeldPacket {
  rte_mbuf* m = nullptr;
  core::IpAddress dst{};
  core::IpAddress gateway{};  ///< the neighbour it waits for
  core::InterfaceId interface = core::kNoInterface;
  std::uint16_t vrf = 0;  ///< whose routes it follows
  bool own = false;       ///< ours (no TTL to decrement), else to be forwarded
  std::uint64_t since_us = 0;
};

/// The packets of one worker that wait for neighbours: bounded in all and per neighbour, so that a
/// scan of a subnet costs memory that is known beforehand (RFC 1122 section 2.3.2.2).
class NeighborHold {
public:
  static constexpr std::size_t kCapacity = 256;
  static constexpr std::size_t kPerNeighbor = 16;

  /// Takes the packet, or drops it with NeighborHoldFull. Asks the manager for the neighbour when
  /// it is the first to wait for it.
  void push(core::Worker& w, const HeldPacket& packet) noexcept;

  /// Offers every held packet to `decide(const HeldPacket&) -> bool`; true takes it off.
  template <class F>
  void review(F&& decide) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i)
      if (!decide(packets_[i])) packets_[kept++] = packets_[i];
    set_size(kept);
  }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Any thread.
  [[nodiscard]] std::uint64_t size() const noexcept {
    return shown_size_.load(std::memory_order_relaxed);
  }
  std::uint32_t seen_generation = 0;  ///< of NextHopTable, at the last review
  std::uint64_t review_at_us = 0;     ///< when to look again in any case

private:
  void set_size(std::size_t n) noexcept {
    size_ = n;
    shown_size_.store(n, std::memory_order_relaxed);
  }
  std::array<HeldPacket, kCapacity> packets_{};
  std::size_t size_ = 0;
  std::atomic<std::uint64_t> shown_size_{0};
};
}  // namespace proto
