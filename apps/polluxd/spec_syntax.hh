// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "apps/polluxd/specs.hh"
#include "core/error.hh"

/// Text to the plain values of specs.hh, for the configuration file and the API alike. Every
/// refusal is Invalid and reads "\"TEXT\" is not ..., expected ...": the caller says where it
/// stood. In a build without IPv6 its addresses and prefixes are Unsupported.
namespace polluxd {
[[nodiscard]] core::Expected<core::IpAddress> parse_address(std::string_view text);
[[nodiscard]] core::Expected<std::uint32_t> parse_ip4_address(std::string_view text);
/// An address with the length of its subnet, "10.0.0.1/24", "2001:db8::1/64".
[[nodiscard]] core::Expected<proto::IpPrefix> parse_interface_address(std::string_view text);
/// A prefix without bits below its length, "10.0.0.0/24", "2001:db8::/32"; "default" is 0.0.0.0/0.
[[nodiscard]] core::Expected<proto::IpPrefix> parse_network(std::string_view text);
[[nodiscard]] core::Expected<proto::Ip4Prefix> parse_ip4_network(std::string_view text);
[[nodiscard]] core::Expected<core::MacAddress> parse_mac_address(std::string_view text);
/// The name of an interface: a letter, then letters, digits, '.', '_', '-'; at most 15 characters.
[[nodiscard]] core::Expected<std::string> parse_interface_name(std::string_view text);
/// 256 to 2^32-1 (RFC 4303 section 2.1): decimal, or hexadecimal after "0x".
[[nodiscard]] core::Expected<std::uint32_t> parse_spi(std::string_view text);
[[nodiscard]] core::Expected<crypto::Direction> parse_direction(std::string_view text);
[[nodiscard]] core::Expected<crypto::Algorithm> parse_sa_algorithm(std::string_view text);
[[nodiscard]] core::Expected<RouteSpec::Kind> parse_route_kind(std::string_view text);
[[nodiscard]] std::string_view to_string(RouteSpec::Kind kind) noexcept;
/// "strict", "loose" or "off".
[[nodiscard]] core::Expected<core::Interface::Urpf> parse_urpf(std::string_view text);
[[nodiscard]] std::string_view to_string(core::Interface::Urpf urpf) noexcept;
/// A route as `plx route add` takes it: "PREFIX [via ADDRESS] [dev IF] [vrf NAME] [recursive]" or
/// "PREFIX blackhole|prohibit|unreachable|local [vrf NAME]".
[[nodiscard]] core::Expected<RouteSpec> parse_route(std::string_view text);

inline constexpr std::uint32_t kMinSpi = 256;
inline constexpr std::uint32_t kMinMtu = 68;  ///< RFC 791 section 3.1
inline constexpr std::uint32_t kMaxMtu = 65535;
inline constexpr std::uint32_t kMaxReplayWindow = 4096;  ///< packets
}  // namespace polluxd
