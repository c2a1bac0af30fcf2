// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

namespace plx {
enum class Family : unsigned char { Any, Ip4, Ip6 };

/// A host as it was named, and its address as the daemon wants it, which resolves no names.
struct Host {
  std::string name, address;
  std::string interface;  ///< behind the "%" of a link-local address; else empty
  bool ip6 = false;
};
/// @param text  a name or an address, "fe80::2%wan0" with its link.
/// @throws Refused: it cannot be resolved in that family.
Host find_host(const std::string& text, Family family);

/// The name of an address, or the address where it has none.
std::string name_of(const std::string& address);
}  // namespace plx
