// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/manager.hh"
#include "apps/polluxd/worker_loop.hh"
#include "core/packet_pool.hh"
#include "perf/bench_port.hh"

namespace perf {
/// Frames of UDP over IPv4 towards `n` destinations, each in a /24 of its own; or of IPv6, each in
/// a /48.
struct Traffic {
  std::uint16_t frame_len = 60;    ///< bytes without FCS: 60 is the "64-byte" frame
  std::uint32_t destinations = 1;  ///< a power of two
  std::uint32_t dst = 0x40000000;  ///< 64.0.0.0: the first destination; or 4000::
  bool ip6 = false;
};

inline constexpr core::MacAddress kOurMac{2, 0, 0, 0, 0, 1}, kPeerMac{2, 0, 0, 0, 0, 2};
inline constexpr std::uint32_t kLanIp = 0x0a010001, kWanIp = 0x0a020001, kWanPeer = 0x0a020002;

/// The real stack between two bench ports: lan receives, wan sends. One worker, run by the caller.
class Stack {
public:
  struct Options {
    Traffic traffic;
    std::uint32_t depth = 0;        ///< packets between device and program
    crypto::Algorithm algorithm{};  ///< of the tunnel, where there is one
    enum class Tunnel {
      None,
      Out,   ///< what lan receives leaves sealed through wan
      In,    ///< lan receives what a second stack has sealed
      Seal,  ///< that second stack
    } tunnel = Tunnel::None;
    enum class Watch {
      Nothing,
      Trace,    ///< whose filter takes no packet
      Nowhere,  ///< a capture of an interface without traffic
      Lan,      ///< a capture of what lan receives
    } watch = Watch::Nothing;
  };
  Stack(rte_mempool* pool, const Options& options);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// One iteration of the worker, by the clock of the counter.
  void run_once() noexcept;
  /// Cycles that the devices themselves have cost so far.
  [[nodiscard]] std::uint64_t device_cycles() const noexcept {
    return lan_->device_cycles() + wan_->device_cycles() + manager_cycles_;
  }
  [[nodiscard]] std::uint64_t received() const noexcept { return lan_->received(); }
  [[nodiscard]] std::uint64_t sent() const noexcept { return wan_->sent(); }
  [[nodiscard]] polluxd::Shard& shard() noexcept { return *shard_; }
  [[nodiscard]] const polluxd::StackConfig& config() const noexcept {
    return manager_->published().read();
  }
  [[nodiscard]] BenchPort& lan() noexcept { return *lan_; }

private:
  void watch(Options::Watch what);
  void make_routes(const Traffic& t);
  void make_routes6(const Traffic& t);
  void route_into_tunnel(const Traffic& t);
  void make_tunnel(crypto::Algorithm a, std::uint32_t local, std::uint32_t remote);

  core::Rcu rcu_{1};
  core::Clock clock_;
  std::unique_ptr<polluxd::Shard> shard_;
  polluxd::DriverRegistry drivers_{{}};
  std::unique_ptr<polluxd::Manager> manager_;
  std::unique_ptr<BenchPort> lan_, wan_, other_;
  bool drains_ = false;  ///< a capture's ring is to be emptied
  std::uint64_t iterations_ = 0;
  std::uint64_t manager_cycles_ = 0;  ///< its own cost, which is another thread's otherwise
  std::unique_ptr<Stack> peer_;       ///< who seals what we open
};

/// 2001:db8:N::HOST.
[[nodiscard]] constexpr core::IpAddress ip6_of(std::uint8_t net, std::uint8_t host) noexcept {
  return core::IpAddress{
      core::IpAddress::Bytes16{0x20, 0x01, 0x0d, 0xb8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}};
}
inline constexpr core::IpAddress kLanIp6 = ip6_of(1, 1), kWanIp6 = ip6_of(2, 1),
                                 kWanPeer6 = ip6_of(2, 2);

/// Makes `fill` functions: frames as `t` says, in order of a pseudo-random sequence.
BenchPort::Fill udp_frames(const Traffic& t);
}  // namespace perf
