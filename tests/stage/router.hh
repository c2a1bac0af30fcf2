// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/polluxd/manager.hh"
#include "apps/polluxd/worker_loop.hh"
#include "tests/stage/drops.hh"
#include "tests/support/memory_port.hh"

namespace test {
/// A whole stack, the real manager and real workers without their threads, over ports in memory and
/// in virtual time.
///
///     10.1.0.0/24 --- lan0 10.1.0.1 [router] wan0 192.0.2.1 --- 192.0.2.0/24
///      host 10.1.0.2                                             gateway 192.0.2.254
class Router {
public:
  static constexpr core::MacAddress kLanMac = mac(0x10), kWanMac = mac(0x20);
  static constexpr core::MacAddress kHostMac = mac(0x02), kGatewayMac = mac(0xfe);
  static constexpr std::uint32_t kLanIp = 0x0a010001, kWanIp = 0xc0000201, kHostIp = 0x0a010002,
                                 kGatewayIp = 0xc00002fe;

  struct Options {
    std::uint16_t workers = 1;
    polluxd::Limits limits = small_limits();
  };
  static polluxd::Limits small_limits();

  Router() : Router(Options{}) {}
  explicit Router(Options options);
  /// Asserts that every packet has ended and every mbuf is back.
  ~Router();

  /// An interface with a port of its own, by attach_interface(). @return its name, or the refusal.
  core::Expected<std::string> attach(MemoryPort& port, const polluxd::InterfaceSpec& spec,
                                     const core::MacAddress& address, std::uint16_t queues = 1,
                                     std::uint16_t mtu = 1500);
  /// lan0 and wan0 as drawn; forwarding on; announcements over and taken.
  void configure(std::uint16_t lan_queues = 1, std::uint16_t wan_queues = 1);
  /// Host and gateway as permanent neighbours.
  void know_neighbors();

  /// Time goes on by `us`; then one iteration of each worker, then of the manager, then of the
  /// workers again, so that what the manager says is sent.
  void iterate(std::uint64_t us = 1000);
  /// `seconds` of iterations, ten a second.
  void run_for(int seconds);
  /// Each worker once, without the manager.
  void run_workers();
  /// Puts frames in, lets all workers take them all.
  void receive(MemoryPort& port, std::vector<Packet> frames);
  void receive(MemoryPort& port, Packet frame) {
    receive(port, std::vector<Packet>{std::move(frame)});
  }

  /// Drop counters of all workers together.
  [[nodiscard]] Drops drops() const;
  [[nodiscard]] std::uint64_t held() const;
  /// Received and made here = sent, dropped, consumed and held. @param handed_over  frames that one
  /// worker gave to another, which is not counted where they left. @pre no ring holds packets.
  void expect_conservation(std::uint64_t handed_over = 0) const;

  [[nodiscard]] polluxd::Shard& shard(std::size_t n = 0) { return *shards_[n]; }
  [[nodiscard]] std::optional<proto::NeighborState> neighbor(std::uint32_t address) const;

  // In this order, for the later ones stand on the earlier.
  PacketPool pool{4095};
  MemoryPort lan, wan;
  std::uint32_t capabilities = POLLUX_CAP_RSS;  ///< of ports attached from now on
  core::Rcu rcu;
  polluxd::Limits limits;

private:
  std::vector<std::unique_ptr<polluxd::Shard>> shards_;
  std::vector<polluxd::Shard*> shard_list_;
  polluxd::DriverRegistry drivers_{{}};
  std::unique_ptr<polluxd::Manager> manager_;

public:
  polluxd::Manager& manager;
  std::uint64_t now_us = 1'000'000;
};

/// Fails the test with the refusal's words.
template <class T>
void must(const core::Expected<T>& done) {
  EXPECT_TRUE(done) << (done ? "" : done.error().context);
}
/// The code of a refusal, or nothing where it was done.
template <class T>
[[nodiscard]] std::optional<core::Errc> refusal(const core::Expected<T>& done) {
  return done ? std::nullopt : std::optional{done.error().code};
}

// Frames between the router and the two stations of the drawing.
[[nodiscard]] inline Packet from_host(PacketBytes ip_packet) {
  return ether({.dst = Router::kLanMac, .src = Router::kHostMac}, ip_packet);
}
[[nodiscard]] inline Packet to_host(PacketBytes ip_packet) {
  return ether({.dst = Router::kHostMac, .src = Router::kLanMac}, ip_packet);
}
[[nodiscard]] inline Packet from_gateway(PacketBytes ip_packet) {
  return ether({.dst = Router::kWanMac, .src = Router::kGatewayMac}, ip_packet);
}
[[nodiscard]] inline Packet to_gateway(PacketBytes ip_packet) {
  return ether({.dst = Router::kGatewayMac, .src = Router::kWanMac}, ip_packet);
}
using Packets = std::vector<Packet>;
}  // namespace test
