// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include "tests/support/packet.hh"

namespace test {
/// Mbufs for a test, from a pool of its own, so that in_use() tells whether a packet was lost.
/// The pool's own list of free mbufs is a mutex and a vector: ThreadSanitizer sees who hands an
/// mbuf to whom, and AddressSanitizer is told which mbufs are free, so that touching one is
/// reported. Needs a running EAL (test_eal_main). Any thread.
class PacketPool {
public:
  /// @param size       packets.  @param data_room  bytes of an mbuf, headroom included.
  explicit PacketPool(unsigned size = 1023, std::uint16_t data_room = RTE_MBUF_DEFAULT_BUF_SIZE);
  ~PacketPool();
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// A packet of one segment with usual headroom. @pre not exhausted, bytes fit.
  [[nodiscard]] rte_mbuf* make(PacketBytes bytes);
  /// A packet of two segments, the first of `first` bytes.
  [[nodiscard]] rte_mbuf* make_chained(PacketBytes bytes, std::size_t first);
  /// A packet of a segment of `first` bytes and further ones of `others` bytes, the last with what
  /// is left. @return null when the pool is exhausted.
  [[nodiscard]] rte_mbuf* try_make_chained(PacketBytes bytes, std::size_t first,
                                           std::size_t others);
  /// Null when the pool is exhausted.
  [[nodiscard]] rte_mbuf* try_make(PacketBytes bytes);

  /// Mbufs that somebody owns: 0 when every packet has ended.
  [[nodiscard]] unsigned in_use() const;
  [[nodiscard]] rte_mempool* get() const noexcept { return pool_; }

private:
  struct FreeList;
  struct Ops;  ///< DPDK's mempool functions on a FreeList
  rte_mempool* pool_;
  FreeList*
      list_;  ///< owned by the pool; here, because a leak checker does not look into EAL memory
};

/// A copy of all segments' bytes.
[[nodiscard]] Packet bytes_of(const rte_mbuf* m);
/// The same, and the mbuf is freed: the test was its owner.
[[nodiscard]] Packet take_bytes(rte_mbuf* m);
}  // namespace test
