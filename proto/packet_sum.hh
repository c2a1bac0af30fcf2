// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/mbuf.hh"
#include "proto/wire/checksum.hh"

namespace proto {
/// The one's complement sum (RFC 1071) of the packet's bytes from `offset` on, `length` of them or
/// all to its end, over all segments, whatever the parity of their lengths: 0xffff where they
/// contain a right checksum.
/// For chains; of a single segment, sum_words() is the quicker way.
[[nodiscard]] inline std::uint16_t packet_sum(const rte_mbuf& m, std::size_t offset,
                                              std::size_t length = SIZE_MAX) noexcept {
  std::uint64_t sum = 0;
  bool odd = false;  // the segment begins in the middle of a word
  core::for_each_segment(m, offset, [&](Bytes bytes) {
    bytes = bytes.first(std::min(bytes.size(), length));
    length -= bytes.size();
    const std::uint16_t part = fold_checksum(sum_words(bytes));
    sum += odd ? __builtin_bswap16(part) : part;  // RFC 1071 section 2 (B)
    odd = odd != (bytes.size() % 2 != 0);
  });
  return fold_checksum(sum);
}
}  // namespace proto
