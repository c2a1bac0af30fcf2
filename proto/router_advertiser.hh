// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <random>

#include "core/interface.hh"

namespace proto {
/// When a router says that it is there (RFC 4861 section 6.2): at random intervals, soon after
/// somebody asks, but not too often, and once more when it stops. All of it goes to all hosts.
///
/// Manager thread; takes time as an argument.
class RouterAdvertiser {
public:
  /// Seconds between two, at random. RFC 4861 section 6.2.1: MinRtrAdvInterval, MaxRtrAdvInterval.
  struct Interval {
    std::uint32_t min_s = 200, max_s = 600;
    friend bool operator==(const Interval&, const Interval&) = default;
  };
  struct Env {
    /// @param last  we are no router any more: with a lifetime of 0. @return false: nothing can be
    /// sent yet.
    std::function<bool(core::InterfaceId, bool last)> send;
  };
  explicit RouterAdvertiser(Env env) : env_{std::move(env)}, random_{std::random_device{}()} {}

  /// Begins, or goes on with another interval.
  void start(core::InterfaceId interface, const Interval& interval, std::uint64_t now_us);
  /// Says so. Nothing happens where it has not been started.
  void stop(core::InterfaceId interface);
  /// The interface is down or gone: nothing is said.
  void forget(core::InterfaceId interface) { links_.erase(interface); }
  /// What is advertised has changed: hosts hear of it soon.
  void changed(core::InterfaceId interface, std::uint64_t now_us);
  /// A host asks.
  void solicited(core::InterfaceId interface, std::uint64_t now_us);
  void poll(std::uint64_t now_us);
  [[nodiscard]] bool running(core::InterfaceId interface) const {
    return links_.contains(interface);
  }

private:
  struct Link {
    Interval interval;
    std::uint32_t initial = 0;  ///< still to be sent in short intervals
    std::uint64_t last_us = 0;  ///< 0: none yet
    std::uint64_t next_us = 0;
  };
  [[nodiscard]] std::uint64_t between_us(std::uint64_t min_us, std::uint64_t max_us);

  Env env_;
  std::map<core::InterfaceId, Link> links_;
  std::minstd_rand random_;
};
}  // namespace proto
