// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace plx {
class Client;

/// `plx ping`: one call of the API per echo request.
struct PingOptions {
  std::string destination;
  std::optional<std::string> source;
  std::uint32_t count = 0;  ///< 0: until interrupted
  std::uint32_t size = 56;  ///< bytes of ICMP payload
  double interval_s = 1;
  std::uint32_t timeout_ms = 1000;
  bool json = false;
};
/// Prints what happens. @return 0 when any reply came back, else 1. @throws Refused
int ping(Client& client, const PingOptions& options);
}  // namespace plx
