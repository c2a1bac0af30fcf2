// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "core/worker.hh"
#include "proto/icmp4_error.hh"
#include "proto/wire/ip_address.hh"

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
  std::uint16_t at = 0;  ///< of the Fragment header, bytes from the IPv6 header; 40 or more
};

/// Why an IPv6 fragment, or a datagram that did not become whole, goes no further, and what its
/// source is told.
struct Ip6FragmentRefusal {
  core::DropReason reason;
  std::uint8_t type, code;  ///< RFC 4443
  std::uint32_t pointer;    ///< of a parameter problem
  core::InterfaceId link;   ///< arrived on
};

/// The datagrams of one worker that wait for fragments, of both families. All fragments of one
/// datagram come to one worker, as RSS hashes them by addresses only. Nothing is allocated after
/// the constructor.
///
/// Who gives way when a limit is reached:
/// - A source has at most an eighth of the datagrams and of the fragments. Beyond it its own oldest
///   datagram goes, so that a flood from one source costs that source alone.
/// - When the table is full in spite of it, the oldest datagram of all goes. So each lives at least
///   as long as it takes the table to be filled anew; an honest sender's fragments follow each
///   other and need far less. To take from the heaviest source instead would let a flood of forged
///   sources, each of them light, push out the honest source that has several datagrams under way;
///   to take at random would promise nothing.
class Reassembler {
public:
  static constexpr std::uint16_t kMaxDatagrams = 1024;  ///< of a family
  static constexpr std::uint16_t kMaxFragments = 16384;
  static constexpr std::uint16_t kShare = 8;  ///< a source has one part in so many

  Reassembler();
  ~Reassembler();
  Reassembler(const Reassembler&) = delete;
  Reassembler& operator=(const Reassembler&) = delete;

  /// Packets kept. Any thread.
  [[nodiscard]] std::uint64_t held() const noexcept {
    return shown_held_.load(std::memory_order_relaxed);
  }
  /// Ends all that waits. Worker side, or when no worker runs.
  void clear(core::Worker& w, core::DropReason why) noexcept;

private:
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
/// In:    fragments with checked headers, data at the IPv4 header.
/// Out:   `whole`, or kept. `in` is empty. @pre whole has room for as many as `in` has.
/// Drops: all of layer "fragment".
void reassemble_ip4(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    core::Burst& in, core::Burst& whole) noexcept;

/// The same for IPv6 (RFC 8200 section 4.5, RFC 5722). `whole` has no Fragment header any more;
/// its extension headers are walked anew from the front. A fragment that is the whole datagram
/// (RFC 6946) passes whatever else waits. The first fragment must hold all headers (RFC 7112).
/// In:    data at the IPv6 header, Payload Length checked, no bytes behind it; the Fragment header
///        and all before it in the first segment, and walked over.
/// Out:   `whole`, `refused` or kept.
void reassemble_ip6(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                    core::NotedBurst<Ip6FragmentPlace>& in, core::Burst& whole,
                    core::NotedBurst<Ip6FragmentRefusal>& refused) noexcept;

/// Gives up datagrams that have waited too long, at most 32 of each family a call; to be called in
/// every iteration. The source is told when the first fragment is there (RFC 1122 section 3.3.2,
/// RFC 4443 section 3.3).
/// Out:   `refused4`, `refused6`: first fragments. @pre both are empty.
/// Drops: FragmentTimeout.
void reassembly_expire(core::Worker& w, Reassembler& r, const ReassemblyLimits& limits,
                       core::NotedBurst<Icmp4Cause>& refused4,
                       core::NotedBurst<Ip6FragmentRefusal>& refused6) noexcept;
}  // namespace proto
