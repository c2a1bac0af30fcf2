// SPDX-License-Identifier: BSD-3-Clause
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "proto/wire/ip4_address.hh"
#include "tests/fuzz/fuzz.hh"

namespace {
// An address has one spelling, a prefix two (the length may be left out), a MAC address two per
// letter: so whatever is accepted must be what the formatter writes.
void addresses(std::string_view text) {
  if (const auto ip = proto::parse_ip4(text))
    fuzz::require(proto::to_string(*ip) == text, "an IPv4 address has one spelling");
}
void prefixes(std::string_view text) {
  const auto prefix = proto::parse_ip4_prefix(text);
  if (!prefix) return;
  fuzz::require(prefix->length <= 32, "a prefix length is 32 at most");
  const std::string full = proto::to_string(*prefix);
  fuzz::require(full == text || full == std::string{text} + "/32",
                "a prefix is an address and a length");
  fuzz::require(prefix->contains(prefix->network().address) &&
                    prefix->contains(prefix->broadcast()) && prefix->contains(prefix->address),
                "a prefix contains its ends");
}
void macs(std::string_view text) {
  const auto mac = proto::parse_mac(text);
  if (!mac) return;
  std::string lower{text};
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  fuzz::require(proto::to_string(*mac) == lower, "a MAC address is six pairs with colons");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Not terminated, and of exact size: reading on is an error that AddressSanitizer sees.
  const std::vector<char> bytes{data, data + size};
  const std::string_view text{bytes.data(), bytes.size()};
  addresses(text);
  prefixes(text);
  macs(text);
  return 0;
}
