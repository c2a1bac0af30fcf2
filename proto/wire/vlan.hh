// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"

namespace proto {
using core::DropReason;

/// What follows the TPID of a VLAN tag (IEEE 802.1Q clause 9.6), and the EtherType after it.
class VlanTagView {
public:
  static constexpr std::size_t kLen = 4;  ///< of a whole tag: TPID and TCI
  static constexpr std::uint16_t kMinId = 1, kMaxId = 4094;

  /// @param bytes  from the TCI on.
  /// @return the view, or VlanTruncated.
  [[nodiscard]] static constexpr core::Result<VlanTagView, DropReason> parse(Bytes bytes) noexcept {
    if (bytes.size() < kLen) return DropReason::VlanTruncated;
    return VlanTagView{bytes};
  }
  /// 0: a priority tag, the frame belongs to no VLAN.
  [[nodiscard]] constexpr std::uint16_t id() const noexcept {
    return load_be16(bytes_, 0) & 0x0fffU;
  }
  [[nodiscard]] constexpr std::uint16_t type() const noexcept { return load_be16(bytes_, 2); }

private:
  explicit constexpr VlanTagView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

/// A whole tag. @pre out.size() >= 4.
constexpr void emit_vlan_tag(std::uint16_t tpid, std::uint16_t id, MutBytes out) noexcept {
  store_be16(out, 0, tpid);
  store_be16(out, 2, id);
}
}  // namespace proto
