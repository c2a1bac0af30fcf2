// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.hh"

namespace crypto {
/// Overwrites memory in a way that the compiler keeps.
void wipe(void* p, std::size_t n) noexcept;

/// Whole pages for secrets: never swapped, left out of core dumps, zero at first and wiped at last.
class LockedMemory {
public:
  LockedMemory() noexcept = default;
  LockedMemory(LockedMemory&& other) noexcept;
  LockedMemory& operator=(LockedMemory&& other) noexcept;
  LockedMemory(const LockedMemory&) = delete;
  LockedMemory& operator=(const LockedMemory&) = delete;
  ~LockedMemory();

  /// @param size  bytes, 1 or more. @return the memory | Full (none, or the lock limit is reached).
  static core::Expected<LockedMemory> map(std::size_t size);

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
  void release() noexcept;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};
}  // namespace crypto
