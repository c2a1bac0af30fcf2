// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <optional>

#include "proto/wire/icmp6.hh"
#include "proto/wire/ip6.hh"

/// Extension headers of IPv6 (RFC 8200 section 4), read as far as they lie in what is seen of the
/// packet, and no more of them than a limit.
namespace proto {
/// Why a packet is refused for one of its headers, and what its source is told.
struct Ip6Refusal {
  static constexpr std::uint8_t kSilent = 0xff;
  DropReason reason{};
  std::uint8_t code = kSilent;  ///< of ICMPv6 "parameter problem" (RFC 4443 section 3.4)
  std::uint32_t pointer = 0;    ///< offset of the field that offends, from the IPv6 header on

  [[nodiscard]] constexpr bool silent() const noexcept { return code == kSilent; }
};

/// Where the walk over the extension headers ended, and what was seen on the way.
struct Ip6Upper {
  std::uint8_t protocol = kProtocolNone;
  bool router_alert = false;  ///< RFC 2711
  bool fragmented = false;    ///< came with a Fragment header, be it of the only fragment
  std::uint32_t at = 0;       ///< of that header, from the IPv6 header on
  std::uint32_t named_at = Ip6View::kNextHeaderAt;  ///< of the Next Header field that names it
};

/// A Fragment header (RFC 8200 section 4.5).
class Ip6FragmentView {
public:
  static constexpr std::size_t kLen = 8;

