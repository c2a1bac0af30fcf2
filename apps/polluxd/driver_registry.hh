// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/driver.h"
#include "core/error.hh"
#include "core/mac_address.hh"

namespace polluxd {
/// A driver object in memory. Unloaded when the last reference goes. Under ASan and TSan it stays:
/// their reports name functions of an object only while it is loaded.
class Driver;

/// A started port and the driver that serves it. Closing is explicit: the caller knows when no
/// worker can be in rx or tx any more.
struct OpenPort {
  std::shared_ptr<const Driver> driver;
  pollux_port port{};
  std::uint32_t buffer_size = 0;  ///< bytes of packet in a buffer, without headroom
  void close() noexcept;          ///< stops, closes, frees; the object may be unloaded after
  [[nodiscard]] core::Expected<pollux_link> link() const;
  [[nodiscard]] core::Expected<pollux_port_stats> stats() const;
  core::Expected<> set_mtu(std::uint16_t mtu) const;
  /// @return Unsupported where the device has no filter to switch.
  core::Expected<> set_promiscuous(bool on) const;
  /// Group addresses to be let in beside its own and broadcast; all are where it has no filter.
  core::Expected<> set_multicast(std::span<const core::MacAddress> addresses) const;
  [[nodiscard]] core::Expected<std::vector<std::pair<std::string, std::uint64_t>>> xstats() const;
};

/// Option and value, in the order given.
using DriverOptions = std::vector<std::pair<std::string, std::string>>;

/// What open() asks for.
struct PortRequest {
  DriverOptions options;
  std::uint16_t queues = 1, mtu = 0;
  rte_mempool* pool = nullptr;
  std::function<rte_mempool*(int node)> pool_near;  ///< none: `pool` for every node
};

/// "driver[,option=value...][,name=NAME]", taken apart.
struct ParsedDevice {
  std::string driver;  ///< as written: what load() takes
  DriverOptions options;
  std::string name;  ///< empty: not given
};

/// What a driver declares of an option.
struct DriverOption {
  std::string name;
  pollux_option_type type = POLLUX_OPTION_STRING;
  std::optional<std::string> default_value;  ///< none: the option is required; "": no default
  std::string help;
};

/// A driver object in memory, or a file that could be loaded.
struct LoadedDriver {
  std::string name, description, version;
  std::string file;  ///< empty: built in
  std::uint32_t abi = 0;
  bool loaded = false, resident = false;
  std::size_t references = 0;  ///< open ports
  std::vector<DriverOption> options;
};

/// Finds, loads and checks driver objects ("pollux-NAME.so"). Manager thread.
class DriverRegistry {
public:
  /// @param path  folders, searched in this order, after $POLLUX_DRIVER_PATH (colon-separated) and
  ///              before the installed one ("../lib/pollux" beside the program).
  explicit DriverRegistry(std::vector<std::string> path);

  /// @param name_or_path  the unique part of a name ("af_x"), or a path with a slash in it.
  /// @return the driver | NotFound (with the names that there are) | Invalid (several match; no
  /// entry point; another ABI version, with both).
  core::Expected<std::shared_ptr<const Driver>> load(const std::string& name_or_path) const;

  /// Takes the text of `-d` and of `plx mount` apart, as the driver's options say. An option of
  /// type POLLUX_OPTION_REST takes everything behind its "=", commas included, but for a
  /// ",name=NAME" at the very end: "dpdk,devargs=net_tap0,iface=x,name=wan0" is devargs
  /// "net_tap0,iface=x" and name "wan0". Loads the driver for the while; needs no EAL.
  /// @return the parts | what load() returns | Invalid (unknown, repeated or malformed option).
  core::Expected<ParsedDevice> parse_device(std::string_view text) const;

  /// Checks the options against what the driver declares, fills in defaults, opens.
  /// @return the port | Invalid (unknown, malformed or missing option, with the valid ones) |
  /// DeviceFailed (what the driver and DPDK said; everything undone).
  core::Expected<OpenPort> open(const std::shared_ptr<const Driver>& driver,
                                const PortRequest& request) const;

  /// Names of all driver objects on the path and of the built-in ones, sorted.
  [[nodiscard]] std::vector<std::string> available() const;

  /// The objects that are in memory now, by file.
  [[nodiscard]] std::vector<LoadedDriver> loaded() const;
  /// All that there are, in memory or not, by name. One that cannot be loaded is left out.
  [[nodiscard]] std::vector<LoadedDriver> list() const;

private:
  core::Expected<std::shared_ptr<const Driver>> load_file(const std::string& file) const;

  std::vector<std::string> path_;
  /// What has been loaded and not gone yet, by canonical file name: one Driver an object.
  mutable std::map<std::string, std::weak_ptr<const Driver>> objects_;
  /// Those that said that they stay.
  mutable std::vector<std::shared_ptr<const Driver>> resident_;
};

/// The declared name, "af_packet".
[[nodiscard]] std::string driver_name(const Driver& driver);
/// What interfaces are numbered behind: the name, unless the driver declares another word.
[[nodiscard]] std::string interface_prefix(const Driver& driver);
/// Whether it is part of polluxd, an interface without a port: "vlan".
[[nodiscard]] bool is_built_in(const Driver& driver);
/// The values of all declared options, in declared order, defaults filled in; they point into
/// `given` and the driver. @return Invalid (unknown, malformed or missing, with the valid ones).
core::Expected<std::vector<pollux_option_value>> check_options(const Driver& driver,
                                                               const DriverOptions& given);
/// The object's file; empty: built in.
[[nodiscard]] std::string driver_file(const Driver& driver);
}  // namespace polluxd
