// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <memory>

#include "apps/polluxd/manager.hh"
#include "apps/polluxd/worker_loop.hh"
#include "crypto/mb_engine.hh"
#include "tests/support/memory_port.hh"

namespace fuzz {
/// A whole gateway but for its threads: the real manager and one real worker, two ports in memory,
/// virtual time.
///
///     10.1.0.0/24 --- lan0 (10.1.0.1) [gateway] wan0 (192.0.2.1, MTU 1400) --- 192.0.2.0/24
///                                        ipsec0 === ESP, AES-256-GCM === 192.0.2.2 --- 10.2.0.0/16
///
/// 10.1.0.2, 192.0.2.2 and 192.0.2.254 are known to ARP. 10.3.0.0/16 lies behind 192.0.2.254,
/// 10.4.0.0/16 is a black hole, 10.5.0.0/16 is prohibited, 10.6.0.0/16 lies behind a neighbour that
/// does not answer. 2001:db8:1::1/64 on lan0, 2001:db8:9::1/64 on wan0; 2001:db8:1::2 and
/// 2001:db8:9::fe are known, and 2001:db8:a1::/48 lies behind the latter.
class Gateway {
public:
  static constexpr std::uint32_t kLanIp = 0x0a010001, kWanIp = 0xc0000201, kPeerIp = 0xc0000202;
  static constexpr std::uint32_t kInboundSpi = 0x1000, kOutboundSpi = 0x2000;
  static constexpr std::uint16_t kLanMtu = 1500, kWanMtu = 1400;
  static constexpr core::MacAddress kLanMac = test::mac(0x10), kWanMac = test::mac(0x20);

  Gateway();
  /// Interfaces, routes, neighbours, tunnel and SAs as drawn.
  void configure();
  /// The inbound SA anew, its replay window empty.
  void renew_inbound_sa();
  /// Forgets everything that was configured, through the manager.
  void clear();

  /// One iteration of the worker, then one of the manager, at `now_us`.
  void iterate(std::uint64_t now_us);
  /// Iterations a second apart, `seconds` of them or more, until no packet waits for anything. Then
  /// all mbufs must be back.
  void settle(std::uint64_t& now_us, int seconds);

  /// An authentic ESP packet of the peer with `plaintext` inside, trailer included.
  [[nodiscard]] test::Packet seal(std::uint32_t sequence, test::PacketBytes plaintext);

  /// Packets that came in or were made, and packets that ended, so far; equal when none is held.
  [[nodiscard]] std::uint64_t begun() const;
  [[nodiscard]] std::uint64_t ended() const;

  // In this order, for the later ones stand on the earlier.
  test::PacketPool pool{2047};
  test::MemoryPort lan{pool}, wan{pool};
  core::Rcu rcu{1};
  polluxd::Limits limits;
  polluxd::Shard shard;
  std::array<polluxd::Shard*, 1> shards{&shard};
  polluxd::DriverRegistry drivers{{}};
  polluxd::Manager manager;

private:
  void configure_ip6();
  void attach(const char* name, test::MemoryPort& port, const core::MacAddress& mac,
              proto::Ip4Prefix address, std::uint16_t mtu);
  [[nodiscard]] crypto::SaSpec sa(crypto::Direction direction) const;

  crypto::MbEngine engine_;
  crypto::GcmKey key_{};
};

/// The gateway of this process, made on first use. Needs the EAL.
[[nodiscard]] Gateway& gateway();
}  // namespace fuzz
