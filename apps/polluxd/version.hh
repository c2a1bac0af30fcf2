// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

namespace polluxd {
/// What this program is made of. The libraries are asked at run time: they are shared.
struct Versions {
  std::string pollux, git, dpdk, ipsec_mb;
};
[[nodiscard]] Versions versions();
/// "pollux 0.1.0 (git abc), DPDK 22.11.4, IPsec-MB 1.3.0"
[[nodiscard]] std::string version_text();
}  // namespace polluxd
