// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "core/event.hh"
#include "core/interface.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// A router that has said that it is there.
struct DefaultRouter {
  core::InterfaceId interface = core::kNoInterface;
  IpAddress address;           ///< scoped (ip6_scope.hh)
  std::int8_t preference = 0;  ///< 1 high, 0 medium, -1 low (RFC 4191)
  std::uint8_t flags = 0;      ///< of nd::RouterAdvertisementView
  std::uint64_t until_us = 0;  ///< when it is a default router no longer
};

/// A prefix that a router has advertised.
struct AdvertisedPrefix {
  core::InterfaceId interface = core::kNoInterface;
  IpPrefix prefix;
  bool on_link = false, autonomous = false;
  IpAddress router;                  ///< the last one that named it; scoped
  std::uint64_t valid_until_us = 0;  ///< kForEver: infinite
  std::uint64_t preferred_until_us = 0;
  static constexpr std::uint64_t kForEver = UINT64_MAX;
};

/// A host's side of router discovery (RFC 4861 section 6.3): asks for routers, and keeps those that
/// answer and their prefixes as long as they say. What is made of them is the manager's.
///
/// Manager thread; takes time as an argument. Bounded: what does not fit is not taken.
class RouterDiscovery {
public:
  static constexpr std::size_t kMaxRouters = 16, kMaxPrefixes = 64;
  struct Env {
    /// Asks for routers. @return false: there is no address yet to ask from.
    std::function<bool(core::InterfaceId)> solicit;
    std::function<void()> changed;  ///< routers or prefixes have come or gone
  };
  explicit RouterDiscovery(Env env) : env_{std::move(env)}, random_{std::random_device{}()} {}

  /// Asks, also anew.
  void start(core::InterfaceId interface, std::uint64_t now_us);
  /// Forgets all that is known of the link.
  void stop(core::InterfaceId interface);
  /// Whether it has been started.
  [[nodiscard]] bool running(core::InterfaceId interface) const {
    return solicitations_.contains(interface);
  }
  /// EventKind::RouterAdvertised and PrefixAdvertised.
  void advertised(const core::Event& e, std::uint64_t now_us);
  void prefix_advertised(const core::Event& e, std::uint64_t now_us);
  /// It says that it is a host (RFC 4861 section 7.2.5).
  void no_router(core::InterfaceId interface, const IpAddress& address);
  void poll(std::uint64_t now_us);

  [[nodiscard]] const std::vector<DefaultRouter>& routers() const noexcept { return routers_; }
  [[nodiscard]] const std::vector<AdvertisedPrefix>& prefixes() const noexcept { return prefixes_; }

  /// The valid lifetime that an address made by itself has from now on (RFC 4862 section 5.5.3
  /// (e)): nobody may end it at once by an advertisement that he has forged.
  [[nodiscard]] static std::uint64_t valid_until(std::uint64_t now_us, std::uint64_t until_us,
                                                 std::uint32_t advertised_s) noexcept;
  /// Seconds from now on. 0xffffffff: for ever.
  [[nodiscard]] static std::uint64_t after(std::uint64_t now_us, std::uint32_t seconds) noexcept;

private:
  struct Solicitation {
    std::uint32_t left = 0;
    std::uint64_t next_us = 0;
  };
  Env env_;
  std::map<core::InterfaceId, Solicitation> solicitations_;
  std::vector<DefaultRouter> routers_;
  std::vector<AdvertisedPrefix> prefixes_;
  std::minstd_rand random_;
};
}  // namespace proto
