// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <cassert>
#include <cstdint>
#include <span>

/// The only file in which packet memory changes its type: every other file sees bytes and views.
namespace core {
/// The contiguous bytes at the front of `m`, host memory; headers are read from here only.
[[nodiscard]] inline std::span<const std::uint8_t> front_bytes(const rte_mbuf& m) noexcept {
  return {rte_pktmbuf_mtod(&m, const std::uint8_t*), m.data_len};
}
/// The same bytes, to be rewritten in place. @pre this thread owns the packet.
[[nodiscard]] inline std::span<std::uint8_t> front_bytes_mut(rte_mbuf& m) noexcept {
  return {rte_pktmbuf_mtod(&m, std::uint8_t*), m.data_len};
}
/// Cuts trailing bytes: keeps the first `length`. @pre length <= data_len, one segment.
inline void keep_front(rte_mbuf& m, std::uint16_t length) noexcept {
  assert(length <= m.data_len && m.nb_segs == 1);
  m.data_len = length;
  m.pkt_len = length;
}
/// Cuts `n` bytes off the front. @pre n <= data_len.
inline void strip_front(rte_mbuf& m, std::uint16_t n) noexcept {
  assert(n <= m.data_len);
  m.data_off = static_cast<std::uint16_t>(m.data_off + n);
  m.data_len = static_cast<std::uint16_t>(m.data_len - n);
  m.pkt_len -= n;
}
/// Room for `n` more bytes in front. @pre headroom(m) >= n. The new bytes are not initialised.
inline void grow_front(rte_mbuf& m, std::uint16_t n) noexcept {
  assert(m.data_off >= n);
  m.data_off = static_cast<std::uint16_t>(m.data_off - n);
  m.data_len = static_cast<std::uint16_t>(m.data_len + n);
  m.pkt_len += n;
}
/// The `n` bytes before the packet, for a header that grow_front() then takes in. @pre headroom(m)
/// >= n.
[[nodiscard]] inline std::span<std::uint8_t> room_before(rte_mbuf& m, std::size_t n) noexcept {
  assert(m.data_off >= n);
  return {rte_pktmbuf_mtod(&m, std::uint8_t*) - n, n};
}
/// Room for `n` more bytes at the end. @pre tailroom(m) >= n, one segment.
inline void grow_back(rte_mbuf& m, std::uint16_t n) noexcept {
  assert(m.nb_segs == 1);
  m.data_len = static_cast<std::uint16_t>(m.data_len + n);
  m.pkt_len += n;
}
[[nodiscard]] inline std::uint16_t headroom(const rte_mbuf& m) noexcept {
  return rte_pktmbuf_headroom(&m);
}
[[nodiscard]] inline std::uint16_t tailroom(const rte_mbuf& m) noexcept {
  return rte_pktmbuf_tailroom(&m);
}
/// Brings the first cache line of packet data closer; the mbuf itself must already be near.
inline void prefetch_front(const rte_mbuf& m) noexcept {
  __builtin_prefetch(rte_pktmbuf_mtod(&m, const void*));
}
}  // namespace core
