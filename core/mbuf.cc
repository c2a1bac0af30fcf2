// SPDX-License-Identifier: BSD-3-Clause
#include "core/mbuf.hh"

#include <algorithm>
#include <cstring>

namespace core {
void chain::keep_front(rte_mbuf& m, std::uint32_t length) noexcept {
  rte_mbuf* last = &m;
  std::uint32_t left = length;
  std::uint16_t segments = 1;
  for (; left > last->data_len; last = last->next, ++segments) left -= last->data_len;
  last->data_len = static_cast<std::uint16_t>(left);
  if (last->next != nullptr) rte_pktmbuf_free(last->next);
  last->next = nullptr;
  m.nb_segs = segments;
  m.pkt_len = length;
}

bool linearize(rte_mbuf& m) noexcept {
  if (!is_chain(m)) return true;
  // Behind the data of a buffer that is shared may be data of others.
  if (!RTE_MBUF_DIRECT(&m) || rte_mbuf_refcnt_read(&m) != 1) return false;
  return rte_pktmbuf_linearize(&m) == 0;
}

std::size_t copy_bytes(const rte_mbuf& m, std::size_t offset,
                       std::span<std::uint8_t> out) noexcept {
  std::size_t n = 0;
  for_each_segment(m, offset, [&](std::span<const std::uint8_t> bytes) {
    bytes = bytes.first(std::min(bytes.size(), out.size() - n));
    if (!bytes.empty()) std::memcpy(out.data() + n, bytes.data(), bytes.size());
    n += bytes.size();
  });
  return n;
}
}  // namespace core
