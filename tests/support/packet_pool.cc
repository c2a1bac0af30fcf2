// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/packet_pool.hh"

#include <rte_errno.h>
#include <rte_mempool.h>
#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace test {
namespace {
[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "test support: %s: %s\n", what, rte_strerror(rte_errno));
  std::abort();
}

constexpr const char* kOpsName = "pollux_test";
}  // namespace

/// The free mbufs of one pool, last in first out.
struct PacketPool::FreeList {
  std::mutex lock;
  std::vector<void*> free;
  std::size_t element_size = 0;
  bool guard =
      false;  ///< free mbufs are poisoned; off while DPDK sets the pool up or takes it down

  void set_guard(bool on) {
    const std::lock_guard hold{lock};
    guard = on;
    for (void* object : free) {
      if (on)
        ASAN_POISON_MEMORY_REGION(object, element_size);
      else
        ASAN_UNPOISON_MEMORY_REGION(object, element_size);
    }
  }
};

struct PacketPool::Ops {
  static FreeList& list_of(const rte_mempool* pool) {
    return *static_cast<FreeList*>(pool->pool_data);
  }
  static int alloc(rte_mempool* pool) {
    auto* list = new FreeList;
    list->free.reserve(pool->size);
    list->element_size = pool->elt_size;
    pool->pool_data = list;
    return 0;
  }
  static void free(rte_mempool* pool) { delete static_cast<FreeList*>(pool->pool_data); }
  static int enqueue(rte_mempool* pool, void* const* objects, unsigned n) {
    FreeList& list = list_of(pool);
    const std::lock_guard hold{list.lock};
    for (void* object : std::span{objects, n}) {
      if (list.guard) ASAN_POISON_MEMORY_REGION(object, list.element_size);
      list.free.push_back(object);
    }
    return 0;
  }
  static int dequeue(rte_mempool* pool, void** objects, unsigned n) {
    FreeList& list = list_of(pool);
    const std::lock_guard hold{list.lock};
    if (list.free.size() < n) return -ENOBUFS;
    for (void*& object : std::span{objects, n}) {
      object = list.free.back();
      list.free.pop_back();
      ASAN_UNPOISON_MEMORY_REGION(object, list.element_size);
    }
    return 0;
  }
  static unsigned count(const rte_mempool* pool) {
    FreeList& list = list_of(pool);
    const std::lock_guard hold{list.lock};
    return static_cast<unsigned>(list.free.size());
  }
  /// Makes the functions above known to DPDK's mempool library, once.
  static void enlist() {
    static const int index = [] {
      rte_mempool_ops ops{};
      std::snprintf(ops.name, sizeof ops.name, "%s", kOpsName);
      ops.alloc = alloc;
      ops.free = free;
      ops.enqueue = enqueue;
      ops.dequeue = dequeue;
      ops.get_count = count;
      return rte_mempool_register_ops(&ops);
    }();
    if (index < 0) give_up("cannot register the pool's functions");
  }
};

PacketPool::PacketPool(unsigned size, std::uint16_t data_room) {
  static std::atomic<unsigned> made{0};
  Ops::enlist();
  const std::string name = "test_pool" + std::to_string(made++);
  // No per-lcore cache: the count of free mbufs is exact, and freed ones are poisoned at once.
  pool_ =
      rte_pktmbuf_pool_create_by_ops(name.c_str(), size, 0, 0, data_room, SOCKET_ID_ANY, kOpsName);
  if (pool_ == nullptr) give_up("cannot make a packet pool");
  list_ = &Ops::list_of(pool_);
  list_->set_guard(true);
}

PacketPool::~PacketPool() {
  list_->set_guard(false);
  rte_mempool_free(pool_);
}

rte_mbuf* PacketPool::try_make(PacketBytes bytes) {
  rte_mbuf* m = rte_pktmbuf_alloc(pool_);
  if (m == nullptr) return nullptr;
  char* to = rte_pktmbuf_append(m, static_cast<std::uint16_t>(bytes.size()));
  if (to == nullptr) give_up("packet does not fit an mbuf");
  std::copy(bytes.begin(), bytes.end(), to);
  return m;
}

rte_mbuf* PacketPool::make(PacketBytes bytes) {
  rte_mbuf* m = try_make(bytes);
  if (m == nullptr) give_up("packet pool exhausted");
  return m;
}

rte_mbuf* PacketPool::make_chained(PacketBytes bytes, std::size_t first) {
  rte_mbuf* m = try_make_chained(bytes, first, bytes.size());
  if (m == nullptr) give_up("packet pool exhausted");
  return m;
}

rte_mbuf* PacketPool::try_make_chained(PacketBytes bytes, std::size_t first, std::size_t others) {
  rte_mbuf* m = try_make(bytes.first(std::min(first, bytes.size())));
  for (std::size_t at = first; m != nullptr && at < bytes.size(); at += others) {
    rte_mbuf* next = try_make(bytes.subspan(at, std::min(others, bytes.size() - at)));
    if (next == nullptr) {
      rte_pktmbuf_free(m);
      return nullptr;
    }
    if (rte_pktmbuf_chain(m, next) != 0) give_up("cannot chain mbufs");
  }
  return m;
}

unsigned PacketPool::in_use() const {
  return rte_mempool_in_use_count(pool_);
}

Packet bytes_of(const rte_mbuf* m) {
  Packet p(m->pkt_len);
  const void* bytes = rte_pktmbuf_read(m, 0, m->pkt_len, p.data());
  if (bytes == nullptr) give_up("pkt_len is not the sum of the segments");
  // rte_pktmbuf_read copies only when the packet is chained.
  if (bytes != p.data()) std::copy_n(static_cast<const std::uint8_t*>(bytes), p.size(), p.data());
  return p;
}

Packet take_bytes(rte_mbuf* m) {
  Packet p = bytes_of(m);
  rte_pktmbuf_free(m);
  return p;
}
}  // namespace test
