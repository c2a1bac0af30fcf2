// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace polluxd {
/// Where in the file an object stands. Worked out when it is asked for: that counts lines.
class ConfigPlace {
public:
  ConfigPlace() = default;
  /// @param table  a TomlValue (config_file_table.hh), owned by whoever owns the file's text.
  explicit ConfigPlace(std::shared_ptr<const void> table) : table_{std::move(table)} {}
  /// "FILE:LINE:COLUMN: " of a key's value, or of the table where it has no such key; "" where the
  /// object is not from a file.
  [[nodiscard]] std::string of(std::string_view key) const;

private:
  std::shared_ptr<const void> table_;
};
}  // namespace polluxd
