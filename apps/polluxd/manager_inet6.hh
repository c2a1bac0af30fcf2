// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "apps/polluxd/manager_impl.hh"
#include "proto/fib6.hh"
#include "proto/router_advertiser.hh"
#include "proto/router_discovery.hh"

namespace polluxd {
/// What the manager keeps for IPv6 alone: for the files that are not in polluxd-v4.
struct Manager::Impl::Inet6 {
  /// A prefix that is on the link though no address of ours is in it.
  struct OnLinkPrefix {
    core::InterfaceId interface;
    proto::IpPrefix prefix;
    proto::NextHopId next_hop;
  };
  struct Redirect {
    core::InterfaceId interface;
    std::uint64_t until_us;
  };
  using RouterKey = std::pair<core::InterfaceId, core::IpAddress>;  ///< scoped

  std::unique_ptr<proto::Fib6> fib;
  proto::RouterDiscovery discovery;
  proto::RouterAdvertiser advertiser;
  std::vector<OnLinkPrefix> on_link_prefixes = {};
  std::optional<RouterKey> default_router = {};
  std::set<RouterKey> unreachable_routers = {};
  std::map<core::IpAddress, Redirect> redirects = {};  ///< by destination, scoped
  std::uint64_t next_life_us = 0, next_router_look_us = 0;
  bool routers_changed = false;
};
}  // namespace polluxd
