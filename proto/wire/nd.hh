// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <optional>
#include <span>

#include "core/drop_reason.hh"
#include "core/mac_address.hh"
#include "core/result.hh"
#include "proto/wire/bytes.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/ip6.hh"
#include "proto/wire/ip_address.hh"

/// Neighbour Discovery (RFC 4861): views of the messages that exist only where the RFC's validation
/// rules hold, and what writes them. "Message" is ICMPv6 from its type on; the checksum is a
/// question of its own. Addresses are those of the wire, without a scope.
namespace proto::nd {
// Types of options (RFC 4861 section 4.6).
inline constexpr std::uint8_t kSourceMac = 1, kTargetMac = 2, kPrefixInformation = 3,
                              kRedirectedHeader = 4, kMtu = 5;
inline constexpr std::uint8_t kHopLimit = 255;  ///< proves that no router was in between

[[nodiscard]] constexpr bool is_multicast(const IpAddress& a) noexcept {
  return a.bytes()[0] == 0xff;
}
[[nodiscard]] constexpr bool is_link_local(const IpAddress& a) noexcept {
  return a.bytes()[0] == 0xfe && (a.bytes()[1] & 0xc0) == 0x80;
}

inline constexpr IpAddress kAllNodes{
    IpAddress::Bytes16{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr IpAddress kAllRouters{
    IpAddress::Bytes16{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
/// The group that listens for solicitations of an address (RFC 4291 section 2.7.1).
[[nodiscard]] constexpr IpAddress solicited_node(const IpAddress& a) noexcept {
  const auto& b = a.bytes();
  return IpAddress{
      IpAddress::Bytes16{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, b[13], b[14], b[15]}};
}
[[nodiscard]] constexpr bool is_solicited_node(const IpAddress& a) noexcept {
  return a == solicited_node(a);
}
/// The MAC of a multicast group (RFC 2464 section 7).
[[nodiscard]] constexpr core::MacAddress group_mac(const IpAddress& group) noexcept {
  const auto& b = group.bytes();
  return {0x33, 0x33, b[12], b[13], b[14], b[15]};
}
/// A prefix of 64 bits with the modified EUI-64 of a MAC behind it (RFC 2464 section 4).
[[nodiscard]] constexpr IpAddress with_eui64(IpAddress prefix, const core::MacAddress& m) noexcept {
  auto& b = prefix.bytes();
  b[8] = static_cast<std::uint8_t>(m[0] ^ 2);
  b[9] = m[1];
  b[10] = m[2];
  b[11] = 0xff;
  b[12] = 0xfe;
  b[13] = m[3];
  b[14] = m[4];
  b[15] = m[5];
  return prefix;
}
[[nodiscard]] constexpr IpAddress link_local(const core::MacAddress& m) noexcept {
  return with_eui64(IpAddress{IpAddress::Bytes16{0xfe, 0x80}}, m);
}

/// What of the IPv6 header a message is judged by.
struct Envelope {
  IpAddress src{}, dst{};
  std::uint8_t hop_limit = kHopLimit;
};

/// A Prefix Information option (RFC 4861 section 4.6.2).
struct PrefixInformation {
  static constexpr std::uint8_t kOnLink = 0x80, kAutonomous = 0x40;
  static constexpr std::size_t kLen = 32;
  IpPrefix prefix;                             ///< may have bits below its length
  std::uint8_t flags = 0;                      ///< kOnLink | kAutonomous
  std::uint32_t valid_s = 0, preferred_s = 0;  ///< 0xffffffff: for ever
};

/// The options behind the fixed part of a message, each inside of it. Unknown ones, and those of a
/// length that their type does not have, are passed over (RFC 4861 section 4.6).
class Options {
public:
  /// @return the options, or NdBadOption.
  [[nodiscard]] static constexpr core::Result<Options, DropReason> parse(Bytes bytes) noexcept {
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t left = bytes.size() - at;
      if (left < 2 || bytes[at + 1] == 0 || length(bytes, at) > left)
        return DropReason::NdBadOption;
      at += length(bytes, at);
    }
    return Options{bytes};
  }
  constexpr Options() noexcept = default;

  /// Calls `f(type, option)` for each in turn; the option begins with its type.
  template <class F>
  constexpr void for_each(F&& f) const noexcept {
    for (std::size_t at = 0; at < bytes_.size(); at += length(bytes_, at))
      f(bytes_[at], bytes_.subspan(at, length(bytes_, at)));
  }
  /// The first link-layer address of that type that can be a host's; none: zero.
  [[nodiscard]] constexpr core::MacAddress mac(std::uint8_t type) const noexcept {
    core::MacAddress found{};
    for_each([&](std::uint8_t t, Bytes option) {
      if (t != type || option.size() != kMacLen || found != core::MacAddress{}) return;
      const core::MacAddress m = load_mac(option, 2);
      if (!core::is_group(m)) found = m;
    });
    return found;
  }
  /// Whether there is an option of that type at all.
  [[nodiscard]] constexpr bool has(std::uint8_t type) const noexcept {
    bool found = false;
    for_each([&](std::uint8_t t, Bytes) { found = found || t == type; });
    return found;
  }
  /// 0: none.
  [[nodiscard]] constexpr std::uint32_t mtu() const noexcept {
    std::uint32_t found = 0;
    for_each([&](std::uint8_t t, Bytes option) {
      if (t == kMtu && option.size() == kMtuLen) found = load_be32(option, 4);
    });
    return found;
  }
  /// Calls `f(const PrefixInformation&)` for each whose prefix length an address has.
  template <class F>
  constexpr void for_each_prefix(F&& f) const noexcept {
    for_each([&](std::uint8_t t, Bytes option) {
      if (t != kPrefixInformation || option.size() != PrefixInformation::kLen || option[2] > 128)
        return;
      f(PrefixInformation{IpPrefix{load_ip6(option, 16), option[2]}, option[3],
                          load_be32(option, 4), load_be32(option, 8)});
    });
  }

  static constexpr std::size_t kMacLen = 8, kMtuLen = 8;

private:
  explicit constexpr Options(Bytes checked) noexcept : bytes_{checked} {}
  [[nodiscard]] static constexpr std::size_t length(Bytes b, std::size_t at) noexcept {
    return std::size_t{b[at + 1]} * 8;
  }
  Bytes bytes_;
};

/// What each message is judged by first: hop limit, length of the fixed part, code, options.
[[nodiscard]] constexpr core::Result<Options, DropReason> judge(const Envelope& ip, Bytes message,
                                                                std::size_t fixed) noexcept {
  if (ip.hop_limit != kHopLimit) return DropReason::NdBadHopLimit;
  if (message.size() < fixed) return DropReason::NdTruncated;
  if (message[1] != 0) return DropReason::NdBadCode;
  return Options::parse(message.subspan(fixed));
}

/// A Neighbour Solicitation (RFC 4861 sections 4.3 and 7.1.1).
class NeighborSolicitationView {
public:
  static constexpr std::size_t kFixedLen = 24;
  /// @return the view, or NdBadHopLimit | NdTruncated | NdBadCode | NdBadOption | NdBadTarget |
  /// NdBadDestination | NdBadSource.
  [[nodiscard]] static constexpr core::Result<NeighborSolicitationView, DropReason> parse(
      const Envelope& ip, Bytes message) noexcept {
    const auto options = judge(ip, message, kFixedLen);
    if (!options) return options.error();
    const NeighborSolicitationView view{message, *options};
    if (is_multicast(view.target())) return DropReason::NdBadTarget;
    if (ip.src == IpAddress{}) {  // duplicate address detection
      if (!is_solicited_node(ip.dst)) return DropReason::NdBadDestination;
      if (options->has(kSourceMac)) return DropReason::NdBadSource;
    }
    return view;
  }
  [[nodiscard]] constexpr IpAddress target() const noexcept { return load_ip6(bytes_, 8); }
  /// Zero: none.
  [[nodiscard]] constexpr core::MacAddress source_mac() const noexcept {
    return options_.mac(kSourceMac);
  }

private:
  constexpr NeighborSolicitationView(Bytes checked, Options options) noexcept
      : bytes_{checked}, options_{options} {}
  Bytes bytes_;
  Options options_;
};

/// A Neighbour Advertisement (RFC 4861 sections 4.4 and 7.1.2).
class NeighborAdvertisementView {
public:
  static constexpr std::size_t kFixedLen = 24;
  static constexpr std::uint8_t kRouter = 0x80, kSolicited = 0x40, kOverride = 0x20;
  /// @return the view, or NdBadHopLimit | NdTruncated | NdBadCode | NdBadOption | NdBadTarget |
  /// NdBadDestination.
  [[nodiscard]] static constexpr core::Result<NeighborAdvertisementView, DropReason> parse(
      const Envelope& ip, Bytes message) noexcept {
    const auto options = judge(ip, message, kFixedLen);
    if (!options) return options.error();
    const NeighborAdvertisementView view{message, *options};
    if (is_multicast(view.target())) return DropReason::NdBadTarget;
    if (is_multicast(ip.dst) && (view.flags() & kSolicited) != 0)
      return DropReason::NdBadDestination;
    return view;
  }
  [[nodiscard]] constexpr std::uint8_t flags() const noexcept { return bytes_[4]; }
  [[nodiscard]] constexpr IpAddress target() const noexcept { return load_ip6(bytes_, 8); }
  [[nodiscard]] constexpr core::MacAddress target_mac() const noexcept {
    return options_.mac(kTargetMac);
  }

private:
  constexpr NeighborAdvertisementView(Bytes checked, Options options) noexcept
      : bytes_{checked}, options_{options} {}
  Bytes bytes_;
  Options options_;
};

/// A Router Solicitation (RFC 4861 sections 4.1 and 6.1.1).
class RouterSolicitationView {
public:
  static constexpr std::size_t kFixedLen = 8;
  /// @return the view, or NdBadHopLimit | NdTruncated | NdBadCode | NdBadOption | NdBadSource.
  [[nodiscard]] static constexpr core::Result<RouterSolicitationView, DropReason> parse(
      const Envelope& ip, Bytes message) noexcept {
    const auto options = judge(ip, message, kFixedLen);
    if (!options) return options.error();
    if (ip.src == IpAddress{} && options->has(kSourceMac)) return DropReason::NdBadSource;
    return RouterSolicitationView{*options};
  }
  [[nodiscard]] constexpr core::MacAddress source_mac() const noexcept {
    return options_.mac(kSourceMac);
  }

private:
  explicit constexpr RouterSolicitationView(Options options) noexcept : options_{options} {}
  Options options_;
};

/// A Router Advertisement (RFC 4861 sections 4.2 and 6.1.2).
class RouterAdvertisementView {
public:
  static constexpr std::size_t kFixedLen = 16;
  static constexpr std::uint8_t kManaged = 0x80, kOther = 0x40;
  static constexpr std::uint8_t kPreference = 0x18;  ///< two's complement (RFC 4191 section 2.1)
  /// @return the view, or NdBadSource | NdBadHopLimit | NdTruncated | NdBadCode | NdBadOption.
  [[nodiscard]] static constexpr core::Result<RouterAdvertisementView, DropReason> parse(
      const Envelope& ip, Bytes message) noexcept {
    if (!is_link_local(ip.src)) return DropReason::NdBadSource;
    const auto options = judge(ip, message, kFixedLen);
    if (!options) return options.error();
    return RouterAdvertisementView{message, *options};
  }
  [[nodiscard]] constexpr std::uint8_t hop_limit() const noexcept { return bytes_[4]; }
  [[nodiscard]] constexpr std::uint8_t flags() const noexcept { return bytes_[5]; }
  [[nodiscard]] constexpr std::uint16_t lifetime_s() const noexcept { return load_be16(bytes_, 6); }
  [[nodiscard]] constexpr std::uint32_t reachable_ms() const noexcept {
    return load_be32(bytes_, 8);
  }
  [[nodiscard]] constexpr std::uint32_t retrans_ms() const noexcept {
    return load_be32(bytes_, 12);
  }
  [[nodiscard]] constexpr core::MacAddress source_mac() const noexcept {
    return options_.mac(kSourceMac);
  }
  [[nodiscard]] constexpr std::uint32_t mtu() const noexcept { return options_.mtu(); }
  [[nodiscard]] constexpr const Options& options() const noexcept { return options_; }

private:
  constexpr RouterAdvertisementView(Bytes checked, Options options) noexcept
      : bytes_{checked}, options_{options} {}
  Bytes bytes_;
  Options options_;
};

/// A Redirect (RFC 4861 sections 4.5 and 8.1). That it comes from the first hop is for its reader.
class RedirectView {
public:
  static constexpr std::size_t kFixedLen = 40;
  /// @return the view, or NdBadSource | NdBadHopLimit | NdTruncated | NdBadCode | NdBadOption |
  /// NdBadDestination | NdBadTarget.
  [[nodiscard]] static constexpr core::Result<RedirectView, DropReason> parse(
      const Envelope& ip, Bytes message) noexcept {
    if (!is_link_local(ip.src)) return DropReason::NdBadSource;
    const auto options = judge(ip, message, kFixedLen);
    if (!options) return options.error();
    const RedirectView view{message, *options};
    if (is_multicast(view.destination())) return DropReason::NdBadDestination;
    if (!is_link_local(view.target()) && view.target() != view.destination())
      return DropReason::NdBadTarget;
    return view;
  }
  [[nodiscard]] constexpr IpAddress target() const noexcept { return load_ip6(bytes_, 8); }
  [[nodiscard]] constexpr IpAddress destination() const noexcept { return load_ip6(bytes_, 24); }
  [[nodiscard]] constexpr core::MacAddress target_mac() const noexcept {
    return options_.mac(kTargetMac);
  }

private:
  constexpr RedirectView(Bytes checked, Options options) noexcept
      : bytes_{checked}, options_{options} {}
  Bytes bytes_;
  Options options_;
};

// Writing. Each emit() writes a whole message, with a checksum of zero, and says how long it is;
// finish() puts the headers in front and fills the checksum in.

namespace detail {
/// @return bytes written.
constexpr std::size_t emit_mac(std::uint8_t type, const core::MacAddress& m,
                               MutBytes out) noexcept {
  if (m == core::MacAddress{}) return 0;
  out[0] = type;
  out[1] = 1;
  copy(m, out.subspan(2));
  return Options::kMacLen;
}
constexpr void start(std::uint8_t type, std::size_t fixed, MutBytes out) noexcept {
  for (std::size_t i = 0; i < fixed; ++i) out[i] = 0;
  out[0] = type;
}
}  // namespace detail

struct NeighborSolicitation {
  IpAddress target;
  core::MacAddress source_mac{};  ///< zero: no option
};
/// @pre out.size() >= 32.
constexpr std::size_t emit(const NeighborSolicitation& f, MutBytes out) noexcept {
  constexpr std::size_t kFixed = NeighborSolicitationView::kFixedLen;
  detail::start(Icmp6View::kNeighborSolicitation, kFixed, out);
  store_ip6(out, 8, f.target);
  return kFixed + detail::emit_mac(kSourceMac, f.source_mac, out.subspan(kFixed));
}

struct NeighborAdvertisement {
  std::uint8_t flags = 0;  ///< of NeighborAdvertisementView
  IpAddress target;
  core::MacAddress target_mac{};  ///< zero: no option
};
/// @pre out.size() >= 32.
constexpr std::size_t emit(const NeighborAdvertisement& f, MutBytes out) noexcept {
  constexpr std::size_t kFixed = NeighborAdvertisementView::kFixedLen;
  detail::start(Icmp6View::kNeighborAdvertisement, kFixed, out);
  out[4] = f.flags;
  store_ip6(out, 8, f.target);
  return kFixed + detail::emit_mac(kTargetMac, f.target_mac, out.subspan(kFixed));
}

struct RouterSolicitation {
  core::MacAddress source_mac{};  ///< zero: no option
};
/// @pre out.size() >= 16.
constexpr std::size_t emit(const RouterSolicitation& f, MutBytes out) noexcept {
  constexpr std::size_t kFixed = RouterSolicitationView::kFixedLen;
  detail::start(Icmp6View::kRouterSolicitation, kFixed, out);
  return kFixed + detail::emit_mac(kSourceMac, f.source_mac, out.subspan(kFixed));
}

struct RouterAdvertisement {
  std::uint8_t hop_limit = 0, flags = 0;
  std::uint16_t lifetime_s = 0;
  std::uint32_t reachable_ms = 0, retrans_ms = 0;
  core::MacAddress source_mac{};  ///< zero: no option
  std::uint32_t mtu = 0;          ///< 0: no option
  std::span<const PrefixInformation> prefixes{};
};
/// Room that emit() of it needs.
[[nodiscard]] constexpr std::size_t length(const RouterAdvertisement& f) noexcept {
  return RouterAdvertisementView::kFixedLen + Options::kMacLen + Options::kMtuLen +
         f.prefixes.size() * PrefixInformation::kLen;
}
/// @pre out.size() >= length(f).
constexpr std::size_t emit(const RouterAdvertisement& f, MutBytes out) noexcept {
  std::size_t at = RouterAdvertisementView::kFixedLen;
  detail::start(Icmp6View::kRouterAdvertisement, at, out);
  out[4] = f.hop_limit;
  out[5] = f.flags;
  store_be16(out, 6, f.lifetime_s);
  store_be32(out, 8, f.reachable_ms);
  store_be32(out, 12, f.retrans_ms);
  at += detail::emit_mac(kSourceMac, f.source_mac, out.subspan(at));
  if (f.mtu != 0) {
    detail::start(kMtu, Options::kMtuLen, out.subspan(at));
    out[at + 1] = 1;
    store_be32(out, at + 4, f.mtu);
    at += Options::kMtuLen;
  }
  for (const PrefixInformation& p : f.prefixes) {
    const MutBytes option = out.subspan(at, PrefixInformation::kLen);
    detail::start(kPrefixInformation, option.size(), option);
    option[1] = 4;
    option[2] = p.prefix.length;
    option[3] = p.flags;
    store_be32(option, 4, p.valid_s);
    store_be32(option, 8, p.preferred_s);
    store_ip6(option, 16, p.prefix.network().address);
    at += option.size();
  }
  return at;
}

struct Redirect {
  IpAddress target, destination;
  core::MacAddress target_mac{};  ///< zero: no option
  Bytes redirected{};             ///< the packet, from its IPv6 header; cut to a multiple of 8
};
/// Room that emit() of it needs.
[[nodiscard]] constexpr std::size_t length(const Redirect& f) noexcept {
  return RedirectView::kFixedLen + Options::kMacLen + 8 + f.redirected.size() / 8 * 8;
}
/// @pre out.size() >= length(f); f.redirected.size() < 2032.
constexpr std::size_t emit(const Redirect& f, MutBytes out) noexcept {
  std::size_t at = RedirectView::kFixedLen;
  detail::start(Icmp6View::kRedirect, at, out);
  store_ip6(out, 8, f.target);
  store_ip6(out, 24, f.destination);
  at += detail::emit_mac(kTargetMac, f.target_mac, out.subspan(at));
  const Bytes packet = f.redirected.first(f.redirected.size() / 8 * 8);
  if (packet.empty()) return at;
  detail::start(kRedirectedHeader, 8, out.subspan(at));
  out[at + 1] = static_cast<std::uint8_t>(1 + packet.size() / 8);
  copy(packet, out.subspan(at + 8));
  return at + 8 + packet.size();
}

/// The headers of a packet of ours.
struct PacketFields {
  IpAddress src, dst;
  std::uint8_t hop_limit = kHopLimit;
  bool router_alert = false;  ///< in a hop-by-hop header, as MLD wants it (RFC 3810 section 5)
};
inline constexpr std::size_t kRouterAlertLen = 8;

/// Bytes in front of the message.
[[nodiscard]] constexpr std::size_t headers_length(const PacketFields& f) noexcept {
  return Ip6View::kHeaderLen + (f.router_alert ? kRouterAlertLen : 0);
}
/// Writes the headers, and the checksum of the message.
/// @param packet  headers_length(f) bytes, then the message as emit() left it.
constexpr void finish(const PacketFields& f, MutBytes packet) noexcept {
  emit(Ip6Fields{.next_header = f.router_alert ? kProtocolHopByHop : kProtocolIcmp6,
                 .hop_limit = f.hop_limit,
                 .src = f.src,
                 .dst = f.dst},
       packet);
  if (f.router_alert) {
    // Router Alert for MLD (RFC 2711), then PadN of two bytes.
    constexpr std::uint8_t kAlert[] = {kProtocolIcmp6, 0, 5, 2, 0, 0, 1, 0};
    copy(kAlert, packet.subspan(Ip6View::kHeaderLen));
  }
  const MutBytes message = packet.subspan(headers_length(f));
  const std::uint64_t pseudo = pseudo_header_sum(f.src, f.dst, message.size(), kProtocolIcmp6);
  store_be16(message, 2, 0);
  store_be16(message, 2, static_cast<std::uint16_t>(~fold_checksum(pseudo + sum_words(message))));
}
}  // namespace proto::nd
