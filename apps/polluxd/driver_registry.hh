// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/driver.h"
#include "core/error.hh"

namespace polluxd {
/// A driver object in memory. Unloaded when the last reference goes.
class Driver;

/// A started port and the driver that serves it. Closing is explicit: the caller knows when no
/// worker can be in rx or tx any more.
struct OpenPort {
  std::shared_ptr<const Driver> driver;
  pollux_port port{};
  void close() noexcept;  ///< stops, closes, frees; the object may be unloaded after
  [[nodiscard]] core::Expected<pollux_link> link() const;
  [[nodiscard]] core::Expected<pollux_port_stats> stats() const;
  core::Expected<> set_mtu(std::uint16_t mtu) const;
};

/// What open() asks for.
struct PortRequest {
  std::vector<std::pair<std::string, std::string>> options;
  std::uint16_t queues = 1, mtu = 0;
  rte_mempool* pool = nullptr;
};

/// Finds, loads and checks driver objects ("pollux-NAME.so"). Manager thread.
class DriverRegistry {
public:
  /// @param path  folders, searched in this order, after $POLLUX_DRIVER_PATH (colon-separated) and
  ///              before the installed one ("../lib/pollux" beside the program).
  explicit DriverRegistry(std::vector<std::string> path);

  /// @param name_or_path  the unique part of a name ("af_x"), or a path with a slash in it.
  /// @return the driver | NotFound (with the names that there are) | Invalid (several match; no entry
  /// point; another ABI version, with both).
  core::Expected<std::shared_ptr<const Driver>> load(const std::string& name_or_path);

  /// Checks the options against what the driver declares, fills in defaults, opens.
  /// @return the port | Invalid (unknown, malformed or missing option, with the valid ones) |
  /// DeviceFailed (what the driver said; everything undone).
  core::Expected<OpenPort> open(const std::shared_ptr<const Driver>& driver,
                                const PortRequest& request);

  /// Names of all driver objects on the path.
  [[nodiscard]] std::vector<std::string> available() const;

private:
  std::vector<std::string> path_;
  unsigned next_port_ = 0;
};

/// The declared name, "af_packet": interfaces are numbered by it.
[[nodiscard]] std::string driver_name(const Driver& driver);
}  // namespace polluxd
