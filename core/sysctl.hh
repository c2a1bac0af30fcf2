// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hh"

namespace core {
/// A value that can be changed while running: typed by its range, documented.
struct SysctlNode {
  std::string name;         ///< NetBSD's name where the thing is the same: "net.inet.ip.ttl"
  std::string description;  ///< one sentence, with the unit
  std::int64_t min = 0, max = 0, value = 0;
  std::int64_t initial = 0;  ///< the value that it was added with; add() fills it in
};

/// The tree of tunable values. Manager thread only; workers see values through what is published.
class Sysctl {
public:
  /// @pre the name is not taken and min <= value <= max.
  void add(SysctlNode node);
  /// @return the value | NotFound, with the nearest names.
  [[nodiscard]] Expected<std::int64_t> get(std::string_view name) const;
  /// The value of a node that the program itself has added. @pre it is there.
  [[nodiscard]] std::int64_t value(std::string_view name) const;
  /// @return NotFound | Invalid (out of range; the text names the range).
  Expected<> set(std::string_view name, std::int64_t value);
  /// All nodes whose name is `prefix` or lies below it ("" for all), by name.
  [[nodiscard]] std::vector<SysctlNode> list(std::string_view prefix = "") const;

private:
  std::map<std::string, SysctlNode, std::less<>> nodes_;
};
}  // namespace core
