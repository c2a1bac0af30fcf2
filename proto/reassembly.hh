// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cstdint>

#include "core/worker.hh"
#include "proto/datagram_table.hh"
#include "proto/icmp4_error.hh"
#include "proto/icmp6_error.hh"

namespace proto {
/// What sysctl sets for reassembly, each of it per worker. All may be changed while datagrams wait.
struct ReassemblyLimits {
  std::uint16_t ip4_datagrams = 256;      ///< net.inet.ip.maxfragpackets; 0: none is reassembled
  std::uint16_t ip6_datagrams = 256;      ///< net.inet6.ip6.maxfragpackets; 0: none is reassembled
  std::uint16_t fragments = 2048;         ///< net.inet.ip.maxfrags: kept in all, of both families
  std::uint16_t per_datagram = 128;       ///< net.inet.ip.maxfragsperpacket
  std::uint32_t ip4_ttl_us = 30'000'000;  ///< net.inet.ip.ipfragttl
  std::uint32_t ip6_ttl_us = 60'000'000;  ///< net.inet6.ip6.ip6fragttl (RFC 8200 section 4.5)
};

/// Where the Fragment header of an IPv6 packet is, beside the packet.
struct Ip6FragmentPlace {
  core::InterfaceId link = core::kNoInterface;  ///< arrived on; the scope of its addresses
  std::uint16_t at = 0;   ///< of the Fragment header, bytes from the IPv6 header; 40 or more
  std::uint16_t vrf = 0;  ///< whose addresses these are
};

/// Where a datagram that is given up came from.
struct LateDatagram {
  core::InterfaceId link = core::kNoInterface;  ///< of its addresses' scope; none: they have none
  std::uint16_t vrf = 0;
};

/// The datagrams of one worker that wait for fragments, of both families. All fragments of one
/// datagram come to one worker, as RSS hashes them by addresses only. Nothing is allocated after
/// the constructor.
///
/// Who gives way when a limit is reached:
/// - A source has at most an eighth of the datagrams and of the fragments (but always the fragments
///   of one datagram, where these are not half of all). Beyond it its own oldest datagram goes, so
///   that a flood from one source costs that source alone.
/// - When the table is full in spite of it, the oldest datagram of all goes. So each lives at least
///   as long as it takes the table to be filled anew; an honest sender's fragments follow each
///   other and need far less. To take from the heaviest source instead would let a flood of forged
///   sources, each of them light, push out the honest source that has several datagrams under way;
///   to take at random would promise nothing.
class Reassembler {
public:
  static constexpr std::uint16_t kMaxDatagrams = 1024;  ///< of a family
  static constexpr std::uint16_t kMaxFragments = 16384;
  static constexpr std::uint16_t kMaxPerDatagram = 1024;
  static constexpr std::uint16_t kShare = 8;  ///< a source has one part in so many

  /// @param seed  of the hash; nobody outside may know it.
  explicit Reassembler(std::uint64_t seed = random_seed());
  /// @pre nothing waits: see clear().
  ~Reassembler();
  Reassembler(const Reassembler&) = delete;
  Reassembler& operator=(const Reassembler&) = delete;

  /// Packets kept. Any thread.
  [[nodiscard]] std::uint64_t held() const noexcept {
    return shown_held_.load(std::memory_order_relaxed);
  }
  /// Whether no datagram waits.
  [[nodiscard]] bool empty() const noexcept {
    return table_.datagrams(DatagramTable::kIp4) + table_.datagrams(DatagramTable::kIp6) == 0;
  }
  /// Ends all that waits. By the worker, or when it does not run.
  void clear(core::Worker& w, core::DropReason why) noexcept;

