// SPDX-License-Identifier: BSD-3-Clause
#include "pmd-adapters/xdp_pool.hh"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <string_view>
#include <thread>
#include <vector>

namespace pmd {
namespace {
// What DPDK's driver puts into the fill ring of a queue, and keeps there: for every buffer that it
// takes out with a packet it puts one in.
constexpr std::uint32_t kFillPerQueue = 2048;
// As many again for packets received, under way and being sent.
constexpr std::uint32_t kBuffersPerQueue = 2 * kFillPerQueue;
constexpr std::uint32_t kCache = 128;
constexpr std::uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN + XDP_PACKET_HEADROOM;
// The larger is the most that fits a page with the mbuf, the pool's header and DPDK's padding.
constexpr std::uint16_t kSmallData = 2048, kLargeData = 3712;
constexpr std::string_view kPrefix = "xdp.";

// A pool's name says what is to be known of it after its port, and even its driver, has gone:
// "xdp.PORT.BUFFERS-IN-THE-FILL-RINGS".
std::string pool_name(const std::string& port, std::uint32_t filled) {
  return fmt::format("{}{}.{}", kPrefix, port, filled);
}

/// True for a pool whose port has closed and whose buffers are home or lost in the fill rings.
bool is_done(const rte_mempool& pool) {
  std::string_view name = pool.name;
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string port{name.substr(0, dot)};
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(XdpPool::device_name(port).c_str(), &id) == 0) return false;
  std::uint32_t filled = 0;
  std::from_chars(name.data() + dot + 1, name.data() + name.size(), filled);
  return rte_mempool_avail_count(&pool) + filled >= pool.size;
}

/// True when each buffer follows the one before: DPDK's driver lays one area over all of them.
bool is_gapless(rte_mempool& pool) {
  struct Walk {
    std::size_t chunk;
    const char* expected = nullptr;
    bool gapless = true;
  } walk{pool.header_size + pool.elt_size + std::size_t{pool.trailer_size}};
  rte_mempool_obj_iter(
      &pool,
      [](rte_mempool*, void* argument, void* object, unsigned) {
        auto& w = *static_cast<Walk*>(argument);
        const char* at = static_cast<const char*>(object);
        if (w.expected != nullptr && at != w.expected) w.gapless = false;
        w.expected = at + w.chunk;
      },
      &walk);
  return walk.gapless;
}

void free_done_pools() {
  std::vector<rte_mempool*> done;
  // Not freed within the walk, which holds the list's lock.
  rte_mempool_walk(
      [](rte_mempool* pool, void* list) {
        if (is_done(*pool)) static_cast<std::vector<rte_mempool*>*>(list)->push_back(pool);
      },
      &done);
  for (rte_mempool* pool : done) rte_mempool_free(pool);
}
}  // namespace

std::string XdpPool::device_name(const std::string& port) {
  return "net_af_xdp_" + port;
}

Outcome<std::unique_ptr<XdpPool>> XdpPool::create(const std::string& port, std::uint16_t queues,
                                                  std::uint16_t mtu) {
  free_done_pools();
  if (mtu + kFrameOverhead > kLargeData)
    return Failure{EMSGSIZE, fmt::format("MTU {} is beyond the {} that AF_XDP carries in a page",
                                         mtu, kLargeData - kFrameOverhead)};
  const std::uint16_t data = mtu + kFrameOverhead > kSmallData ? kLargeData : kSmallData;
  auto pool = core::create_packet_pool(pool_name(port, queues * kFillPerQueue),
                                       queues * kBuffersPerQueue, kCache, data);
  if (!pool) return Failure{ENOMEM, pool.error().context};
  const std::size_t chunk =
      (*pool)->header_size + (*pool)->elt_size + std::size_t{(*pool)->trailer_size};
  if (chunk > static_cast<std::size_t>(sysconf(_SC_PAGESIZE)))
    return Failure{EMSGSIZE, fmt::format("a packet buffer of {} bytes is beyond a page", chunk)};
  if (!is_gapless(**pool))
    return Failure{ENOMEM,
                   "AF_XDP's packet buffers do not lie in one piece, which is for want of physical "
                   "addresses in a row: start with --eal=--iova-mode=va, or with 1 GiB hugepages"};
  return std::unique_ptr<XdpPool>{new XdpPool{(*pool).release()}};
}

XdpPool::~XdpPool() {
  free_done_pools();
}

void XdpPool::drain(std::uint16_t port_id) const noexcept {
  using namespace std::chrono_literals;
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port_id, &info) != 0) return;
  // Sending nothing takes in completions. That a buffer of this pool waits elsewhere looks the same
  // as one that is being sent, so there is an end to it.
  for (int round = 0; round < 20; ++round) {
    for (std::uint16_t q = 0; q < info.nb_tx_queues; ++q)
      (void)rte_eth_tx_burst(port_id, q, nullptr, 0);
    if (rte_mempool_avail_count(pool_) + info.nb_rx_queues * kFillPerQueue >= pool_->size) return;
    std::this_thread::sleep_for(1ms);
  }
}
}  // namespace pmd
