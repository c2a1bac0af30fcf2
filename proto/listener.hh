// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <algorithm>
#include <bitset>
#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/interface.hh"
#include "core/ip_address.hh"
#include "core/spsc_ring.hh"

/// How a thread of the process receives what is addressed to us: the socket layer, IKE, the
/// manager's ping.
///
/// In: a thread makes a Listener, the manager enters it into the table of listeners under an
/// endpoint (Manager::listen_udp(), listen_raw()) and publishes. From then on the workers push what
/// matches, one ring each, and the thread takes it with take(). A full ring costs the packet
/// (DeliverFull); no worker ever waits.
/// Out: packets are made from the pool and handed to a worker as HandedPacket::Kind::Ip4 or Ip6;
/// only the manager thread has a ring to the workers, so that others ask it.
/// Ownership: with take() a packet is the taker's, which frees it or sends it on. What is in the
/// rings is the Listener's.
/// The end: Manager::stop_listening() publishes a table without it; when that returns, one grace
/// period later, no worker knows it. Then it may be destroyed, which frees what was not taken.
namespace proto {
/// A packet for a listener, and what is known of it.
struct Delivered {
  rte_mbuf* m = nullptr;       ///< data at the IP header; may lie in several segments
  core::IpAddress src, dst{};  ///< not scoped: `interface` is the link of what has one
  core::InterfaceId interface = core::kNoInterface;  ///< where it came in; none: loopback
  std::uint16_t vrf = 0;
  std::uint16_t src_port = 0, dst_port = 0;  ///< UDP's; 0 for raw packets
  std::uint16_t payload_at = 0;  ///< bytes from the IP header to the data behind the UDP header;
                                 ///< raw packets: to what the IP packet carries
  std::uint16_t payload_length = 0;  ///< bytes
  std::uint8_t protocol = 0, hop_limit = 0, tos = 0;
  std::uint64_t at_us = 0;  ///< the worker's clock when it arrived
};

/// The receiving end: bounded queues, one per worker.
class Listener {
public:
  static constexpr std::size_t kDepth = 256;  ///< packets, per worker

  explicit Listener(std::size_t workers);
  /// @pre no published table knows it any more.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Worker side. @return false when the queue is full; the packet is then still the caller's.
  [[nodiscard]] bool push(std::uint16_t worker, const Delivered& d) noexcept {
    return rings_[worker]->push(d);
  }
  /// The listening thread, one at a time: calls `f(const Delivered&)` for up to `most` packets,
  /// which are then f's. Packets of one worker keep their order. @return how many.
  template <class F>
  std::size_t take(std::size_t most, F&& f) {
    std::size_t taken = 0;
    for (const auto& ring : rings_)
      for (Delivered d; taken < most && ring->pop(d); ++taken) f(static_cast<const Delivered&>(d));
    return taken;
  }
  /// The listening thread: frees all that waits.
  void drain() noexcept;

private:
  using Ring = core::SpscRing<Delivered, kDepth>;
  std::vector<std::unique_ptr<Ring>> rings_;  ///< by worker index
};

inline constexpr std::uint16_t kAnyVrf = 0xffff;

/// Where UDP datagrams are listened for.
struct UdpEndpoint {
  std::uint16_t port = 0;  ///< 1 to 65535
  bool ip6 = false;
  std::uint16_t vrf = kAnyVrf;
  core::IpAddress address{};  ///< of ours, as the tables know it (ip6_scope.hh); "::": any
  friend auto operator<=>(const UdpEndpoint&, const UdpEndpoint&) noexcept = default;
};
/// Which packets are listened for by their protocol.
struct RawEndpoint {
  std::uint8_t protocol = 0;  ///< not UDP; ICMP echo requests are answered, never delivered
  bool ip6 = false;
  std::uint16_t vrf = kAnyVrf;
  std::bitset<256> types{};  ///< of ICMP and ICMPv6 messages; others are not asked
};

/// Who listens for what: part of what the manager publishes, never changed in place.
class ListenerTable {
public:
  /// @return false, and nothing done, where the endpoint is taken.
  bool add(const UdpEndpoint& at, Listener& listener);
  void add(const RawEndpoint& at, Listener& listener);
  void remove(const Listener& listener);

  /// Worker side. The most specific one: a VRF counts before an address.
  [[nodiscard]] Listener* find_udp(const UdpEndpoint& to) const noexcept;

  struct Raw {
    RawEndpoint at;
    Listener* listener;
    /// @param type  of ICMP and ICMPv6.
    [[nodiscard]] bool takes(std::uint8_t protocol, bool ip6, std::uint16_t vrf,
                             std::uint8_t type) const noexcept;
  };
  [[nodiscard]] std::span<const Raw> raw() const noexcept { return raw_; }

private:
  struct Udp {
    UdpEndpoint at;
    Listener* listener;
  };
  [[nodiscard]] Listener* exactly(const UdpEndpoint& at) const noexcept;

  std::vector<Udp> udp_;  ///< by endpoint
  std::vector<Raw> raw_;
};
}  // namespace proto
