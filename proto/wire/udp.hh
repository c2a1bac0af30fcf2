// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"

namespace proto {
using core::DropReason;

/// A UDP datagram (RFC 768) whose length holds.
class UdpView {
public:
  static constexpr std::size_t kHeaderLen = 8;

  /// @param l4  IP payload; may end in padding, which is cut off.
  /// @return the view, or UdpTruncated | UdpBadLength.
  [[nodiscard]] static constexpr core::Result<UdpView, DropReason> parse(Bytes l4) noexcept {
    if (l4.size() < kHeaderLen) return DropReason::UdpTruncated;
    const std::size_t length = load_be16(l4, kLengthAt);
    if (length < kHeaderLen || length > l4.size()) return DropReason::UdpBadLength;
    return UdpView{l4.first(length)};
  }
  [[nodiscard]] constexpr std::uint16_t src_port() const noexcept { return load_be16(bytes_, 0); }
  [[nodiscard]] constexpr std::uint16_t dst_port() const noexcept { return load_be16(bytes_, 2); }
  [[nodiscard]] constexpr std::uint16_t checksum() const noexcept { return load_be16(bytes_, 6); }
  [[nodiscard]] constexpr Bytes payload() const noexcept { return bytes_.subspan(kHeaderLen); }

private:
  static constexpr std::size_t kLengthAt = 4;
  explicit constexpr UdpView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};
}  // namespace proto
