// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "apps/polluxd/specs.hh"
#include "core/error.hh"

namespace polluxd {
/// Reads a TOML file. Nothing is changed; key files that it names are read as well.
/// @return the configuration | Invalid: "file:line:column: what is wrong, what was expected" for a
/// syntax error, an unknown key, a wrong type, a value out of range, a malformed address.
core::Expected<Config> read_config(const std::string& path);
}  // namespace polluxd
