// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>

#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"

namespace proto {
using core::DropReason;

/// A UDP datagram (RFC 768) whose length holds.
class UdpView {
public:
  static constexpr std::size_t kHeaderLen = 8;

  /// @param l4     IP payload; may end in padding, which is cut off.
  /// @param there  bytes of the whole IP payload, of which `l4` is the beginning: more than
  ///               l4.size() where the packet lies in several segments.
  /// @return the view, or UdpTruncated | UdpBadLength. @pre there >= l4.size().
  [[nodiscard]] static constexpr core::Result<UdpView, DropReason> parse(
      Bytes l4, std::size_t there) noexcept {
    if (l4.size() < kHeaderLen) return DropReason::UdpTruncated;
    const std::size_t length = load_be16(l4, kLengthAt);
    if (length < kHeaderLen || length > there) return DropReason::UdpBadLength;
    return UdpView{l4.first(std::min(length, l4.size()))};
  }
  /// The same of a payload that is all there.
  [[nodiscard]] static constexpr core::Result<UdpView, DropReason> parse(Bytes l4) noexcept {
    return parse(l4, l4.size());
  }
  [[nodiscard]] constexpr std::uint16_t src_port() const noexcept { return load_be16(bytes_, 0); }
  [[nodiscard]] constexpr std::uint16_t dst_port() const noexcept { return load_be16(bytes_, 2); }
  [[nodiscard]] constexpr std::uint16_t checksum() const noexcept { return load_be16(bytes_, 6); }
  /// Of header and data, whether or not all of it is seen.
  [[nodiscard]] constexpr std::uint16_t length() const noexcept {
    return load_be16(bytes_, kLengthAt);
  }
  /// What is seen of the data: in a packet of several segments, what lies in the first.
  [[nodiscard]] constexpr Bytes payload() const noexcept { return bytes_.subspan(kHeaderLen); }

private:
  static constexpr std::size_t kLengthAt = 4;
  explicit constexpr UdpView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};
}  // namespace proto
