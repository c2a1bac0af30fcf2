// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/ip4_address.hh"

#include <array>
#include <charconv>
#include <cstdio>

namespace proto {
namespace {
/// Takes a decimal number of at most `max` off the front; no sign, no leading zero.
std::optional<std::uint32_t> take_decimal(std::string_view& text, std::uint32_t max) noexcept {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || value > max || (digits > 1 && text.front() == '0'))
    return std::nullopt;
  text.remove_prefix(digits);
  return value;
}
bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}
std::optional<std::uint32_t> take_ip4(std::string_view& text) noexcept {
  std::uint32_t address = 0;
  for (int octet = 0; octet < 4; ++octet) {
    if (octet > 0 && !take(text, '.')) return std::nullopt;
    const auto value = take_decimal(text, 255);
    if (!value) return std::nullopt;
    address = address << 8 | *value;
  }
  return address;
}
}  // namespace

std::optional<std::uint32_t> parse_ip4(std::string_view text) noexcept {
  const auto address = take_ip4(text);
  return text.empty() ? address : std::nullopt;
}

std::optional<Ip4Prefix> parse_ip4_prefix(std::string_view text) noexcept {
  const auto address = take_ip4(text);
  if (!address) return std::nullopt;
  if (text.empty()) return Ip4Prefix{*address, 32};
  if (!take(text, '/')) return std::nullopt;
  const auto length = take_decimal(text, 32);
  if (!length || !text.empty()) return std::nullopt;
  return Ip4Prefix{*address, static_cast<std::uint8_t>(*length)};
}

std::optional<core::MacAddress> parse_mac(std::string_view text) noexcept {
  core::MacAddress mac{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const char* pair = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(pair, pair + 2, mac[i], 16);
    if (error != std::errc{} || end != pair + 2) return std::nullopt;
    if (i < 5 && pair[2] != ':') return std::nullopt;
  }
  return mac;
}

std::string to_string(std::uint32_t ip4) {
  return std::to_string(ip4 >> 24) + '.' + std::to_string(ip4 >> 16 & 255) + '.' +
         std::to_string(ip4 >> 8 & 255) + '.' + std::to_string(ip4 & 255);
}

std::string to_string(Ip4Prefix prefix) {
  return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

std::string to_string(const core::MacAddress& mac) {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                mac[3], mac[4], mac[5]);
  return text.data();
}
}  // namespace proto
