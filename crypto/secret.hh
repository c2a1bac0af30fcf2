// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/error.hh"

namespace crypto {
/// Key material: in locked memory that is left out of core dumps, wiped when it goes. Movable, never
/// copied, never printed.
class Secret {
public:
  static constexpr std::size_t kMaxSize = 64;  ///< bytes

  Secret() noexcept = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  /// @param hex  an even number of hexadecimal digits, "0x" in front allowed, white space around
  ///             allowed. The caller wipes its text.
  /// @return the secret | Invalid (what is wrong, without the text) | Full (memory cannot be locked).
  static core::Expected<Secret> from_hex(std::string_view hex);
  /// Reads a file that holds one secret in hexadecimal; the read buffer is wiped.
  /// @return the secret | NotFound | Invalid (also: readable by others than owner and group).
  static core::Expected<Secret> from_file(const std::string& path);

  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return {data_, size_}; }

private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Overwrites memory in a way that the compiler keeps.
void wipe(void* p, std::size_t n) noexcept;
}  // namespace crypto
