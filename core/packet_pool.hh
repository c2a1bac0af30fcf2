// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_memory.h>
#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.hh"

namespace core {
struct FreePool {
  void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
};
using PacketPool = std::unique_ptr<rte_mempool, FreePool>;

/// Makes a pool of packet buffers. They follow each other without gaps: less memory than DPDK's own
/// layout, which keeps each within a page, and AF_XDP needs it. Only where devices use physical
/// addresses and there is no such piece of memory, it is DPDK's layout. Manager side.
/// @param name       unique in the process, at most 25 characters.
/// @param cache      buffers kept by each lcore, at most 512.
/// @param data_size  bytes of packet in a buffer, beside the headroom.
/// @param node       NUMA node whose memory it takes; SOCKET_ID_ANY: any.
/// @return the pool | Invalid (data_size) | Full (no memory, with the size in MiB).
Expected<PacketPool> create_packet_pool(const std::string& name, std::uint32_t buffers,
                                        std::uint32_t cache, std::uint16_t data_size,
                                        int node = SOCKET_ID_ANY);

/// Bytes of memory that create_packet_pool() takes.
[[nodiscard]] std::uint64_t packet_pool_bytes(std::uint32_t buffers,
                                              std::uint16_t data_size) noexcept;
}  // namespace core
