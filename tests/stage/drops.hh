// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/worker.hh"

namespace test {
/// Drop counters that are not 0, by name: what a test compares whole, so that a counter which moved
/// without being named fails it.
using Drops = std::map<std::string, std::uint64_t>;

[[nodiscard]] inline std::string name_of(core::DropReason r) {
  return std::string{core::info(r).name};
}
[[nodiscard]] inline Drops drops_of(const core::Worker& w) {
  Drops d;
  for (std::size_t r = 0; r < core::kDropReasons; ++r)
    if (const std::uint64_t n = w.drops[r].read(); n != 0)
      d[std::string{core::kDropInfo[r].name}] = n;
  return d;
}
[[nodiscard]] inline std::uint64_t sum_of(const Drops& d) {
  std::uint64_t n = 0;
  for (const auto& [name, count] : d) n += count;
  return n;
}
}  // namespace test
