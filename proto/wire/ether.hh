// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/mac_address.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"

namespace proto {
using core::DropReason;

inline constexpr std::uint16_t kEtherTypeIp4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIp6 = 0x86dd;
inline constexpr std::uint16_t kTpidC = 0x8100;  ///< customer VLAN tag, IEEE 802.1Q
inline constexpr std::uint16_t kTpidS = 0x88a8;  ///< service VLAN tag, IEEE 802.1ad

/// The MAC address at an offset. @pre at + 6 <= b.size().
[[nodiscard]] constexpr core::MacAddress load_mac(Bytes b, std::size_t at) noexcept {
  core::MacAddress a{};
  copy(b.subspan(at, a.size()), a);
  return a;
}

/// An Ethernet II frame (IEEE 802.3 clause 3.2.6), without FCS.
class EtherView {
public:
  static constexpr std::size_t kHeaderLen = 14;

  /// @param frame  from the destination address on.
  /// @return the view, or EtherTruncated.
  [[nodiscard]] static constexpr core::Result<EtherView, DropReason> parse(Bytes frame) noexcept {
    if (frame.size() < kHeaderLen) return DropReason::EtherTruncated;
    return EtherView{frame};
  }
  [[nodiscard]] constexpr core::MacAddress dst() const noexcept { return load_mac(bytes_, 0); }
  [[nodiscard]] constexpr core::MacAddress src() const noexcept { return load_mac(bytes_, 6); }
  [[nodiscard]] constexpr std::uint16_t type() const noexcept { return load_be16(bytes_, 12); }
  [[nodiscard]] constexpr Bytes payload() const noexcept { return bytes_.subspan(kHeaderLen); }

private:
  explicit constexpr EtherView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

struct EtherFields {
  core::MacAddress dst, src;
  std::uint16_t type;
};
/// @pre out.size() >= 14.
constexpr void emit(const EtherFields& f, MutBytes out) noexcept {
  copy(f.dst, out.subspan(0, 6));
  copy(f.src, out.subspan(6, 6));
  store_be16(out, 12, f.type);
}
}  // namespace proto
