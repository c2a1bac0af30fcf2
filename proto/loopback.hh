// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>

#include "core/worker.hh"
#include "proto/wire/ip4_address.hh"

namespace proto {
/// 127/8 (RFC 1122 section 3.2.1.3 (g)); host order.
[[nodiscard]] constexpr bool is_ip4_loopback(std::uint32_t a) noexcept {
  return a >> 24 == 127;
}

/// How packets of our own reach addresses of our own: they go round within the worker, attributed
/// to lo0 where there is one.
struct Loopback {
  core::InterfaceId interface = core::kNoInterface;  ///< of the driver "loop"; none: nothing counts
  Ip4Prefix ip4{};   ///< its address in 127/8 with the length of its subnet; none: length 0
  bool ip6 = false;  ///< it has ::1
  bool on = true;    ///< off: that interface is down, and nothing goes round
  bool ip4_checksum = false;   ///< net.inet.ip.do_loopback_cksum: IPv4 headers are verified
  bool udp4_checksum = false;  ///< net.inet.udp.do_loopback_cksum
  bool udp6_checksum = false;  ///< net.inet6.udp6.do_loopback_cksum
};

/// Packets that a worker has said to itself and not yet heard. Bounded: what one iteration says is
/// heard in the next, so that nothing recurses.
class LoopQueue {
public:
  static constexpr std::size_t kDepth = 256;
  struct Looped {
    rte_mbuf* m;
    core::InterfaceId link;  ///< of the scope of its addresses, or the loopback interface
    std::uint16_t vrf;
  };
  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] bool push(const Looped& p) noexcept {
    if (head_ - tail_ == kDepth) return false;
    slots_[head_++ % kDepth] = p;
    return true;
  }
  /// @pre !empty().
  [[nodiscard]] const Looped& front() const noexcept { return slots_[tail_ % kDepth]; }
  void pop() noexcept { ++tail_; }

private:
  std::array<Looped, kDepth> slots_;
  std::size_t head_ = 0, tail_ = 0;
};

/// Puts packets of our own on their way round. Counted as sent on the loopback interface.
/// In:    data at the IP header; note = the link of its scope, kNoInterface where it has none.
/// Drops: TxQueueFull. `in` is empty.
void loop_output(core::Worker& w, const Loopback& loopback, std::uint16_t vrf, LoopQueue& queue,
                 core::NotedBurst<core::InterfaceId>& in) noexcept;

/// Where loop_input sends packets; all were routed to us before they went round.
struct LoopInputNext {
  core::Burst ip4, ip6;
  core::InterfaceId link = core::kNoInterface;  ///< the same for all
  std::uint16_t vrf = 0;                        ///< the same for all
};
/// Takes packets that have gone round, up to a burst of one link and VRF. Counted as received on
/// the loopback interface. Drops: Ip4BadChecksum, where it is asked for.
/// @return how many were taken.
std::uint32_t loop_input(core::Worker& w, const Loopback& loopback, LoopQueue& queue,
                         LoopInputNext& next) noexcept;
}  // namespace proto
