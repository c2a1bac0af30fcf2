// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace polluxd {
/// The command line of polluxd, in io-pkt's words.
struct Options {
  /// Whom to become once everything is open.
  struct Owner {
    uid_t user = 0;
    gid_t group = 0;
  };
  std::vector<std::string> devices;      ///< -d, as given: "af_xdp,iface=veth0,name=wan0"
  bool forward = false;                  ///< -p tcpip,forward
  unsigned instance = 0;                 ///< -i, 0 to 255
  std::optional<std::uint32_t> workers;  ///< -t
  std::optional<std::string> config;     ///< -c
  bool check = false;                    ///< --check: only look at the configuration file
  std::optional<Owner> owner;            ///< -U user[:group], numbers allowed
  unsigned verbose = 0;                  ///< how often -v was given
  std::vector<std::string> eal;          ///< --eal, handed to the EAL as they are
};

/// The program is to end now: 0 after --help and --version, 2 after a usage error.
struct Leave {
  int status = 0;
  std::string text;  ///< for stdout where status is 0, else for stderr
};

[[nodiscard]] std::variant<Options, Leave> parse_options(int argc, const char* const* argv);
}  // namespace polluxd
