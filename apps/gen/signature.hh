// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

#include "proto/wire/bytes.hh"

namespace gen {
/// What every packet of ours carries at the front of its UDP or TCP payload. 18 bytes, which is
/// what a frame of 64 bytes with IPv4 and UDP has room for.
///
///     0               4       6               10                              18
///     | magic  | run  | flow  |   sequence    |      time, TSC cycles         |
struct Signature {
  static constexpr std::size_t kLen = 18, kRunAt = 2, kTimeAt = 10;
  static constexpr std::uint16_t kMagic = 0x9a75;

  std::uint16_t run = 0;       ///< which trial: stragglers of the one before are told apart
  std::uint16_t flow = 0;      ///< a stream's share of one worker, with sequence numbers of its own
  std::uint32_t sequence = 0;  ///< low 32 bits
  std::uint64_t time = 0;      ///< of the sender's time-stamp counter
};

/// @pre payload.size() >= Signature::kLen
[[nodiscard]] constexpr bool has_signature(proto::Bytes payload) noexcept {
  return proto::load_be16(payload, 0) == Signature::kMagic;
}
/// @pre payload.size() >= Signature::kLen
[[nodiscard]] constexpr Signature load_signature(proto::Bytes payload) noexcept {
  return {.run = proto::load_be16(payload, Signature::kRunAt),
          .flow = proto::load_be16(payload, 4),
          .sequence = proto::load_be32(payload, 6),
          .time = proto::load_be64(payload, Signature::kTimeAt)};
}
/// @pre payload.size() >= Signature::kLen
constexpr void store_signature(const Signature& s, proto::MutBytes payload) noexcept {
  proto::store_be16(payload, 0, Signature::kMagic);
  proto::store_be16(payload, Signature::kRunAt, s.run);
  proto::store_be16(payload, 4, s.flow);
  proto::store_be32(payload, 6, s.sequence);
  proto::store_be64(payload, Signature::kTimeAt, s.time);
}
}  // namespace gen
