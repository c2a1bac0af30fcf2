// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/drop_reason.hh"
#include "core/mac_address.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/ether.hh"

namespace proto {
/// An ARP packet for IPv4 over Ethernet (RFC 826).
class ArpView {
public:
  static constexpr std::size_t kLen = 28;
  static constexpr std::uint16_t kRequest = 1, kReply = 2;

  /// @param payload  Ethernet payload; link padding behind the packet is ignored.
  /// @return the view, or ArpTruncated | ArpBadHardware | ArpBadProtocol | ArpBadOperation.
  [[nodiscard]] static constexpr core::Result<ArpView, DropReason> parse(Bytes payload) noexcept {
    if (payload.size() < kLen) return DropReason::ArpTruncated;
    if (load_be16(payload, 0) != kHardwareEthernet || payload[4] != 6)
      return DropReason::ArpBadHardware;
    if (load_be16(payload, 2) != kEtherTypeIp4 || payload[5] != 4)
      return DropReason::ArpBadProtocol;
    const std::uint16_t op = load_be16(payload, 6);
    if (op != kRequest && op != kReply) return DropReason::ArpBadOperation;
    return ArpView{payload.first(kLen)};
  }
  [[nodiscard]] constexpr std::uint16_t operation() const noexcept { return load_be16(bytes_, 6); }
  [[nodiscard]] constexpr core::MacAddress sender_mac() const noexcept {
    return load_mac(bytes_, 8);
  }
  [[nodiscard]] constexpr std::uint32_t sender_ip() const noexcept { return load_be32(bytes_, 14); }
  [[nodiscard]] constexpr core::MacAddress target_mac() const noexcept {
    return load_mac(bytes_, 18);
  }
  [[nodiscard]] constexpr std::uint32_t target_ip() const noexcept { return load_be32(bytes_, 24); }

private:
  static constexpr std::uint16_t kHardwareEthernet = 1;
  explicit constexpr ArpView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

struct ArpFields {
  std::uint16_t operation;  ///< ArpView::kRequest | kReply
  core::MacAddress sender_mac;
  std::uint32_t sender_ip;
  core::MacAddress target_mac;  ///< zero in a request
  std::uint32_t target_ip;
};
/// @pre out.size() >= ArpView::kLen.
constexpr void emit(const ArpFields& f, MutBytes out) noexcept {
  store_be16(out, 0, 1);
  store_be16(out, 2, kEtherTypeIp4);
  out[4] = 6;
  out[5] = 4;
  store_be16(out, 6, f.operation);
  copy(f.sender_mac, out.subspan(8, 6));
  store_be32(out, 14, f.sender_ip);
  copy(f.target_mac, out.subspan(18, 6));
  store_be32(out, 24, f.target_ip);
}
}  // namespace proto
