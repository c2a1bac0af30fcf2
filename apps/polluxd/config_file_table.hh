// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// For the readers of TOML files alone (config_file*.cc here): toml.hpp is slow to compile.
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <toml.hpp>
#include <utility>
#include <vector>

#include "apps/polluxd/config_file_scan.hh"
#include "apps/polluxd/config_place.hh"
#include "core/error.hh"

namespace polluxd {
using TomlValue = toml::basic_value<toml::discard_comments, std::map, std::vector>;

/// "file:line:column: text" at a value. @throws ConfigError always.
[[noreturn]] void fail_at(const TomlValue& value, const std::string& text);
/// The same at the key of a value.
[[noreturn]] void fail_at_key(const TomlValue& value, const std::string& key,
                              const std::string& text);

/// Parses the text of a file. @throws ConfigError on a syntax error.
TomlValue parse_toml(const std::string& path, const std::string& text);

/// A value of the file and what it is called in errors: "mtu", "address".
struct ConfigValue {
  const TomlValue& value;
  std::string name;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::uint32_t number(std::uint32_t min, std::uint32_t max) const;
  /// Any integer; true and false are 1 and 0.
  [[nodiscard]] std::int64_t switch_or_number() const;
  [[nodiscard]] bool boolean() const;
  /// An array; with `or_one`, a value that is no array stands for an array of one.
  [[nodiscard]] std::vector<ConfigValue> items(bool or_one = false) const;
  /// A text that `parse` turns into a value of its own.
  template <class T>
  [[nodiscard]] T parsed(core::Expected<T> (*parse)(std::string_view)) const {
    auto result = parse(text());
    if (!result) fail_at(value, fmt::format("{}: {}", name, result.error().context));
    return *std::move(result);
  }
  [[noreturn]] void expected(std::string_view what) const;
};

/// One table. Every key is asked for by name; done() refuses the others.
class ConfigTable {
public:
  /// @param root  owns `value`, and does so as long as a place() of it is kept.
  /// @throws ConfigError where `value` is no table.
  ConfigTable(std::shared_ptr<const TomlValue> root, const TomlValue& value, std::string name);
  [[nodiscard]] std::optional<ConfigValue> find(std::string_view key);
  [[nodiscard]] ConfigValue need(std::string_view key);
  /// All tables of [[key]].
  [[nodiscard]] std::vector<ConfigTable> tables(std::string_view key);
  /// The table [key], if it is there.
  [[nodiscard]] std::optional<ConfigTable> table(std::string_view key);
  /// Every key with its value, for a table whose keys are free.
  [[nodiscard]] std::vector<std::pair<std::string, ConfigValue>> all() const;
  /// Where it stands.
  [[nodiscard]] ConfigPlace place() const;
  /// @throws ConfigError for the first key that was not asked for.
  void done() const;

  void number(std::string_view key, std::uint32_t& to, std::uint32_t min, std::uint32_t max);
  void text(std::string_view key, std::string& to);
  void boolean(std::string_view key, bool& to);

private:
  std::shared_ptr<const TomlValue> root_;
  const TomlValue* value_;
  std::string name_;
  std::vector<std::string> known_;
};
}  // namespace polluxd