  /// @param bytes  from the Fragment header on. @return the view, or Ip6BadExtension.
  [[nodiscard]] static constexpr core::Result<Ip6FragmentView, DropReason> parse(
      Bytes bytes) noexcept {
    if (bytes.size() < kLen) return DropReason::Ip6BadExtension;
    return Ip6FragmentView{bytes.first(kLen)};
  }
  [[nodiscard]] constexpr std::uint8_t next_header() const noexcept { return bytes_[0]; }
  /// In bytes.
  [[nodiscard]] constexpr std::size_t offset() const noexcept {
    return load_be16(bytes_, 2) & 0xfff8u;
  }
  [[nodiscard]] constexpr bool more() const noexcept { return (bytes_[3] & 1) != 0; }
  [[nodiscard]] constexpr std::uint32_t id() const noexcept { return load_be32(bytes_, 4); }
  /// The first and only fragment: a whole packet (RFC 6946).
  [[nodiscard]] constexpr bool is_atomic() const noexcept { return offset() == 0 && !more(); }

private:
  explicit constexpr Ip6FragmentView(Bytes checked) noexcept : bytes_{checked} {}
  Bytes bytes_;
};

struct Ip6FragmentFields {
  std::uint8_t next_header = kProtocolNone;
  std::uint16_t offset = 0;  ///< bytes, a multiple of 8
  bool more = false;
  std::uint32_t id = 0;
};
/// @pre out.size() >= 8.
constexpr void emit(const Ip6FragmentFields& f, MutBytes out) noexcept {
  out[0] = f.next_header;
  out[1] = 0;
  store_be16(out, 2, static_cast<std::uint16_t>((f.offset & 0xfff8u) | (f.more ? 1u : 0u)));
  store_be32(out, 4, f.id);
}

namespace extension {
inline constexpr std::size_t kMaxOptions = 32;  ///< of one header, padding included
inline constexpr std::uint8_t kPad1 = 0, kPadN = 1, kRouterAlert = 5;

/// What an unknown option wants, by the highest two bits of its type (RFC 8200 section 4.2).
/// @return nothing: it is passed over.
[[nodiscard]] constexpr std::optional<Ip6Refusal> judge_unknown(std::uint8_t type, std::size_t at,
                                                                bool to_group) noexcept {
  constexpr unsigned kSkip = 0, kTell = 2, kTellUnlessGroup = 3;
  const unsigned action = type >> 6;
  if (action == kSkip) return std::nullopt;
  Ip6Refusal r{.reason = DropReason::Ip6UnknownOption};
  if (action == kTell || (action == kTellUnlessGroup && !to_group)) {
    r.code = Icmp6View::kUnknownOption;
    r.pointer = static_cast<std::uint32_t>(at);
  }
  return r;
}

/// Walks the options of the hop-by-hop or destination options header that fills [at, end) of
/// `packet`. A jumbo payload is an unknown option here, of the kind that is refused (RFC 2675).
/// @return whether one of them was a router alert, or the refusal.
[[nodiscard]] constexpr core::Result<bool, Ip6Refusal> judge_options(Bytes packet, std::size_t at,
                                                                     std::size_t end,
                                                                     bool to_group) noexcept {
  bool router_alert = false;
  std::size_t options = 0;
  for (std::size_t i = at + 2; i < end;) {
    const std::uint8_t type = packet[i];
    if (++options > kMaxOptions) return Ip6Refusal{.reason = DropReason::Ip6TooManyExtensions};
    if (type == kPad1) {
      ++i;
      continue;
    }
    if (i + 1 == end || i + 2 + packet[i + 1] > end)
      return Ip6Refusal{.reason = DropReason::Ip6BadOption};
    if (type == kRouterAlert) {
      router_alert = true;
    } else if (type != kPadN) {
      if (const auto refusal = judge_unknown(type, i, to_group)) return *refusal;
    }
    i += 2u + packet[i + 1];
  }
  return router_alert;
}

/// Bytes of the extension header at `at`, or nothing where it is not all seen. Not for a Fragment
/// header, whose length is fixed. @param unit  of its length field: 8, or 4 in AH.
[[nodiscard]] constexpr std::optional<std::size_t> length(Bytes packet, std::size_t at) noexcept {
  if (at + 8 > packet.size()) return std::nullopt;
  const std::size_t n = (std::size_t{packet[at + 1]} + 1) * 8;
  if (at + n > packet.size()) return std::nullopt;
  return n;
}

[[nodiscard]] constexpr bool is_extension(std::uint8_t protocol) noexcept {
  return protocol == kProtocolHopByHop || protocol == kProtocolRouting ||
         protocol == kProtocolFragment || protocol == kProtocolDestinationOptions;
}

/// One extension header other than a Fragment header, of `n` bytes at u.at. A router alert is noted
/// in `u`. @return nothing: it may be passed over.
[[nodiscard]] constexpr std::optional<Ip6Refusal> judge_header(Bytes packet, Ip6Upper& u,
                                                               std::size_t n,
                                                               bool to_group) noexcept {
  if (u.protocol == kProtocolRouting) {
    // No type is known, and type 0 is forbidden (RFC 5095): with segments left it is not for us.
    if (packet[u.at + 3] == 0) return std::nullopt;
    return Ip6Refusal{DropReason::Ip6RoutingHeader, Icmp6View::kBadField, u.at + 2};
  }
  const auto options = judge_options(packet, u.at, u.at + n, to_group);
  if (!options) return options.error();
  if (u.protocol == kProtocolHopByHop && *options) u.router_alert = true;
  return std::nullopt;
}
}  // namespace extension

/// Judges the extension headers of a packet for us, in their order, up to the upper-layer header or
/// a Fragment header of a packet in fragments; the only fragment of a packet is no fragment (RFC
/// 6946). ESP and AH end the walk: they are for who has their keys.
/// @param max_extensions  how many headers are read.
/// @return where it ended (at the end of the packet it may be), or Ip6BadExtension |
///         Ip6TooManyExtensions | Ip6BadOption | Ip6UnknownOption | Ip6RoutingHeader |
///         Ip6HopByHopPlace with what the source is told.
[[nodiscard]] constexpr core::Result<Ip6Upper, Ip6Refusal> walk_extensions(
    const Ip6View& ip, unsigned max_extensions) noexcept {
  const Bytes packet = ip.packet();
  const bool to_group = packet[Ip6View::kDestinationAt] == 0xff;
  Ip6Upper u{.protocol = ip.next_header(), .at = Ip6View::kHeaderLen};
  for (unsigned n = 0; extension::is_extension(u.protocol); ++n) {
    if (n == max_extensions) return Ip6Refusal{.reason = DropReason::Ip6TooManyExtensions};
    if (u.protocol == kProtocolHopByHop && n != 0)
      return Ip6Refusal{DropReason::Ip6HopByHopPlace, Icmp6View::kUnknownNextHeader, u.named_at};
    std::size_t length = Ip6FragmentView::kLen;
    if (u.protocol == kProtocolFragment) {
      const auto fragment = Ip6FragmentView::parse(packet.subspan(u.at));
      if (!fragment) return Ip6Refusal{.reason = fragment.error()};
      u.fragmented = true;
      if (!fragment->is_atomic()) return u;
    } else {
      const auto whole = extension::length(packet, u.at);
      if (!whole) return Ip6Refusal{.reason = DropReason::Ip6BadExtension};
      length = *whole;
      if (const auto refusal = extension::judge_header(packet, u, length, to_group))
        return *refusal;
    }
    u.named_at = u.at;
    u.protocol = packet[u.at];
    u.at += static_cast<std::uint32_t>(length);
  }
  return u;
}

/// Judges the hop-by-hop options, which every node on the way reads. @pre ip.next_header() is 0.
/// @return nothing: it may go on; or Ip6BadExtension | Ip6BadOption | Ip6UnknownOption |
///         Ip6TooManyExtensions with what the source is told.
[[nodiscard]] constexpr std::optional<Ip6Refusal> judge_hop_by_hop(const Ip6View& ip) noexcept {
  const Bytes packet = ip.packet();
  const auto length = extension::length(packet, Ip6View::kHeaderLen);
  if (!length) return Ip6Refusal{.reason = DropReason::Ip6BadExtension};
  const auto options =
      extension::judge_options(packet, Ip6View::kHeaderLen, Ip6View::kHeaderLen + *length,
                               packet[Ip6View::kDestinationAt] == 0xff);
  if (!options) return options.error();
  return std::nullopt;
}

/// What a packet carries, be it for us or not: extension headers, AH as well, are passed over
/// unjudged.
struct Ip6Glance {
  std::uint8_t protocol = kProtocolNone;
  bool later_fragment = false;  ///< there is no upper-layer header in it
  std::uint32_t at = 0;         ///< of the upper-layer header
};
/// @return nothing where the headers are more than a few, or run past what is seen.
[[nodiscard]] constexpr std::optional<Ip6Glance> glance_at_upper(const Ip6View& ip) noexcept {
  constexpr unsigned kMaxHeaders = 8;
  const Bytes packet = ip.packet();
  Ip6Glance g{.protocol = ip.next_header(), .at = Ip6View::kHeaderLen};
  for (unsigned n = 0; extension::is_extension(g.protocol) || g.protocol == kProtocolAh; ++n) {
    if (n == kMaxHeaders || g.at + 8 > packet.size()) return std::nullopt;
    std::size_t length = 8;
    if (g.protocol == kProtocolFragment)
      g.later_fragment |= (load_be16(packet, g.at + 2) & 0xfff8u) != 0;
    else if (g.protocol == kProtocolAh)
      length = (std::size_t{packet[g.at + 1]} + 2) * 4;  // RFC 4302 section 2.2
    else
      length = (std::size_t{packet[g.at + 1]} + 1) * 8;
    g.protocol = packet[g.at];
    g.at += static_cast<std::uint32_t>(length);
    if (g.later_fragment) return g;
    if (g.at > packet.size()) return std::nullopt;
  }
  return g;
}
}  // namespace proto
