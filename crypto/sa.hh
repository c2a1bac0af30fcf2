// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/counter.hh"
#include "crypto/secret.hh"

namespace crypto {
using SaId = std::uint16_t;  ///< index in the SA table
inline constexpr SaId kNoSa = 0xffff;

enum class Direction : std::uint8_t { In, Out };
enum class Algorithm : std::uint8_t { AesGcm128, AesGcm256 };  ///< RFC 4106, 16-byte ICV

/// "aes-gcm-128", "aes-gcm-256".
[[nodiscard]] std::string_view to_string(Algorithm a) noexcept;
[[nodiscard]] std::optional<Algorithm> parse_algorithm(std::string_view text) noexcept;
/// Key octets without the salt: 16 or 32.
[[nodiscard]] constexpr std::size_t key_size(Algorithm a) noexcept {
  return a == Algorithm::AesGcm128 ? 16 : 32;
}
inline constexpr std::size_t kSaltSize = 4;  ///< octets (RFC 4106 section 4)
/// Key octets including the 4-byte salt at the end (RFC 4106 section 8.1): 20 or 36.
[[nodiscard]] std::size_t keymat_size(Algorithm a) noexcept;

/// What a security association is asked for with.
struct SaSpec {
  std::string tunnel;  ///< name of the tunnel interface
  Direction direction = Direction::In;
  std::uint32_t spi = 0;  ///< 256 to 2^32-1 (RFC 4303 section 2.1)
  Algorithm algorithm = Algorithm::AesGcm256;
  Secret key;                         ///< keymat: key and salt
  std::uint32_t replay_window = 128;  ///< packets, 0 (off) to 4096; inbound only
};

/// What one worker counts for one SA.
struct SaCounters {
  core::TrafficCounter traffic;  ///< inner packets and bytes that passed
  core::Counter replayed;        ///< EspReplayed
  core::Counter bad_icv;         ///< EspBadIcv
  core::Counter malformed;       ///< authenticated nonsense: EspBadPadding, -NextHeader, -Inner
  core::Counter mismatched;      ///< EspWrongEndpoint, EspSelectorMismatch
};

/// What is shown of an SA; never the key.
struct SaInfo {
  SaId id = kNoSa;
  std::string tunnel;
  Direction direction = Direction::In;
  std::uint32_t spi = 0, src = 0, dst = 0;  ///< outer addresses, host order
  Algorithm algorithm = Algorithm::AesGcm256;
  std::uint32_t replay_window = 0;
  std::uint64_t sequence = 0;  ///< last sent, or highest received
};
}  // namespace crypto
