// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <span>

#include "core/drop_reason.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/checksum.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/ip4.hh"
#include "proto/wire/ip_protocol.hh"

/// Internet Group Management Protocol version 3 (RFC 3376), the side of a listener.
namespace proto::igmp {
inline constexpr std::uint8_t kProtocol = 2, kTtl = 1;
inline constexpr std::uint32_t kAllHosts = 0xe0000001, kAllRouters = 0xe0000002,
                               kAllIgmp3Routers = 0xe0000016;
// Types of messages (RFC 3376 section 4).
inline constexpr std::uint8_t kQuery = 0x11, kReport1 = 0x12, kReport2 = 0x16, kLeave2 = 0x17,
                              kReport3 = 0x22;

[[nodiscard]] constexpr bool is_group(std::uint32_t a) noexcept {
  return a >> 28 == 0xe;
}
/// The MAC of a multicast group (RFC 1112 section 6.4).
[[nodiscard]] constexpr core::MacAddress group_mac(std::uint32_t group) noexcept {
  return {0x01,
          0x00,
          0x5e,
          static_cast<std::uint8_t>(group >> 16 & 0x7f),
          static_cast<std::uint8_t>(group >> 8),
          static_cast<std::uint8_t>(group)};
}

/// A query of any version (RFC 1112 appendix I, RFC 2236 section 2, RFC 3376 section 4.1). Sources
/// are not read: a listener to any source answers all the same.
class QueryView {
public:
  static constexpr std::size_t kLen = 8, kMinLen3 = 12;
  /// @param message  IGMP from its type on, of type kQuery.
  /// @return the view, or IgmpRefused (RFC 3376 sections 4.1.12, 7.1 and 9.1).
  [[nodiscard]] static constexpr core::Result<QueryView, core::DropReason> parse(
      std::uint32_t dst, Bytes message) noexcept {
    const bool known = message.size() == kLen || message.size() >= kMinLen3;
    if (!known || message[0] != kQuery || !checksum_holds(message))
      return core::DropReason::IgmpRefused;
    const QueryView view{message};
    const bool general = view.group() == 0;
    if (!general && !is_group(view.group())) return core::DropReason::IgmpRefused;
    if (general && dst != kAllHosts) return core::DropReason::IgmpRefused;
    return view;
  }
  [[nodiscard]] constexpr std::uint8_t version() const noexcept {
    if (bytes_.size() >= kMinLen3) return 3;
    return bytes_[1] == 0 ? 1 : 2;
  }
  /// 0: the general query.
  [[nodiscard]] constexpr std::uint32_t group() const noexcept { return load_be32(bytes_, 4); }
  /// Within what time to answer; the version 1 does not say (RFC 3376 sections 4.1.1 and 7.2.1).
  [[nodiscard]] constexpr std::uint32_t max_response_ms() const noexcept {
    const std::uint32_t code = bytes_[1];
    if (version() == 1) return 10'000;
    if (version() == 2 || code < 0x80) return code * 100;
    return (((code & 0x0f) | 0x10) << ((code >> 4 & 7) + 3)) * 100;
  }

private:
  explicit constexpr QueryView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

/// A Group Record without sources (RFC 3376 section 4.2.4).
struct Record {
  static constexpr std::size_t kLen = 8;
  std::uint8_t type = 2;  ///< as mld::Record::Type
  std::uint32_t group = 0;
};
/// Bytes of a report of `n` records.
[[nodiscard]] constexpr std::size_t report_length(std::size_t n) noexcept {
  return 8 + n * Record::kLen;
}
/// Writes a report. @pre out.size() == report_length(records.size()).
constexpr void emit(std::span<const Record> records, MutBytes out) noexcept {
  for (std::uint8_t& byte : out) byte = 0;
  out[0] = kReport3;
  store_be16(out, 6, static_cast<std::uint16_t>(records.size()));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const MutBytes record = out.subspan(report_length(i), Record::kLen);
    record[0] = records[i].type;
    store_be32(record, 4, records[i].group);
  }
  store_be16(out, 2, internet_checksum(out));
}
/// Writes a message of an older version. @param type  kReport1 | kReport2 | kLeave2.
/// @pre out.size() == QueryView::kLen.
constexpr void emit(std::uint8_t type, std::uint32_t group, MutBytes out) noexcept {
  for (std::uint8_t& byte : out) byte = 0;
  out[0] = type;
  store_be32(out, 4, group);
  store_be16(out, 2, internet_checksum(out));
}

/// An IPv4 header with the Router Alert option (RFC 2113), which IGMP has (RFC 3376 section 4).
inline constexpr std::size_t kHeaderLen = Ip4View::kMinHeaderLen + 4;
/// @param packet  kHeaderLen bytes, then the message.
constexpr void emit_header(std::uint32_t src, std::uint32_t dst, MutBytes packet) noexcept {
  emit(Ip4Fields{.tos = 0xc0, .ttl = kTtl, .protocol = kProtocol, .src = src, .dst = dst}, packet);
  packet[0] = 0x46;
  constexpr std::uint8_t kAlert[] = {0x94, 4, 0, 0};
  copy(kAlert, packet.subspan(Ip4View::kMinHeaderLen));
  store_be16(packet, 10, 0);
  store_be16(packet, 10, internet_checksum(packet.first(kHeaderLen)));
}
}  // namespace proto::igmp
