// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <string>

#include "tests/support/packet.hh"

namespace test {
/// 2001:db8::n, or fe80::n.
struct Host6 {
  std::uint8_t n = 1;
  bool link_local = false;
  [[nodiscard]] Packet bytes() const {
    Packet a(16);
    a[0] = link_local ? 0xfe : 0x20;
    a[1] = link_local ? 0x80 : 0x01;
    if (!link_local) a[2] = 0x0d, a[3] = 0xb8;
    a[15] = n;
    return a;
  }
};

struct Plain6 {
  std::uint8_t traffic_class = 0, next_header = 17, hop_limit = 64;
  Host6 src{1}, dst{2};
};
/// An IPv6 packet.
[[nodiscard]] inline Packet plain6(const Plain6& f, PacketBytes payload) {
  const auto low = [](std::size_t n) { return static_cast<std::uint8_t>(n); };
  Packet p{low(0x60u | f.traffic_class >> 4),
           low(std::size_t{f.traffic_class} << 4),
           0,
           0,
           low(payload.size() >> 8),
           low(payload.size()),
           f.next_header,
           f.hop_limit};
  for (const Host6& h : {f.src, f.dst}) {
    const Packet a = h.bytes();
    p.insert(p.end(), a.begin(), a.end());
  }
  p.insert(p.end(), payload.begin(), payload.end());
  return p;
}

struct FragmentHeader {
  std::uint8_t next_header = 17;
  std::size_t offset = 0;
  bool more = false;
  std::uint32_t id = 1;
};
/// A Fragment header and what follows it.
[[nodiscard]] inline Packet ip6_fragment(const FragmentHeader& f, PacketBytes part) {
  Packet p{f.next_header,
           0,
           static_cast<std::uint8_t>(f.offset >> 8),
           static_cast<std::uint8_t>((f.offset & 0xf8) | (f.more ? 1 : 0)),
           static_cast<std::uint8_t>(f.id >> 24),
           static_cast<std::uint8_t>(f.id >> 16),
           static_cast<std::uint8_t>(f.id >> 8),
           static_cast<std::uint8_t>(f.id)};
  p.insert(p.end(), part.begin(), part.end());
  return p;
}

/// Part of a payload, as an IPv4 packet with the fields of `f`.
[[nodiscard]] inline Packet part4(Ip4 f, PacketBytes payload, std::size_t offset,
                                  std::size_t length) {
  f.fragment_offset = static_cast<std::uint16_t>(offset);
  f.more_fragments = offset + length < payload.size();
  return ip4(f, payload.subspan(offset, length));
}
/// The same as an IPv6 packet.
[[nodiscard]] inline Packet part6(const Plain6& f, PacketBytes payload, std::size_t offset,
                                  std::size_t length, std::uint32_t id = 1) {
  Plain6 outer = f;
  outer.next_header = 44;
  return plain6(outer, ip6_fragment({.next_header = f.next_header,
                                     .offset = offset,
                                     .more = offset + length < payload.size(),
                                     .id = id},
                                    payload.subspan(offset, length)));
}
}  // namespace test
