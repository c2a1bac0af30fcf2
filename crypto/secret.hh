// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hh"
#include "crypto/locked_memory.hh"

namespace crypto {
/// Key material: in locked memory that is left out of core dumps, wiped when it goes. Movable,
/// never copied, never printed.
class Secret {
public:
  static constexpr std::size_t kMaxSize = 64;        ///< bytes
  static constexpr std::size_t kMaxFileSize = 4096;  ///< bytes

  Secret() noexcept = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() = default;  // the memory wipes itself

  /// @param hex  an even number of hexadecimal digits, "0x" in front allowed, white space around
  ///             allowed. The caller wipes its text.
  /// @return the secret | Invalid (what is wrong, without the text) | Full (memory cannot be
  /// locked).
  static core::Expected<Secret> from_hex(std::string_view hex);
  /// @param bytes  1 to kMaxSize of them. The caller wipes them. @return the secret | Invalid
  /// (size) | Full.
  static core::Expected<Secret> from_bytes(std::span<const std::uint8_t> bytes);
  /// Reads a file that holds one secret in hexadecimal; the read buffer is locked and wiped too.
  /// @return the secret | NotFound | Invalid (also: not a regular file, open to others than owner
  /// and group) | Full.
  static core::Expected<Secret> from_file(const std::string& path);

  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return {data_, size_}; }

private:
  static core::Expected<Secret> make(std::size_t size);

  LockedMemory memory_;
  std::uint8_t* data_ = nullptr;  ///< in memory_
  std::size_t size_ = 0;
};
}  // namespace crypto
