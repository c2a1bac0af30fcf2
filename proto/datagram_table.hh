// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <vector>

#include "core/drop_reason.hh"
#include "core/interface.hh"
#include "proto/wire/ip_address.hh"

namespace proto {
/// What the fragments of one datagram have in common (RFC 791 section 3.2, RFC 8200 section 4.5).
struct DatagramKey {
  core::IpAddress src, dst;
  std::uint32_t id = 0;
  core::InterfaceId scope = core::kNoInterface;  ///< the link, where an address is of a link only
  std::uint16_t vrf = 0;
  std::uint8_t protocol = 0;  ///< IPv4's only
  friend bool operator==(const DatagramKey&, const DatagramKey&) noexcept = default;
};

/// The datagrams that wait for fragments, their fragments, and the sources that they come from: all
/// in arrays made beforehand, joined by indices. One thread.
class DatagramTable {
public:
  using Slot = std::uint16_t;
  static constexpr Slot kNone = 0xffff;
  enum Family : std::uint8_t { kIp4, kIp6 };

  struct Fragment {
    rte_mbuf* m = nullptr;  ///< as it came
    std::uint16_t offset = 0, length = 0;
    std::uint16_t header = 0;  ///< bytes of `m` in front of its part of the datagram
    Slot next = kNone;
    [[nodiscard]] std::uint32_t end() const noexcept { return std::uint32_t{offset} + length; }
  };
  struct Datagram {
    DatagramKey key;
    std::uint64_t born_us = 0;
    Slot next_in_bucket = kNone;
    Slot older = kNone, newer = kNone;  ///< of the family
    Slot source = kNone;
    Slot older_of_source = kNone, newer_of_source = kNone;
    Slot first = kNone, last = kNone;  ///< fragments, by offset
    std::uint16_t fragments = 0;
    std::uint16_t end = 0;   ///< where the last fragment ends; 0: not here yet
    std::uint32_t have = 0;  ///< bytes that are here
    std::uint8_t ecn = 0;    ///< bit n: a fragment had the ECN field n
    bool given_up = false;   ///< kept without fragments, so that later ones end too
    core::DropReason why{};  ///< where it is given up
    [[nodiscard]] Family family() const noexcept { return key.src.is_ip4() ? kIp4 : kIp6; }
  };
  struct Source {
    core::IpAddress address;
    core::InterfaceId scope = core::kNoInterface;
    std::uint16_t vrf = 0;
    Slot next_in_bucket = kNone;
    Slot oldest = kNone, newest = kNone;  ///< datagrams
    std::uint16_t datagrams = 0;
    std::uint16_t fragments = 0;
  };
  enum class Placed : std::uint8_t { Added, Duplicate, Overlap };

  /// @param seed  makes the hash one that nobody outside can foresee.
  DatagramTable(std::size_t datagrams, std::size_t fragments, std::uint64_t seed);

  [[nodiscard]] Slot find(const DatagramKey& key) const noexcept;
  /// Datagrams of the source of `key` in the family; their oldest.
  [[nodiscard]] const Source* source_of(const DatagramKey& key) const noexcept;
  /// A datagram without fragments. @pre fewer than `datagrams`; not there.
  Slot open(const DatagramKey& key, std::uint64_t now_us) noexcept;
  /// @pre no fragments are left.
  void close(Slot d) noexcept;

  /// Puts the fragment where it belongs. @pre fewer than `fragments`.
  Placed place(Slot d, const Fragment& fragment) noexcept;
  /// Takes all fragments out and calls `f(const Fragment&)` with each, the last one first.
  template <class F>
  void take_fragments(Slot slot, F&& f) noexcept {
    for (Slot at = reverse(datagrams_[slot]); at != kNone;) {
      const Fragment taken = fragments_[at];
      release_fragment(at);
      at = taken.next;
      f(taken);
    }
  }

  [[nodiscard]] Datagram& operator[](Slot d) noexcept { return datagrams_[d]; }
  [[nodiscard]] const Fragment& fragment(Slot f) const noexcept { return fragments_[f]; }
  [[nodiscard]] const Source& source(Slot s) const noexcept { return sources_[s]; }
  [[nodiscard]] Slot oldest(Family f) const noexcept { return oldest_[f]; }
  [[nodiscard]] std::size_t datagrams(Family f) const noexcept { return count_[f]; }
  [[nodiscard]] std::size_t fragments() const noexcept { return fragment_count_; }

private:
  [[nodiscard]] std::size_t bucket_of(const DatagramKey& key) const noexcept;
  [[nodiscard]] std::size_t source_bucket(const core::IpAddress& address, core::InterfaceId scope,
                                          std::uint16_t vrf) const noexcept;
  [[nodiscard]] Slot find_source(const DatagramKey& key) const noexcept;
  Slot open_source(const DatagramKey& key) noexcept;
  void close_source(Slot s) noexcept;
  void release_fragment(Slot f) noexcept {
    fragments_[f].m = nullptr;
    free_fragments_.push_back(f);  // never allocates: reserved for all
    --fragment_count_;
  }
  /// Takes the list of fragments off the datagram. @return the last, the list turned round.
  [[nodiscard]] Slot reverse(Datagram& d) noexcept;
  void add_behind(Datagram& d, Slot previous, const Fragment& fragment) noexcept;

  std::vector<Datagram> datagrams_;
  std::vector<Fragment> fragments_;
  std::vector<Source> sources_;
  std::vector<Slot> free_datagrams_, free_fragments_, free_sources_;
  std::vector<Slot> buckets_, source_buckets_;
  std::array<Slot, 2> oldest_{kNone, kNone}, newest_{kNone, kNone};
  std::array<std::size_t, 2> count_{};
  std::size_t fragment_count_ = 0;
  std::uint64_t seed_;
};
}  // namespace proto
