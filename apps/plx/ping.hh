// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "apps/plx/host.hh"
#include "apps/plx/plan.hh"

namespace plx {
class Client;

/// `plx ping`: one call of the API per echo request.
struct PingOptions {
  std::string destination;
  Family family = Family::Any;
  std::optional<std::string> source, vrf;
  std::uint32_t count = 0;  ///< 0: until interrupted
  std::uint32_t size = 56;  ///< bytes of ICMP payload
  std::uint32_t ttl = 0;    ///< 0: the daemon's
  bool dont_fragment = false;
  double interval_s = 1;
  std::uint32_t timeout_ms = 1000;
  bool json = false;
};
/// Prints what happens. @return 0 when any reply came back, else 1. @throws Refused
int ping(Client& client, const PingOptions& options);

/// What an ICMP error says, in ping's words: "Destination Host Unreachable".
std::string error_text(const Json& answer, bool ip6);

/// `plx traceroute`: one call of the API per probe.
struct TracerouteOptions {
  std::string destination;
  Family family = Family::Any;
  std::optional<std::string> source, vrf;
  std::uint32_t first_hop = 1, max_hops = 30, probes = 3;
  std::uint32_t timeout_ms = 2000;
  std::uint32_t port = 33434;  ///< of the first probe; each further one has the next
  bool icmp = false;           ///< echo requests instead of UDP datagrams
  bool numeric = false;
  bool json = false;
};
/// Prints what happens. @return 0 when the destination was reached, else 1. @throws Refused
int traceroute(Client& client, const TracerouteOptions& options);
}  // namespace plx
