// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <cassert>
#include <cstdint>
#include <span>

/// The only file in which packet memory changes its type: every other file sees bytes and views.
///
/// A packet may lie in several segments, a chain: a frame longer than a buffer, a datagram put
/// together from its fragments. Its headers lie in the first segment (ether_input() sees to it, see
/// headers_in_front()), and are read and written there; lengths are those of the whole packet,
/// pkt_len. All functions are for the thread that owns the packet.
namespace core {
/// How many bytes of a received frame must lie in its first segment, if it has so many: Ethernet,
/// two VLAN tags and the longest IPv4 header take 82, and what follows is the transport's header.
inline constexpr std::uint32_t kHeaderRoom = 128;

/// The contiguous bytes at the front of `m`, its first segment; headers are read from here only.
[[nodiscard]] inline std::span<const std::uint8_t> front_bytes(const rte_mbuf& m) noexcept {
  return {rte_pktmbuf_mtod(&m, const std::uint8_t*), m.data_len};
}
/// The same bytes, to be rewritten in place. @pre this thread owns the packet.
[[nodiscard]] inline std::span<std::uint8_t> front_bytes_mut(rte_mbuf& m) noexcept {
  return {rte_pktmbuf_mtod(&m, std::uint8_t*), m.data_len};
}
/// Whether the packet lies in more than one segment.
[[nodiscard]] inline bool is_chain(const rte_mbuf& m) noexcept {
  return m.nb_segs != 1;
}
/// Whether a received frame has its headers where they are looked for, in the first segment.
[[nodiscard]] inline bool headers_in_front(const rte_mbuf& m) noexcept {
  return m.data_len >= kHeaderRoom || m.data_len == m.pkt_len;
}

namespace chain {
/// As keep_front(), for any number of segments.
void keep_front(rte_mbuf& m, std::uint32_t length) noexcept;
}  // namespace chain

/// Cuts trailing bytes: keeps the first `length`, and frees segments that hold none of them.
/// @pre length <= pkt_len.
inline void keep_front(rte_mbuf& m, std::uint32_t length) noexcept {
  assert(length <= m.pkt_len);
  if (is_chain(m)) [[unlikely]]
    return chain::keep_front(m, length);
  m.data_len = static_cast<std::uint16_t>(length);
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
/// Puts the packet `tail` behind `m`, which takes its segments over; nothing is copied.
/// @return false, and nothing done, where that were more segments than DPDK counts (65535).
[[nodiscard]] inline bool append(rte_mbuf& m, rte_mbuf& tail) noexcept {
  return rte_pktmbuf_chain(&m, &tail) == 0;
}
/// Makes one segment of a chain: what lies in the others is copied behind the first and they are
/// freed. @return false, and nothing done, where it has no room for them or shares its buffer.
[[nodiscard]] bool linearize(rte_mbuf& m) noexcept;
/// Brings the first `length` bytes of a chain, or all where it has fewer, into its first segment:
/// what lies in the others is copied behind it, and those left empty are freed. @return false, and
/// nothing done, where it has no room for them or shares its buffer.
[[nodiscard]] bool gather_front(rte_mbuf& m, std::uint32_t length) noexcept;
/// Copies the packet's bytes from `offset` on, of all segments, as many as there are and fit.
/// @return how many.
std::size_t copy_bytes(const rte_mbuf& m, std::size_t offset, std::span<std::uint8_t> out) noexcept;

/// Calls `f(bytes)` for the bytes of each segment in turn, those in front of `offset` left out.
/// None of them is empty.
template <class F>
void for_each_segment(const rte_mbuf& m, std::size_t offset, F&& f) noexcept {
  for (const rte_mbuf* s = &m; s != nullptr; s = s->next) {
    const std::size_t skip = offset < s->data_len ? offset : s->data_len;
    offset -= skip;
    if (const auto bytes = front_bytes(*s).subspan(skip); !bytes.empty()) f(bytes);
  }
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
