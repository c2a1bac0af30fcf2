// SPDX-License-Identifier: BSD-3-Clause
// What is sent on a queue arrives on it. No device stands behind it.
#include <fmt/format.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "core/driver.h"
#include "core/spsc_ring.hh"

namespace {
constexpr std::uint16_t kDefaultMtu = 1500, kMinMtu = 68;
constexpr std::size_t kDepth = 1024;  ///< packets under way on a queue
constexpr std::uint16_t kMaxQueues = 256;

/// Owns what has been sent and not received.
class Loop {
public:
  explicit Loop(std::uint16_t queues) : queues_(queues) {
    for (auto& q : queues_) q = std::make_unique<Queue>();
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    rte_mbuf* m = nullptr;
    for (auto& q : queues_)
      while (q->pop(m)) rte_pktmbuf_free(m);
  }

  // pollux_burst_fn; a queue has one thread that sends and one that receives.
  static std::uint16_t rx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept {
    Queue& q = *static_cast<Loop*>(port)->queues_[queue];
    std::uint16_t got = 0;
    while (got < n && q.pop(packets[got])) ++got;
    return got;
  }
  static std::uint16_t tx(void* port, std::uint16_t queue, rte_mbuf** packets,
                          std::uint16_t n) noexcept {
    Queue& q = *static_cast<Loop*>(port)->queues_[queue];
    std::uint16_t sent = 0;
    while (sent < n) {
      arrive(*packets[sent]);
      if (!q.push(packets[sent])) break;
      ++sent;
    }
    return sent;
  }

private:
  using Queue = core::SpscRing<rte_mbuf*, kDepth>;

  /// What the sender noted about the packet means nothing to a receiver. Whose memory it is in
  /// stays.
  static void arrive(rte_mbuf& m) noexcept {
    m.ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    m.tx_offload = 0;
    m.packet_type = 0;
    m.port = RTE_MBUF_PORT_INVALID;
  }

  std::vector<std::unique_ptr<Queue>> queues_;
};

int refuse(int error, const std::string& text, char* out, std::size_t size) {
  if (size > 0) out[text.copy(out, size - 1)] = '\0';
  return -error;
}

int open_loop(const pollux_port_request* request, pollux_port* out, char* error,
              std::size_t error_size) {
  const std::uint16_t mtu = request->mtu != 0 ? request->mtu : kDefaultMtu;
  if (mtu < kMinMtu)
    return refuse(EINVAL, fmt::format("MTU {} is below {}", mtu, kMinMtu), error, error_size);
  const std::uint16_t queues = std::clamp<std::uint16_t>(request->queues, 1, kMaxQueues);
  *out = {};
  try {
    out->port = new Loop{queues};
  } catch (const std::bad_alloc&) {
    return refuse(ENOMEM, "no memory for its queues", error, error_size);
  }
  out->rx = &Loop::rx;
  out->tx = &Loop::tx;
  rte_eth_random_addr(out->mac);  // locally administered
  out->mtu = mtu;
  out->rx_queues = out->tx_queues = queues;
  out->capabilities = POLLUX_CAP_RX_SCATTER | POLLUX_CAP_TX_CHAINED;
  out->numa_node = -1;
  std::memcpy(out->device, "loop", sizeof "loop");
  return 0;
}

constexpr pollux_driver kDriver{
    POLLUX_DRIVER_ABI,
    0,
    "loop",
    "what is sent on it arrives on it",
    POLLUX_VERSION,
    nullptr,
    0,
    open_loop,
    [](void* port) { delete static_cast<Loop*>(port); },
    [](void* /*port*/, pollux_link* out) {
      *out = {1, 0};
      return 0;
    },
    [](void* /*port*/, std::uint16_t mtu) { return mtu < kMinMtu ? -EINVAL : 0; },
    [](void* /*port*/, pollux_port_stats* out) {
      *out = {};
      return 0;
    },
    nullptr,
    nullptr,
    nullptr,
    "lo",
};
}  // namespace

extern "C" __attribute__((visibility("default"))) const pollux_driver* pollux_driver_entry(void) {
  return &kDriver;
}
