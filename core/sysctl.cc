// SPDX-License-Identifier: BSD-3-Clause
#include "core/sysctl.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace core {
namespace {
/// Levenshtein distance: how many single-character edits make `b` of `a`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}
bool is_below(std::string_view name, std::string_view prefix) noexcept {
  if (prefix.empty() || name == prefix) return true;
  return name.size() > prefix.size() && name.starts_with(prefix) && name[prefix.size()] == '.';
}
/// Names come from outside: a long one is cut before it is compared or shown.
constexpr std::size_t kShownName = 64;
constexpr std::size_t kSuggestions = 3;

template <class Nodes>
Error not_found(std::string_view name, const Nodes& nodes) {
  const std::string_view shown = name.substr(0, kShownName);
  std::vector<std::pair<std::size_t, std::string_view>> ranked;
  for (const auto& [known, node] : nodes) ranked.emplace_back(edit_distance(shown, known), known);
  std::ranges::sort(ranked);
  ranked.resize(std::min(ranked.size(), kSuggestions));
  std::string text = fmt::format("no sysctl \"{}\"", shown);
  const char* separator = "; nearest: ";
  for (const auto& [distance, known] : ranked) {
    text += separator;
    text += known;
    separator = ", ";
  }
  return {Errc::NotFound, std::move(text)};
}
}  // namespace

void Sysctl::add(SysctlNode node) {
  assert(node.min <= node.value && node.value <= node.max);
  node.initial = node.value;
  std::string key = node.name;
  [[maybe_unused]] const bool is_new = nodes_.try_emplace(std::move(key), std::move(node)).second;
  assert(is_new);
}

Expected<std::int64_t> Sysctl::get(std::string_view name) const {
  const auto at = nodes_.find(name);
  if (at == nodes_.end()) return not_found(name, nodes_);
  return at->second.value;
}

std::int64_t Sysctl::value(std::string_view name) const {
  const auto at = nodes_.find(name);
  assert(at != nodes_.end());
  return at->second.value;
}

Expected<> Sysctl::set(std::string_view name, std::int64_t value) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end()) return not_found(name, nodes_);
  SysctlNode& node = at->second;
  if (value < node.min || value > node.max)
    return Error{Errc::Invalid, fmt::format("{} = {}: out of range, expected {} to {}", node.name,
                                            value, node.min, node.max)};
  node.value = value;
  return Done{};
}

std::vector<SysctlNode> Sysctl::list(std::string_view prefix) const {
  std::vector<SysctlNode> found;
  for (const auto& [name, node] : nodes_)
    if (is_below(name, prefix)) found.push_back(node);
  return found;
}
}  // namespace core
