// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/locked_memory.hh"

#include <fmt/format.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace crypto {
void wipe(void* p, std::size_t n) noexcept {
  if (p != nullptr) explicit_bzero(p, n);
}

LockedMemory::LockedMemory(LockedMemory&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

LockedMemory& LockedMemory::operator=(LockedMemory&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

LockedMemory::~LockedMemory() {
  release();
}

void LockedMemory::release() noexcept {
  if (data_ == nullptr) return;
  wipe(data_, size_);
  munmap(data_, size_);
  data_ = nullptr;
}

core::Expected<LockedMemory> LockedMemory::map(std::size_t size) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (size + page - 1) / page * page;
  LockedMemory memory;
  void* p = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return core::Error{core::Errc::Full, fmt::format("no memory: {} bytes for keys", rounded)};
  memory.data_ = p;
  memory.size_ = rounded;
  if (madvise(p, rounded, MADV_DONTDUMP) != 0 || mlock(p, rounded) != 0)
    return core::Error{
        core::Errc::Full,
        fmt::format(
            "cannot lock {} bytes for keys: {}; raise the limit on locked memory (ulimit -l)",
            rounded, strerrordesc_np(errno))};
  return memory;
}
}  // namespace crypto
