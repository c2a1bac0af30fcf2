// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "core/worker.hh"
#include "proto/ip4_lookup.hh"

namespace proto {
/// Cuts packets that are larger than their next hop's MTU (RFC 791 section 3.2, RFC 8200 section
/// 4.5): IPv4 packets with DF clear, ours or in transit, be they fragments already; IPv6 packets of
/// ours. A packet may become more fragments than a burst holds, so they are asked for in turn:
///
///     proto::Fragmentation cut{w, shard, too_big};
///     for (RoutedBurst pieces; cut.next(pieces);) ether_output(..., pieces);
///
/// Each fragment is a copy in a buffer of its own, one segment: every port sends it and every
/// cipher takes it, nothing is shared between workers, and a device may keep or change it as it
/// likes. Fragments that refer to parts of the packet would spare the copy, some 100 ns a fragment
/// in what is not the fast path, but half of the ports would copy all the same.
///
/// IPv4: the first fragment has all options, the others those with the copied flag (section 3.1). A
/// packet of ours has been given an Identification of its own before (RFC 6864). IPv6: what stands
/// up to the last hop-by-hop or routing header is in each; Identifications cannot be foreseen (RFC
/// 7739).
/// Counts: each fragment as originated, the packet as consumed.
/// Drops: FragmentNoRoom: no buffer. What has been cut by then is sent, and is of no use.
class Fragmentation {
public:
  /// @param in  is emptied, and not to be used before all has been asked for.
  Fragmentation(core::Worker& w, IpShard& shard, RoutedBurst& in) noexcept;
  /// Ends what was not asked for.
  ~Fragmentation();
  Fragmentation(const Fragmentation&) = delete;
  Fragmentation& operator=(const Fragmentation&) = delete;

  /// The next fragments beside the next hops of their packets, as many as there is room for.
  /// @pre out is empty. @return false: there are no more, `out` stays empty.
  bool next(RoutedBurst& out) noexcept { return !packets_.empty() && fill(out); }

private:
  static constexpr std::size_t kMaxHeader = 256;  ///< of a fragment, bytes

  /// The headers that fragments of a packet have.
  struct Header {
    std::array<std::uint8_t, kMaxHeader> bytes;
    std::size_t length = 0;
  };
  bool fill(RoutedBurst& out) noexcept;
  [[nodiscard]] bool begin() noexcept;
  void begin_ip4(const rte_mbuf& m) noexcept;
  [[nodiscard]] bool begin_ip6(const rte_mbuf& m) noexcept;
  void end() noexcept;
  [[nodiscard]] std::size_t pieces_left() const noexcept {
    return (m_end_ - at_ + piece_ - 1) / piece_;
  }
  void write(rte_mbuf& piece) noexcept;
  void write_ip4(MutBytes header, std::size_t packet, std::size_t offset, bool more) noexcept;
  void write_ip6(MutBytes header, std::size_t packet, std::size_t offset, bool more) noexcept;

  core::Worker& w_;
  IpShard& shard_;
  std::span<rte_mbuf* const> packets_;  ///< the first is being cut
  const NextHop* const* hops_;
  std::size_t room_;  ///< bytes of packet in a fresh buffer

  // Of the packet that is being cut:
  bool begun_ = false, ip4_ = false;
  bool more_ = false;  ///< fragments of others follow the last
  Header first_, later_;
  std::size_t piece_ = 0;              ///< bytes of its payload in a fragment, a multiple of 8
  std::size_t data_at_ = 0;            ///< where its payload begins
  std::size_t at_ = 0;                 ///< of what is not sent yet, from the packet's beginning
  std::size_t m_end_ = 0;              ///< of the packet
  std::size_t offset_ = 0;             ///< of its payload in the datagram
  const rte_mbuf* segment_ = nullptr;  ///< where `at_` lies, or in one behind it
  std::size_t segment_at_ = 0;         ///< where that begins
};
}  // namespace proto
