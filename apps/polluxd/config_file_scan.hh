// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <string_view>

// For the readers of TOML files alone (config_file*.cc here).
namespace polluxd {
/// Thrown and caught inside the reading of one file.
struct ConfigError {
  std::string text;  ///< "file:line:column: ..."
};

/// Refuses what would take the parser down: bytes that are no UTF-8 (toml11 3.7 reads beyond its
/// buffer for them), nesting without end (it recurses).
/// @throws ConfigError
void check_text(const std::string& path, std::string_view text);
}  // namespace polluxd
