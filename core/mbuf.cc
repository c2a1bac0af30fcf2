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

namespace {
/// Behind the data of a buffer that is shared may be data of others.
bool owns_buffer(const rte_mbuf& m) noexcept {
  return RTE_MBUF_DIRECT(&m) && rte_mbuf_refcnt_read(&m) == 1;
}
}  // namespace

bool linearize(rte_mbuf& m) noexcept {
  if (!is_chain(m)) return true;
  return owns_buffer(m) && rte_pktmbuf_linearize(&m) == 0;
}

bool gather_front(rte_mbuf& m, std::uint32_t length) noexcept {
  length = std::min(length, m.pkt_len);
  if (m.data_len >= length) return true;
  if (!owns_buffer(m) || m.data_len + std::uint32_t{tailroom(m)} < length) return false;
  while (m.data_len < length) {
    rte_mbuf& s = *m.next;
    const auto n =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(length - m.data_len, s.data_len));
    std::memcpy(front_bytes_mut(m).data() + m.data_len, front_bytes(s).data(), n);
    m.data_len = static_cast<std::uint16_t>(m.data_len + n);
    s.data_off = static_cast<std::uint16_t>(s.data_off + n);
    s.data_len = static_cast<std::uint16_t>(s.data_len - n);
    if (s.data_len != 0) continue;
    m.next = s.next;
    m.nb_segs = static_cast<std::uint16_t>(m.nb_segs - 1);
    rte_pktmbuf_free_seg(&s);
  }
  return true;
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
