// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "core/inet6.hh"

namespace polluxd {
/// The name of this build's program.
inline constexpr const char* kProgram = core::kInet6 ? "polluxd" : "polluxd-v4";

/// What this program is made of. The libraries are asked at run time: they are shared.
struct Versions {
  std::string pollux, git, dpdk, ipsec_mb;
};
[[nodiscard]] Versions versions();
/// "pollux 0.1.0 (git abc), DPDK 22.11.4, IPsec-MB 1.3.0"; polluxd-v4 says that it is that.
[[nodiscard]] std::string version_text();
}  // namespace polluxd
