// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_file_table.hh"

#include <algorithm>
#include <sstream>
#include <tuple>

namespace polluxd {
namespace {
struct Position {
  std::size_t line = 1, column = 1;
};
[[noreturn]] void fail(const std::string& file, Position at, std::string_view text) {
  throw ConfigError{fmt::format("{}:{}:{}: {}", file, at.line, at.column, text)};
}
Position position(const TomlValue& value) {
  const auto at = value.location();
  return {at.line(), at.column()};
}
/// The parser keeps where values are, not keys: the key is looked for on the value's line.
Position key_position(const TomlValue& value, const std::string& key) {
  const auto at = value.location();
  const std::string line = at.line_str();
  std::size_t found = line.rfind(key, at.column() > 0 ? at.column() - 1 : 0);
  if (found == std::string::npos) found = line.find(key);
  if (found == std::string::npos) return position(value);
  if (found > 0 && (line[found - 1] == '"' || line[found - 1] == '\'')) --found;
  return {at.line(), found + 1};
}
/// The parser's own error object often says 1:1, but its text has a caret at the place: below the
/// last line of the form " 12 | text".
Position caret_position(const std::string& what, Position fallback) {
  std::istringstream lines{what};
  Position at = fallback, shown;
  std::size_t bar = std::string::npos;
  for (std::string line; std::getline(lines, line);) {
    if (const std::size_t here = line.find(" | "); here == std::string::npos) {
      continue;
    } else if (const std::size_t digit = line.find_first_of("0123456789"); digit < here) {
      shown.line = std::stoul(line.substr(digit));
      bar = here;
    } else if (const std::size_t mark = line.find_first_of("^~"); mark != std::string::npos) {
      if (bar == std::string::npos || mark < bar + 3) continue;
      at = {shown.line, mark - bar - 2};
    }
  }
  return at;
}
/// "[error] toml::parse_key: an invalid key appeared." -> "an invalid key appeared"
std::string sentence(const std::string& what) {
  std::string line = what.substr(0, what.find('\n'));
  if (const std::size_t name = line.find(": "); name != std::string::npos) line.erase(0, name + 2);
  while (!line.empty() && line.back() == '.') line.pop_back();
  return line;
}
std::string_view type_of(const TomlValue& value) {
  switch (value.type()) {
    case toml::value_t::boolean: return "a boolean";
    case toml::value_t::integer: return "an integer";
    case toml::value_t::floating: return "a floating-point number";
    case toml::value_t::string: return "a string";
    case toml::value_t::array: return "an array";
    case toml::value_t::table: return "a table";
    default: return "a date or time";
  }
}
}  // namespace

void fail_at(const TomlValue& value, const std::string& text) {
  fail(value.location().file_name(), position(value), text);
}

void fail_at_key(const TomlValue& value, const std::string& key, const std::string& text) {
  fail(value.location().file_name(), key_position(value, key), text);
}

TomlValue parse_toml(const std::string& path, const std::string& text) {
  check_text(path, text);
  std::istringstream stream{text};
  try {
    return toml::parse<toml::discard_comments, std::map, std::vector>(stream, path);
  } catch (const toml::exception& e) {
    const Position at = caret_position(e.what(), {e.location().line(), e.location().column()});
    fail(path, at, "not valid TOML: " + sentence(e.what()));
  } catch (const std::exception& e) { fail(path, {}, "not valid TOML: " + sentence(e.what())); }
}

void ConfigValue::expected(std::string_view what) const {
  fail_at(value, fmt::format("{} is {}, expected {}", name, type_of(value), what));
}

std::string ConfigValue::text() const {
  if (!value.is_string()) expected("a string");
  return value.as_string().str;
}

std::uint32_t ConfigValue::number(std::uint32_t min, std::uint32_t max) const {
  if (!value.is_integer()) expected(fmt::format("an integer, {} to {}", min, max));
  const std::int64_t n = value.as_integer();
  if (n < min || n > max)
    fail_at(value, fmt::format("{} is out of range, expected {} to {}", name, min, max));
  return static_cast<std::uint32_t>(n);
}

std::int64_t ConfigValue::switch_or_number() const {
  if (value.is_boolean()) return value.as_boolean() ? 1 : 0;
  if (!value.is_integer()) expected("an integer, true or false");
  return value.as_integer();
}

bool ConfigValue::boolean() const {
  if (!value.is_boolean()) expected("true or false");
  return value.as_boolean();
}

std::vector<ConfigValue> ConfigValue::items(bool or_one) const {
  std::vector<ConfigValue> found;
  if (!value.is_array() && or_one) return {*this};
  if (!value.is_array()) expected("an array");
  for (const TomlValue& item : value.as_array()) found.push_back({item, name});
  return found;
}

ConfigTable::ConfigTable(std::shared_ptr<const TomlValue> root, const TomlValue& value,
                         std::string name)
    : root_{std::move(root)}, value_{&value}, name_{std::move(name)} {
  if (!value.is_table()) ConfigValue{value, name_}.expected("a table");
}

std::optional<ConfigValue> ConfigTable::find(std::string_view key) {
  known_.emplace_back(key);
  const auto& table = value_->as_table();
  const auto at = table.find(known_.back());
  if (at == table.end()) return std::nullopt;
  return ConfigValue{at->second, known_.back()};
}

ConfigValue ConfigTable::need(std::string_view key) {
  if (auto found = find(key)) return *std::move(found);
  fail_at(*value_, fmt::format("{} has no \"{}\", which it needs", name_, key));
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key) {
  std::vector<ConfigTable> found;
  const auto array = find(key);
  if (!array) return found;
  const std::string name = fmt::format("[[{}]]", key);
  if (!array->value.is_array()) array->expected(fmt::format("tables, each under {}", name));
  for (const TomlValue& item : array->value.as_array()) found.emplace_back(root_, item, name);
  return found;
}

std::optional<ConfigTable> ConfigTable::table(std::string_view key) {
  const auto found = find(key);
  if (!found) return std::nullopt;
  return ConfigTable{root_, found->value, fmt::format("[{}]", key)};
}

std::vector<std::pair<std::string, ConfigValue>> ConfigTable::all() const {
  std::vector<std::pair<std::string, ConfigValue>> found;
  for (const auto& [key, value] : value_->as_table())
    found.emplace_back(key, ConfigValue{value, key});
  return found;
}

ConfigPlace ConfigTable::place() const {
  return ConfigPlace{std::shared_ptr<const void>{root_, value_}};
}

std::string ConfigPlace::of(std::string_view key) const {
  if (table_ == nullptr) return {};
  const auto* value = static_cast<const TomlValue*>(table_.get());
  if (value->is_table())
    if (const auto at = value->as_table().find(std::string{key}); at != value->as_table().end())
      value = &at->second;
  const Position p = position(*value);
  return fmt::format("{}:{}:{}: ", value->location().file_name(), p.line, p.column);
}

void ConfigTable::done() const {
  const TomlValue* first = nullptr;
  std::string first_key;
  const auto place = [](const TomlValue& v) {
    const Position p = position(v);
    return std::tuple{p.line, p.column};
  };
  for (const auto& [key, value] : value_->as_table()) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    if (first != nullptr && place(*first) < place(value)) continue;
    first = &value;
    first_key = key;
  }
  if (first == nullptr) return;
  fail_at_key(*first, first_key,
              fmt::format("unknown key \"{}\" in {}, expected one of: {}", first_key, name_,
                          fmt::join(known_, ", ")));
}

void ConfigTable::number(std::string_view key, std::uint32_t& to, std::uint32_t min,
                         std::uint32_t max) {
  if (const auto found = find(key)) to = found->number(min, max);
}
void ConfigTable::text(std::string_view key, std::string& to) {
  if (const auto found = find(key)) to = found->text();
}
void ConfigTable::boolean(std::string_view key, bool& to) {
  if (const auto found = find(key)) to = found->boolean();
}
}  // namespace polluxd
