// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/polluxd/config_place.hh"
#include "apps/polluxd/specs.hh"
#include "core/error.hh"

namespace polluxd {
/// A configuration file that has been read, and where its objects stand.
struct ConfigFile {
  Config config;
  /// By index in the lists of `config`.
  std::vector<ConfigPlace> vrfs, interfaces, tunnels, sas, routes, neighbors;
  ConfigPlace sysctls;
};

/// Gives the key in a key file. @param path  as [[sa]] has it.
using KeySource = std::function<core::Expected<crypto::Secret>(const std::string& path)>;

/// Reads the text of a TOML file. Nothing is changed.
/// @param name  of the file, for the errors.
/// @param keys  none: the keys are left out, all else is checked.
/// @return the configuration | Invalid: "FILE:LINE:COLUMN: what is wrong, what was expected" for a
/// syntax error, an unknown key, a wrong type, a value out of range, a malformed address.
core::Expected<ConfigFile> parse_config(const std::string& name, const std::string& text,
                                        const KeySource& keys);

/// The same for a file; key files that it names are read as well. Their paths come out absolute.
core::Expected<ConfigFile> read_config_file(const std::string& path);
/// The configuration alone.
core::Expected<Config> read_config(const std::string& path);
}  // namespace polluxd
