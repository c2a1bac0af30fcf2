// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/interface.hh"
#include "core/ip_address.hh"

namespace proto {
/// Every link has the same fe80::/10, ff02::1 and so on (RFC 4007). In the tables such an address
/// carries the link, as the index of its interface plus one, in its second 16-bit group, which is
/// zero on the wire (KAME's form). On the wire, in packets and towards the user it never does.
[[nodiscard]] constexpr bool is_link_local(const core::IpAddress& a) noexcept {
  return a.bytes()[0] == 0xfe && (a.bytes()[1] & 0xc0) == 0x80;
}
[[nodiscard]] constexpr bool is_ip6_multicast(const core::IpAddress& a) noexcept {
  return a.bytes()[0] == 0xff;
}
/// ::1 (RFC 4291 section 2.5.3).
inline constexpr core::IpAddress kIp6Loopback{
    core::IpAddress::Bytes16{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
/// Whether an address says something only together with its link: link-local unicast, and groups
/// of interface-local and link-local scope.
[[nodiscard]] constexpr bool is_link_scoped(const core::IpAddress& a) noexcept {
  return is_link_local(a) || (is_ip6_multicast(a) && (a.bytes()[1] & 0x0f) <= 2);
}
/// The address as the tables know it; others than link-scoped ones stay as they are.
[[nodiscard]] constexpr core::IpAddress scoped(core::IpAddress a, core::InterfaceId link) noexcept {
  if (!is_link_scoped(a)) return a;
  const auto zone = static_cast<std::uint16_t>(link + 1u);
  a.bytes()[2] = static_cast<std::uint8_t>(zone >> 8);
  a.bytes()[3] = static_cast<std::uint8_t>(zone);
  return a;
}
/// The address as packets and users know it.
[[nodiscard]] constexpr core::IpAddress unscoped(core::IpAddress a) noexcept {
  if (is_link_scoped(a)) a.bytes()[2] = a.bytes()[3] = 0;
  return a;
}
}  // namespace proto
