// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/table.hh"

#include <fmt/format.h>

#include <algorithm>

namespace plx {
Table::Table(std::vector<std::string> heading) : heading_{std::move(heading)} {
  for (std::string& title : heading_) {
    right_.push_back(title.starts_with('>'));
    if (right_.back()) title.erase(0, 1);
  }
}

void Table::add(std::vector<std::string> row) {
  row.resize(heading_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < heading_.size(); ++i) {
    widths.push_back(heading_[i].size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += right_[i] ? fmt::format("{:>{}}", row[i], widths[i])
                        : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  add_line(heading_);
  for (const auto& row : rows_) add_line(row);
  return out;
}

std::string text_of(const nlohmann::json& object, const char* member) {
  const auto at = object.find(member);
  if (at == object.end() || at->is_null()) return "-";
  if (!at->is_string()) return at->dump();
  return at->get_ref<const std::string&>().empty() ? "-" : at->get<std::string>();
}

std::uint64_t count_of(const nlohmann::json& object, const char* member) {
  const auto at = object.find(member);
  return at != object.end() && at->is_number() ? at->get<std::uint64_t>() : 0;
}
}  // namespace plx
