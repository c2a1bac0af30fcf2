// SPDX-License-Identifier: BSD-3-Clause
#include "core/packet_pool.hh"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>

namespace core {
namespace {
constexpr std::uint32_t element_size(std::uint16_t room) noexcept {
  return static_cast<std::uint32_t>(sizeof(rte_mbuf)) + room;
}

constexpr std::uint16_t room_of(std::uint16_t data_size) noexcept {
  return static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + data_size);
}

/// DPDK's pool with one memory zone for all buffers. The flag says that a buffer may cross a page;
/// it is contiguous for devices all the same, since the whole zone is.
/// @return nothing where there is no such zone; `rte_errno` says why.
PacketPool create_gapless(const std::string& name, std::uint32_t buffers, std::uint32_t cache,
                          std::uint16_t room, int node) {
  PacketPool pool{rte_mempool_create_empty(name.c_str(), buffers, element_size(room), cache,
                                           sizeof(rte_pktmbuf_pool_private), node,
                                           RTE_MEMPOOL_F_NO_IOVA_CONTIG)};
  if (!pool) return nullptr;
  rte_pktmbuf_pool_private sizes{};
  sizes.mbuf_data_room_size = room;
  rte_pktmbuf_pool_init(pool.get(), &sizes);

  const std::size_t length =
      std::size_t{buffers} * (pool->header_size + pool->elt_size + pool->trailer_size);
  const rte_memzone* zone = rte_memzone_reserve_aligned(name.c_str(), length, node,
                                                        RTE_MEMZONE_IOVA_CONTIG, RTE_MEMPOOL_ALIGN);
  if (zone == nullptr) return nullptr;
  const auto release = [](rte_mempool_memhdr*, void* opaque) {
    (void)rte_memzone_free(static_cast<const rte_memzone*>(opaque));
  };
  const int populated =
      rte_mempool_populate_iova(pool.get(), static_cast<char*>(zone->addr), zone->iova, length,
                                release, const_cast<rte_memzone*>(zone));
  if (populated < 0 || static_cast<std::uint32_t>(populated) < buffers) {
    if (populated <= 0) (void)rte_memzone_free(zone);
    rte_errno = ENOMEM;
    return nullptr;
  }
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool;
}
}  // namespace

std::uint64_t packet_pool_bytes(std::uint32_t buffers, std::uint16_t data_size) noexcept {
  return std::uint64_t{buffers} *
         rte_mempool_calc_obj_size(element_size(room_of(data_size)), 0, nullptr);
}

Expected<PacketPool> create_packet_pool(const std::string& name, std::uint32_t buffers,
                                        std::uint32_t cache, std::uint16_t data_size, int node) {
  if (data_size > UINT16_MAX - RTE_PKTMBUF_HEADROOM)
    return Error{Errc::Invalid, fmt::format("packet buffers of {} bytes: at most {}", data_size,
                                            UINT16_MAX - RTE_PKTMBUF_HEADROOM)};
  const std::uint16_t room = room_of(data_size);
  if (PacketPool pool = create_gapless(name, buffers, cache, room, node)) return pool;
  // Physical addresses: few machines have that much memory in one piece.
  if (rte_eal_iova_mode() == RTE_IOVA_PA)
    if (PacketPool pool{rte_pktmbuf_pool_create(name.c_str(), buffers, cache, 0, room, node)})
      return pool;
  return Error{Errc::Full, fmt::format("no memory for {} packet buffers ({} MiB): {}", buffers,
                                       (packet_pool_bytes(buffers, data_size) >> 20) + 1,
                                       rte_strerror(rte_errno))};
}
}  // namespace core
