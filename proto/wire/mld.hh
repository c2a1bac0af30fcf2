// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <span>

#include "proto/wire/nd.hh"

/// Multicast Listener Discovery version 2 (RFC 3810), the side of a listener.
namespace proto::mld {
inline constexpr std::uint8_t kHopLimit = 1;
/// Where reports go: all routers that understand version 2.
inline constexpr IpAddress kAllMld2Routers{
    IpAddress::Bytes16{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}};

/// A query of either version (RFC 2710 section 3, RFC 3810 section 5.1). Sources are not read: a
/// listener to any source answers all the same.
class QueryView {
public:
  static constexpr std::size_t kLen1 = 24, kMinLen2 = 28;
  /// @param router_alert  whether its hop-by-hop header had that option.
  /// @return the view, or MldRefused (RFC 3810 sections 5.1.14, 6.2 and 8.1).
  [[nodiscard]] static constexpr core::Result<QueryView, DropReason> parse(const nd::Envelope& ip,
                                                                           bool router_alert,
                                                                           Bytes message) noexcept {
    const bool known = message.size() == kLen1 || message.size() >= kMinLen2;
    if (!known || message[1] != 0 || !nd::is_link_local(ip.src) || ip.hop_limit != kHopLimit ||
        !router_alert)
      return DropReason::MldRefused;
    const QueryView view{message};
    const bool general = view.group() == IpAddress{};
    if (!general && !nd::is_multicast(view.group())) return DropReason::MldRefused;
    if (general && ip.dst != nd::kAllNodes) return DropReason::MldRefused;
    return view;
  }
  /// 1 or 2 (RFC 3810 section 8.1).
  [[nodiscard]] constexpr std::uint8_t version() const noexcept {
    return bytes_.size() == kLen1 ? 1 : 2;
  }
  /// "::": the general query.
  [[nodiscard]] constexpr IpAddress group() const noexcept { return load_ip6(bytes_, 8); }
  /// Within what time to answer (RFC 3810 section 5.1.3).
  [[nodiscard]] constexpr std::uint32_t max_response_ms() const noexcept {
    const std::uint32_t code = load_be16(bytes_, 4);
    if (bytes_.size() == kLen1 || code < 0x8000) return code;
    return ((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);
  }

private:
  explicit constexpr QueryView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

inline constexpr IpAddress kAllRouters = nd::kAllRouters;

/// A Multicast Address Record without sources (RFC 3810 section 5.2.12).
struct Record {
  enum class Type : std::uint8_t {
    IsExclude = 2,  ///< we listen to the group, whoever sends
    ToInclude = 3,  ///< no longer
    ToExclude = 4,  ///< from now on
  };
  static constexpr std::size_t kLen = 20;
  Type type = Type::IsExclude;
  IpAddress group;
};

/// Bytes of a report of `n` records.
[[nodiscard]] constexpr std::size_t report_length(std::size_t n) noexcept {
  return 8 + n * Record::kLen;
}
/// Writes a report with a checksum of zero. @pre out.size() >= report_length(records.size()).
constexpr std::size_t emit(std::span<const Record> records, MutBytes out) noexcept {
  const std::size_t length = report_length(records.size());
  nd::detail::start(Icmp6View::kMld2Report, length, out);
  store_be16(out, 6, static_cast<std::uint16_t>(records.size()));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const MutBytes record = out.subspan(report_length(i), Record::kLen);
    record[0] = static_cast<std::uint8_t>(records[i].type);
    store_ip6(record, 4, records[i].group);
  }
  return length;
}

/// Bytes of a message of version 1.
inline constexpr std::size_t kMessageLen1 = 24;
/// Writes a report of version 1, or what says that the group has been left (RFC 2710 section 3),
/// with a checksum of zero. @param type  kMldReport | kMldDone. @pre out.size() >= kMessageLen1.
constexpr std::size_t emit_v1(std::uint8_t type, const IpAddress& group, MutBytes out) noexcept {
  nd::detail::start(type, kMessageLen1, out);
  store_ip6(out, 8, group);
  return kMessageLen1;
}
}  // namespace proto::mld
