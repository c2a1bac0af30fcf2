// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "crypto/mb_engine.hh"
#include "crypto/replay_window.hh"
#include "crypto/sa_table.hh"
#include "proto/wire/ip4.hh"

namespace crypto {
/// A security association as workers use it. Written whole by the manager before it can be found;
/// after that only the two atomic members change. Lives in the SaTable's locked memory.
///
/// The nonce of a sealed packet is salt || IV and must never be used twice with one key. The IV is
/// `sequence`, a 64-bit counter:
///  - Workers take numbers from it by fetch_add alone, so no two packets of the SA share one, and
///  it
///    does not go back. It cannot overflow: 2^64 packets are centuries.
///  - Its low half begins at 0 and is the ESP sequence number; packets beyond 2^32-1 are not sent.
///  - Its high half is the SA's birth: seconds since 1970, counted up so that no two SAs of a table
///    share it. So a key that is given again, after a restart or in a second SA, which manual
///    keying makes likely and RFC 4106 section 2 forbids for that reason, does not repeat nonces
///    either, as long as the clock does not go back.
/// The same key in both directions is still a mistake: the peer counts for itself.
struct alignas(64) Sa {
  explicit Sa(std::uint32_t window) : replay{window} {}

  std::uint32_t spi = 0;
  std::uint32_t salt = 0;          ///< as its bytes stand in memory
  std::uint32_t src = 0, dst = 0;  ///< outer addresses, host order
  std::uint64_t birth = 0;         ///< first value of `sequence`
  std::uint16_t tunnel = 0;        ///< index in IpsecConfig::tunnels
  SaId id = kNoSa;
  Algorithm algorithm = Algorithm::AesGcm256;
  Direction direction = Direction::In;
  /// Outer header but for TOS, Total Length and checksum, and the sum of its words.
  std::array<std::uint8_t, proto::Ip4View::kMinHeaderLen> outer{};
  std::uint32_t outer_sum = 0;

  alignas(64) std::atomic<std::uint64_t> sequence{0};  ///< outbound: last IV taken
  ReplayWindow replay;                                 ///< inbound

  GcmKey key{};

  /// Brings closer what a short packet needs: the round keys stand first in `key`, the low powers
  /// of the hash key last.
  void prefetch() const noexcept {
    const void* start = &key;
    const char* line = static_cast<const char*>(start);
    __builtin_prefetch(this);
    __builtin_prefetch(&sequence, 1);
    for (std::size_t at = 0; at < sizeof key.data.expanded_keys; at += 64)
      __builtin_prefetch(line + at);
    __builtin_prefetch(line + sizeof key - 128);
    __builtin_prefetch(line + sizeof key - 64);
  }
};
static_assert(sizeof(Sa) == 64 + 64 + sizeof(GcmKey), "one line read, one written, the key");

inline Sa& SaTable::operator[](SaId id) const noexcept {
  return slots_[id];
}
}  // namespace crypto
