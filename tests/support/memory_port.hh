// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "core/interface.hh"
#include "tests/support/packet_pool.hh"

namespace test {
/// A port in memory behind the burst contract of core/driver.h: the test is the wire. What it
/// pushes is received, what is sent it can take. One mutex: any number of threads, workers and
/// tests.
class MemoryPort {
public:
  struct Options {
    std::uint16_t queues = 1;
    std::uint16_t tx_limit = 0xffff;  ///< packets that one tx call accepts, as a full queue does
  };
  /// @param pool  where received packets come from; outlives the port.
  explicit MemoryPort(PacketPool& pool) : MemoryPort(pool, Options{}) {}
  MemoryPort(PacketPool& pool, Options options);

  /// A frame arrives. @param ol_flags  what the device says about it (RTE_MBUF_F_RX_...).
  void push(Packet frame, std::uint16_t queue = 0, std::uint64_t ol_flags = 0);
  /// A frame arrives in several mbufs, the first of `first` bytes, the last with what is left,
  /// those between of `others` bytes. @param others  0: two mbufs.
  void push_chained(Packet frame, std::size_t first, std::size_t others = 0,
                    std::uint16_t queue = 0);
  /// Frames that nobody has received yet, all queues.
  [[nodiscard]] std::size_t waiting() const;

  /// What was sent on `queue` since the last call, in order.
  [[nodiscard]] std::vector<Packet> take_sent(std::uint16_t queue = 0);
  /// Frames in several mbufs that were sent so far.
  [[nodiscard]] std::size_t chains_sent() const;
  /// Frames sent on all queues and not yet taken.
  [[nodiscard]] std::size_t sent() const;
  void set_tx_limit(std::uint16_t packets_per_call);

  /// The port as an interface that is up; worker i sends on queue i where there is one, else hands
  /// over to worker i % queues.
  [[nodiscard]] core::Interface make_interface(core::InterfaceId id, std::string name,
                                               core::MacAddress mac = kOurMac,
                                               std::uint16_t mtu = 1500, std::uint16_t workers = 1);

  // The functions of pollux_port; `port` is a MemoryPort.
  static std::uint16_t rx(void* port, std::uint16_t queue, rte_mbuf** packets, std::uint16_t n);
  static std::uint16_t tx(void* port, std::uint16_t queue, rte_mbuf** packets, std::uint16_t n);

private:
  struct Arrival {
    Packet frame;
    std::uint64_t ol_flags = 0;
    std::size_t first = 0;   ///< bytes of the first mbuf; 0: one mbuf holds all
    std::size_t others = 0;  ///< bytes of those behind it
  };
  struct Queue {
    std::deque<Arrival> arrivals;
    std::vector<Packet> sent;
  };
  /// @return null when the pool is exhausted: the frame waits, as it would in a ring.
  rte_mbuf* receive(const Arrival& arrival);

  PacketPool& pool_;
  mutable std::mutex lock_;
  std::uint16_t tx_limit_;
  std::vector<Queue> queues_;
  std::size_t chains_sent_ = 0;
};

/// An interface without a port: packets routed to it leave through ESP.
[[nodiscard]] core::Interface make_tunnel(core::InterfaceId id, std::string name,
                                          std::uint16_t mtu = 1400);
}  // namespace test
