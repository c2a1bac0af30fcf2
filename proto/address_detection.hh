// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "core/interface.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// Duplicate address detection of both families: whether another host of the link has an address
/// that we are about to use. IPv6 asks for it with Neighbour Solicitations (RFC 4862 section 5.4),
/// IPv4 with ARP probes (RFC 5227 section 2.1.1). An address is under test from start() until
/// Env::unique is called for it, conflict() or stop() end it.
///
/// Manager thread; takes time as an argument. Addresses are not scoped.
class AddressDetection {
public:
  /// How often and when is asked.
  struct Timing {
    std::uint32_t probes = 1;                            ///< 1 or more
    std::uint32_t delay_ms = 1000;                       ///< before the first, at random: 0 to this
    std::uint32_t min_gap_ms = 1000, max_gap_ms = 1000;  ///< between two, at random
    std::uint32_t wait_ms = 1000;                        ///< after the last one
  };
  /// RFC 4862 section 5.4.2. @param retrans_ms  RetransTimer of the link.
  [[nodiscard]] static constexpr Timing ip6(std::uint32_t probes,
                                            std::uint32_t retrans_ms) noexcept {
    return {probes, 1000, retrans_ms, retrans_ms, retrans_ms};
  }
  /// RFC 5227 section 1.1: PROBE_WAIT, PROBE_MIN, PROBE_MAX, ANNOUNCE_WAIT.
  [[nodiscard]] static constexpr Timing ip4(std::uint32_t probes) noexcept {
    return {probes, 1000, 1000, 2000, 2000};
  }

  struct Env {
    std::function<void(core::InterfaceId, const IpAddress&)> probe;   ///< asks all once
    std::function<void(core::InterfaceId, const IpAddress&)> unique;  ///< nobody else has it
  };
  explicit AddressDetection(Env env) : env_{std::move(env)}, random_{std::random_device{}()} {}

  /// Begins, also anew.
  void start(core::InterfaceId interface, const IpAddress& address, const Timing& timing,
             std::uint64_t now_us);
  void stop(core::InterfaceId interface, const IpAddress& address);
  void stop_all(core::InterfaceId interface);
  /// Somebody else has the address, or is about to take it. @return whether it was under test.
  bool conflict(core::InterfaceId interface, const IpAddress& address);
  [[nodiscard]] bool running(core::InterfaceId interface, const IpAddress& address) const {
    return tests_.contains({interface, address});
  }
  void poll(std::uint64_t now_us);

private:
  struct Test {
    Timing timing;
    std::uint32_t asked = 0;
    std::uint64_t next_us = 0;
  };
  using Key = std::pair<core::InterfaceId, IpAddress>;
  [[nodiscard]] std::uint64_t between_us(std::uint32_t min_ms, std::uint32_t max_ms);

  Env env_;
  std::map<Key, Test> tests_;
  std::minstd_rand random_;
};
}  // namespace proto
