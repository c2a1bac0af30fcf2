// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace plx {
/// Rows under a heading, columns as wide as they need to be. A heading that starts with '>' is of a
/// column set to the right.
class Table {
public:
  explicit Table(std::vector<std::string> heading);
  void add(std::vector<std::string> row);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  [[nodiscard]] std::string text() const;

private:
  std::vector<std::string> heading_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// A member as text: "-" where it is missing, null or "".
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* member);
[[nodiscard]] std::uint64_t count_of(const nlohmann::json& object, const char* member);
}  // namespace plx
