// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/packet_filter.hh"
#include "core/packet_ring.hh"
#include "core/spsc_ring.hh"
#include "core/worker.hh"

namespace core {
/// Set in rte_mbuf::ol_flags while a PacketMark is beside the packet. A bit of DPDK's dynamic
/// flags, asked for by its number so that it is known when we are compiled; drivers clear it with
/// all others when they receive into a buffer, rte_pktmbuf_alloc() too.
inline constexpr std::uint64_t kMarkedFlag = std::uint64_t{1} << 40;

/// What a packet begins with where its data stand now.
enum class Layer : std::uint8_t { Ethernet, VlanTag, Arp, Ip, Unknown };

enum class Direction : std::uint8_t { None, In, Out };

/// In a dynamic field of the mbuf, while somebody watches.
struct PacketMark {
  static constexpr std::uint16_t kNoFrame = 0xffff;
  std::uint32_t epoch = 0;   ///< of the Observation; a mark of another one counts as none
  std::uint32_t packet = 0;  ///< number of a traced packet; 0: not traced
  std::uint16_t trace = 0;   ///< whose number it is
  InterfaceId interface = kNoInterface;  ///< where it came in
  std::uint16_t frame_at = kNoFrame;     ///< rte_mbuf::data_off of the link header it came with
};

/// One step of a traced packet. Fixed size, no ownership.
struct TraceRecord {
  enum class Kind : std::uint8_t {
    Received,    ///< on `interface`
    Own,         ///< of our own: nobody sent it to us
    Stage,       ///< `what` is the Stage it enters
    Opened,      ///< out of ESP, on the tunnel `interface`
    Held,        ///< waits for a neighbour
    HandedOver,  ///< to the worker `where`
    Sent,        ///< on `interface`, queue `where`
    Delivered,   ///< to ourselves
    Dropped,     ///< `what` is the DropReason
  };
  static constexpr std::size_t kBytes = 64;

  std::uint64_t at = 0;      ///< TSC
  std::uint32_t packet = 0;  ///< PacketMark::packet
  std::uint32_t length = 0;  ///< bytes of the packet
  InterfaceId interface = kNoInterface;
  std::uint16_t where = 0;
  Kind kind = Kind::Received;
  std::uint8_t what = 0;
  Layer layer = Layer::Unknown;  ///< of the first byte
  std::uint8_t captured = 0;     ///< of `bytes`
  std::array<std::uint8_t, kBytes> bytes{};

  [[nodiscard]] bool ends() const noexcept { return kind >= Kind::Sent; }
};

/// The ways of single packets, marked where they come in.
struct Trace {
  /// What one worker writes.
  struct Lane {
    SpscRing<TraceRecord, 4096> ring;
    Counter lost;                                       ///< records that found the ring full
    std::uint32_t marked = 0;                           ///< packets so far
    std::array<TraceRecord, Burst::kCapacity> leaving;  ///< between the two halves of a transmit
  };
  std::uint16_t id = 0;
  PacketFilter ethernet, ip;
  std::uint32_t count = 0;                   ///< packets that each worker marks
  std::vector<std::unique_ptr<Lane>> lanes;  ///< by worker index
};

/// What is told of a captured packet beside its bytes.
struct CaptureHeader {
  static constexpr std::uint16_t kNotDropped = 0xffff;
  std::uint64_t at = 0;      ///< TSC
  std::uint32_t length = 0;  ///< bytes of the packet; the record has as many or fewer
  InterfaceId interface = kNoInterface;
  std::uint16_t reason = kNotDropped;  ///< DropReason
  Layer layer = Layer::Ethernet;       ///< Ethernet, Ip or Unknown
  Direction direction = Direction::None;
};

/// Copies of packets for one client.
struct Capture {
  /// What one worker writes.
  struct Lane {
    explicit Lane(std::size_t interfaces) : lost(interfaces + 1) {}
    static constexpr std::size_t kRing = std::size_t{1} << 20;
    PacketRing<CaptureHeader> ring{kRing};
    std::vector<Counter> lost;  ///< packets that found the ring full, by InterfaceId; last: of none
    struct Leaving {
      std::size_t cursor;
      std::uint32_t lost;
    };
    std::array<Leaving, Burst::kCapacity> leaving;  ///< between the two halves of a transmit
  };
  using Lanes = std::vector<std::unique_ptr<Lane>>;
  enum class Want : std::uint8_t { Nothing, Everything, Esp };

  PacketFilter ethernet, ip;
  PacketFilter esp;         ///< Want::Esp
  std::vector<Want> wants;  ///< by InterfaceId
  bool drops = false;
  std::uint32_t snaplen = 0;     ///< bytes of each packet
  std::shared_ptr<Lanes> lanes;  ///< by worker index
};

/// What is watched of the packets: published by the manager, read by workers at the hooks below.
struct Observation {
  std::uint32_t epoch = 0;       ///< of marks
  int mark_offset = 0;           ///< of PacketMark in the mbuf, bytes
  bool mark_all = false;         ///< every received packet is marked, for where its frame began
  std::shared_ptr<Trace> trace;  ///< null: none
  std::vector<Capture> captures;
};

// The hooks, all on the worker's side. @pre w.observation != nullptr.

/// Frames have arrived on `in`, data at the Ethernet header.
void observe_receive(Worker& w, const Interface& in, std::span<rte_mbuf* const> frames) noexcept;
/// Frames are about to be given to a port; then it has taken the first `sent` of them, whose
/// buffers are not ours any more. @pre the same frames, 64 at most, and nothing between the two.
void observe_transmit(Worker& w, const Interface& out, std::uint16_t queue,
                      std::span<rte_mbuf* const> frames) noexcept;
void observe_transmitted(Worker& w, const Interface& out, std::span<rte_mbuf* const> frames,
                         std::uint16_t sent) noexcept;
/// Frames leave by a VLAN, its tags in them.
void observe_vlan_transmit(Worker& w, const Interface& out,
                           std::span<rte_mbuf* const> frames) noexcept;
/// A clear-text packet passes a tunnel, data at its IP header.
void observe_tunnel(Worker& w, InterfaceId tunnel, Direction direction, rte_mbuf* m) noexcept;
/// Packets have come from another thread. @param own  the manager's, which made them.
void observe_handoff(Worker& w, std::span<const HandedPacket> handed, bool own) noexcept;
/// A packet is about to be given to another worker.
void observe_hand_over(Worker& w, const rte_mbuf* m, std::uint16_t worker) noexcept;
/// A packet waits for a neighbour from now on.
void observe_hold(Worker& w, const rte_mbuf* m) noexcept;
/// A packet is about to end with us.
void observe_consume(Worker& w, rte_mbuf* m) noexcept;

/// Where the data of a packet stand that is dropped for this reason.
[[nodiscard]] Layer layer_of(DropReason why) noexcept;
}  // namespace core
