// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip_address.hh"

#include <arpa/inet.h>

#include <charconv>

namespace proto {
std::optional<IpAddress> parse_ip6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  IpAddress address;
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  if (inet_pton(AF_INET6, terminated.data(), address.bytes().data()) != 1 || address.is_ip4())
    return std::nullopt;
  return address;
}

std::optional<IpAddress> parse_ip(std::string_view text) noexcept {
  if (const auto ip4 = parse_ip4(text)) return IpAddress{*ip4};
  return parse_ip6(text);
}

std::optional<IpPrefix> parse_ip_prefix(std::string_view text) noexcept {
  if (const auto ip4 = parse_ip4_prefix(text)) return IpPrefix{*ip4};
  const auto slash = text.find('/');
  const auto address = parse_ip6(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix::host(*address);
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (!whole || length > 128 || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return IpPrefix{*address, length};
}

std::string to_string(const IpAddress& address) {
  if (address.is_ip4()) return to_string(address.ip4());
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, address.bytes().data(), text.data(), text.size());
  return text.data();
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}
}  // namespace proto