  /// What a fragment says.
  struct Arrived {
    DatagramKey key;
    std::uint16_t offset = 0, length = 0;  ///< of its part of the datagram, bytes
    std::uint16_t header = 0;              ///< bytes in front of that
    bool more = false;
    std::uint8_t ecn = 0;
  };
  /// The fragments of a datagram that is whole, joined.
  struct Whole {
    rte_mbuf* m = nullptr;     ///< begins with the first fragment's headers; null: not whole yet
    std::uint16_t header = 0;  ///< their length
    bool congestion = false;   ///< a fragment was marked (RFC 3168 section 5.3)
  };
  /// Takes a fragment whose own lengths are right. Drops: as reassemble_ip4().
  Whole add(core::Worker& w, const ReassemblyLimits& limits, rte_mbuf* m,
            const Arrived& fragment) noexcept;
  /// Gives up the oldest datagram of the family, if it is as old as `ttl_us`. Its first fragment is
  /// left to the caller, all others are dropped. @return false where none is so old.
  struct Expired {
    rte_mbuf* first = nullptr;  ///< null: it was not there
    LateDatagram from{};
  };
  bool expire(core::Worker& w, DatagramTable::Family family, std::uint32_t ttl_us,
              Expired& expired) noexcept;

private:
  using Slot = DatagramTable::Slot;
  static std::uint64_t random_seed();
  [[nodiscard]] Slot oldest() noexcept;
  [[nodiscard]] Slot find_or_open(core::Worker& w, const ReassemblyLimits& limits,
                                  const DatagramKey& key) noexcept;
  [[nodiscard]] bool make_room(core::Worker& w, const ReassemblyLimits& limits, Slot d) noexcept;
  void drop_fragments(core::Worker& w, Slot d, core::DropReason why) noexcept;
  void evict(core::Worker& w, Slot d) noexcept;
  void give_up(core::Worker& w, Slot d, core::DropReason why) noexcept;
  [[nodiscard]] Whole join(core::Worker& w, Slot d) noexcept;
  void show() noexcept { shown_held_.store(table_.fragments(), std::memory_order_relaxed); }

  DatagramTable table_;
  std::atomic<std::uint64_t> shown_held_{0};
};

/// IPv4 fragments for us become whole datagrams (RFC 791 section 3.2, RFC 815, RFC 1122 section
/// 3.3.2): the first fragment's header with Total Length and checksum made right, the payload in
/// one segment where the first buffer has room for it, else in a chain whose first segment has
/// core::kHeaderRoom bytes.
/// Overlapping fragments, and those that disagree about the end, end the datagram and all that
/// still comes of it until it would time out (RFC 5722's rule, for IPv4 too); a fragment with the
/// place of one that is there is dropped alone (RFC 8200 section 4.5 allows it; networks do
/// duplicate). Fragments of TCP that cut its header are dropped (RFC 1858, RFC 3128).
/// ECN: RFC 3168 section 5.3.
/// In:    fragments with checked headers, data at the IPv4 header; all of one VRF.
/// Out:   `whole`, or kept. `in` is empty. @pre whole has room for as many as `in` has.
/// Drops: all of layer "fragment".
void reassemble_ip4(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    std::uint16_t vrf, core::Burst& in, core::Burst& whole) noexcept;

/// The same for IPv6 (RFC 8200 section 4.5, RFC 5722). `whole` has no Fragment header any more;
/// its extension headers are walked anew from the front. A fragment that is the whole datagram
/// (RFC 6946) passes whatever else waits. The first fragment must hold all headers (RFC 7112).
/// In:    data at the IPv6 header, Payload Length checked, no bytes behind it; the Fragment header
///        and all before it in the first segment, and walked over.
/// Out:   `whole`, `refused` or kept.
void reassemble_ip6(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    core::NotedBurst<Ip6FragmentPlace>& in, core::Burst& whole,
                    core::NotedBurst<Ip6Cause>& refused) noexcept;

/// Gives up datagrams that have waited too long, at most 32 of each family a call; to be called in
/// every iteration. The source is told when the first fragment is there (RFC 1122 section 3.3.2,
/// RFC 4443 section 3.3).
/// Out:   `late4`, `late6`: first fragments. @pre both are empty.
/// Drops: FragmentTimeout.
void reassembly_expire(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                       core::NotedBurst<LateDatagram>& late4,
                       core::NotedBurst<LateDatagram>& late6) noexcept;
}  // namespace proto
