// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/spec_syntax.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/inet6.hh"

namespace polluxd {
namespace {
core::Error bad(std::string_view text, std::string_view what, std::string_view expected) {
  constexpr std::size_t kShown = 64;
  std::string shown{text.substr(0, kShown)};
  // It goes to a terminal: nothing in it may steer that.
  for (char& c : shown)
    if (c < 0x20 || c == 0x7f) c = '?';
  return {core::Errc::Invalid, fmt::format("\"{}\" is not {}, expected {}", shown, what, expected)};
}
/// What can be read, but is of a family that this build does not have. @param value  address or
/// prefix.
template <class T>
core::Expected<T> of_this_build(const T& value) {
  if constexpr (!core::kInet6)
    if (!value.is_ip4()) return core::no_inet6(proto::to_string(value));
  return value;
}
constexpr bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_name_character(char c) noexcept {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}
}  // namespace

core::Expected<core::IpAddress> parse_address(std::string_view text) {
  const auto address = proto::parse_ip(text);
  if (!address) return bad(text, "an IP address", "a text like \"192.0.2.1\" or \"2001:db8::1\"");
  return of_this_build(*address);
}

core::Expected<std::uint32_t> parse_ip4_address(std::string_view text) {
  const auto address = proto::parse_ip4(text);
  if (!address) return bad(text, "an IPv4 address", "four decimal octets like \"192.0.2.1\"");
  return *address;
}

core::Expected<proto::IpPrefix> parse_interface_address(std::string_view text) {
  const auto prefix = proto::parse_ip_prefix(text);
  if (!prefix)
    return bad(text, "an address with a prefix length",
               "a text like \"192.0.2.1/24\" or \"2001:db8::1/64\"");
  return of_this_build(*prefix);
}

core::Expected<proto::IpPrefix> parse_network(std::string_view text) {
  if (text == "default") return proto::IpPrefix{proto::Ip4Prefix{}};
  const auto prefix = proto::parse_ip_prefix(text);
  if (!prefix)
    return bad(text, "a prefix", "a text like \"192.0.2.0/24\", \"2001:db8::/32\" or \"default\"");
  if (*prefix != prefix->network())
    return bad(text, "a prefix: bits below its length are set",
               fmt::format("\"{}\"", proto::to_string(prefix->network())));
  return of_this_build(*prefix);
}

core::Expected<proto::Ip4Prefix> parse_ip4_network(std::string_view text) {
  const auto prefix = parse_network(text);
  if (!prefix) return prefix.error();
  if (!prefix->is_ip4()) return bad(text, "an IPv4 prefix", "a text like \"192.0.2.0/24\"");
  return prefix->ip4();
}

core::Expected<core::MacAddress> parse_mac_address(std::string_view text) {
  const auto mac = proto::parse_mac(text);
  if (!mac) return bad(text, "a MAC address", "a text like \"02:00:00:00:00:01\"");
  return *mac;
}

core::Expected<std::string> parse_interface_name(std::string_view text) {
  constexpr std::size_t kMaxName = 15;
  if (text.empty() || text.size() > kMaxName || !is_letter(text.front()) ||
      !std::ranges::all_of(text, is_name_character))
    return bad(text, "an interface name",
               "a letter, then letters, digits, '.', '_' or '-', at most 15 characters");
  return std::string{text};
}

core::Expected<std::uint32_t> parse_spi(std::string_view text) {
  std::string_view digits = text;
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  if (hex) digits.remove_prefix(2);
  std::uint32_t spi = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), spi, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() || spi < kMinSpi)
    return bad(text, "an SPI", "256 to 4294967295, decimal or hexadecimal after \"0x\"");
  return spi;
}

core::Expected<crypto::Direction> parse_direction(std::string_view text) {
  if (text == "in") return crypto::Direction::In;
  if (text == "out") return crypto::Direction::Out;
  return bad(text, "a direction", "\"in\" or \"out\"");
}

core::Expected<crypto::Algorithm> parse_sa_algorithm(std::string_view text) {
  const auto algorithm = crypto::parse_algorithm(text);
  if (!algorithm) return bad(text, "an algorithm", "\"aes-gcm-128\" or \"aes-gcm-256\"");
  return *algorithm;
}

std::string_view to_string(RouteSpec::Kind kind) noexcept {
  switch (kind) {
    case RouteSpec::Kind::Unicast: return "unicast";
    case RouteSpec::Kind::Blackhole: return "blackhole";
    case RouteSpec::Kind::Prohibit: return "prohibit";
    case RouteSpec::Kind::Unreachable: return "unreachable";
    case RouteSpec::Kind::Local: return "local";
  }
  return "?";
}

core::Expected<RouteSpec::Kind> parse_route_kind(std::string_view text) {
  using K = RouteSpec::Kind;
  for (const K k : {K::Unicast, K::Blackhole, K::Prohibit, K::Unreachable, K::Local})
    if (text == to_string(k)) return k;
  return bad(text, "a kind of route",
             "\"unicast\", \"blackhole\", \"prohibit\", \"unreachable\" or \"local\"");
}

core::Expected<core::Interface::Urpf> parse_urpf(std::string_view text) {
  using Urpf = core::Interface::Urpf;
  for (const Urpf u : {Urpf::Off, Urpf::Loose, Urpf::Strict})
    if (text == to_string(u)) return u;
  return bad(text, "a check of sources", "\"strict\", \"loose\" or \"off\"");
}

std::string_view to_string(core::Interface::Urpf urpf) noexcept {
  switch (urpf) {
    case core::Interface::Urpf::Off: return "off";
    case core::Interface::Urpf::Loose: return "loose";
    case core::Interface::Urpf::Strict: return "strict";
  }
  return "?";
}

namespace {
/// The words of a line, one after the other.
class WordReader {
public:
  explicit WordReader(std::string_view text) : rest_{text} {}
  /// @return "" at the end.
  std::string_view take() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r"), rest_.size()));
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r"));
    rest_.remove_prefix(word.size());
    return word;
  }

private:
  std::string_view rest_;
};
}  // namespace

core::Expected<RouteSpec> parse_route(std::string_view text) {
  WordReader words{text};
  RouteSpec spec;
  const std::string_view first = words.take();
  const auto prefix = parse_network(first);
  if (!prefix) return prefix.error();
  spec.prefix = *prefix;
  bool has_kind = false;
  for (std::string_view word = words.take(); !word.empty(); word = words.take()) {
    if (word == "via") {
      const auto gateway = parse_address(words.take());
      if (!gateway) return gateway.error();
      spec.gateway = *gateway;
    } else if (word == "dev" || word == "vrf") {
      const auto name = parse_interface_name(words.take());
      if (!name) return name.error();
      (word == "dev" ? spec.interface : spec.vrf) = *name;
    } else if (word == "recursive") {
      spec.recursive = true;
    } else if (const auto kind = parse_route_kind(word == "reject" ? "unreachable" : word)) {
      spec.kind = *kind;
      has_kind = true;
    } else {
      return bad(word, "a word of a route",
                 "via, dev, vrf, recursive, blackhole, prohibit, unreachable or local");
    }
  }
  // "default via" an IPv6 gateway is IPv6's.
  if (first == "default" && spec.gateway && !spec.gateway->is_ip4())
    spec.prefix = proto::IpPrefix{core::IpAddress{}, 0};
  const bool leads = spec.gateway.has_value() || !spec.interface.empty();
  if (leads == has_kind)
    return core::Error{core::Errc::Invalid,
                       "a route leads somewhere (via, dev) or has a kind, one of both"};
  return spec;
}
}  // namespace polluxd
