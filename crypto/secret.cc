// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/secret.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crypto {
namespace {
constexpr std::string_view kSpace = " \t\r\n\v\f";

core::Error invalid(std::string context) {
  return {core::Errc::Invalid, std::move(context)};
}

std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// The value of a hexadecimal digit, or -1.
int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// An open descriptor, closed with it.
struct File {
  explicit File(int d) noexcept : descriptor{d} {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor >= 0) close(descriptor);
  }
  int descriptor;
};

/// Reads to the end of the file. @return the number of bytes, at most `room`, or -1 and errno.
ssize_t read_all(int descriptor, char* to, std::size_t room) noexcept {
  std::size_t have = 0;
  while (have < room) {
    const ssize_t n = read(descriptor, to + have, room - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(have);
}
}  // namespace

Secret::Secret(Secret&& other) noexcept
    : memory_{std::move(other.memory_)},
      data_{std::exchange(other.data_, nullptr)},
      size_{std::exchange(other.size_, 0)} {}

Secret& Secret::operator=(Secret&& other) noexcept {
  memory_ = std::move(other.memory_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

core::Expected<Secret> Secret::from_hex(std::string_view hex) {
  std::string_view digits = trim(hex);
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  if (digits.empty()) return invalid("key is empty, expected hexadecimal digits");
  // Positions and counts only: an error text ends in logs, and a digit of a key must not.
  for (std::size_t i = 0; i < digits.size(); ++i)
    if (digit(digits[i]) < 0)
      return invalid(
          fmt::format("key has something else than a hexadecimal digit at place {}", i + 1));
  if (digits.size() % 2 != 0)
    return invalid(fmt::format("key has an odd number of hexadecimal digits, {}", digits.size()));
  if (digits.size() / 2 > kMaxSize)
    return invalid(
        fmt::format("key has {} bytes, expected at most {}", digits.size() / 2, kMaxSize));

  auto secret = make(digits.size() / 2);
  if (!secret) return secret;
  for (std::size_t i = 0; i < secret->size_; ++i)
    secret->data_[i] =
        static_cast<std::uint8_t>(digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]));
  return secret;
}

core::Expected<Secret> Secret::make(std::size_t size) {
  auto memory = LockedMemory::map(kMaxSize);
  if (!memory) return memory.error();
  Secret secret;
  secret.memory_ = std::move(*memory);
  secret.data_ = static_cast<std::uint8_t*>(secret.memory_.data());
  secret.size_ = size;
  return secret;
}

core::Expected<Secret> Secret::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.empty() || bytes.size() > kMaxSize)
    return invalid(fmt::format("key has {} bytes, expected 1 to {}", bytes.size(), kMaxSize));
  auto secret = make(bytes.size());
  if (secret) std::ranges::copy(bytes, secret->data_);
  return secret;
}

core::Expected<Secret> Secret::from_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const File file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.descriptor < 0)
    return core::Error{
        errno == ENOENT || errno == ENOTDIR ? core::Errc::NotFound : core::Errc::Invalid,
        fmt::format("key file {}: {}", path, strerrordesc_np(errno))};
  struct stat status {};
  if (fstat(file.descriptor, &status) != 0)
    return invalid(fmt::format("key file {}: {}", path, strerrordesc_np(errno)));
  if (!S_ISREG(status.st_mode))
    return invalid(fmt::format("key file {}: not a regular file", path));
  if ((status.st_mode & 0007) != 0)
    return invalid(fmt::format("key file {}: mode {:04o} lets everybody in, expected 0640 or less",
                               path, status.st_mode & 07777));

  auto buffer = LockedMemory::map(kMaxFileSize + 1);
  if (!buffer) return buffer.error();
  auto* text = static_cast<char*>(buffer->data());
  const ssize_t n = read_all(file.descriptor, text, kMaxFileSize + 1);
  if (n < 0) return invalid(fmt::format("key file {}: {}", path, strerrordesc_np(errno)));
  if (static_cast<std::size_t>(n) > kMaxFileSize)
    return invalid(fmt::format("key file {}: larger than {} bytes", path, kMaxFileSize));
  auto secret = from_hex({text, static_cast<std::size_t>(n)});
  if (!secret)
    return core::Error{secret.error().code,
                       fmt::format("key file {}: {}", path, secret.error().context)};
  return secret;
}
}  // namespace crypto
