// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/driver_registry.hh"

namespace polluxd {
/// What the command line adds to every configuration file, or sets in its place.
struct CommandLine {
  std::vector<InterfaceSpec> devices;    ///< -d
  bool forward = false;                  ///< -p tcpip,forward
  std::optional<std::uint32_t> workers;  ///< -t
};
/// A device is left out where the file has it as well, by its name or, where it has none, by its
/// driver and options: a saved file holds what the command line has made.
void add_command_line(ConfigFile& file, const CommandLine& line, const DriverRegistry& drivers);

/// Checks what the values of a file mean to each other: names, addresses, what points to what,
/// drivers and their options. Opens nothing. Fills in what the file leaves open: the names of
/// interfaces, the interface of each route.
/// @return the complaints, each "FILE:LINE:COLUMN: ..."; none: the file can be tried.
[[nodiscard]] std::vector<std::string> complete_config(ConfigFile& file,
                                                       const DriverRegistry& drivers);

/// What makes an interface another one when it changes: the driver's own name, and all its options
/// with their values, by name. The driver's text and the options as given where there is no such
/// driver.
struct DeviceIdentity {
  std::string driver;
  std::vector<std::pair<std::string, std::string>> options;
  friend bool operator==(const DeviceIdentity&, const DeviceIdentity&) = default;
};
[[nodiscard]] DeviceIdentity identify(const InterfaceSpec& spec, const DriverRegistry& drivers);
/// The interface that it stands on, by name; empty: none.
[[nodiscard]] std::string parent_of(const InterfaceSpec& spec);
}  // namespace polluxd
