// SPDX-License-Identifier: BSD-3-Clause
#include "core/log.hh"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace core::log {
namespace {
std::atomic<Level>& threshold() noexcept {
  static std::atomic<Level> level{Level::Info};
  return level;
}
constexpr const char* name(Level level) noexcept {
  switch (level) {
    case Level::Error: return "error";
    case Level::Warning: return "warning";
    case Level::Info: return "info";
    case Level::Debug: return "debug";
  }
  return "?";
}
}  // namespace

void set_level(Level level) noexcept {
  threshold().store(level, std::memory_order_relaxed);
}

void write(Level level, const std::string& line) {
  if (level > threshold().load(std::memory_order_relaxed)) return;
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> stamp{};
  std::strftime(stamp.data(), stamp.size(), "%FT%TZ", &utc);
  fmt::print(stderr, "{} polluxd {}: {}\n", stamp.data(), name(level), line);
}
}  // namespace core::log
