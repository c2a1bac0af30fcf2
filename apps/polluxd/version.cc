// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/version.hh"

#include <fmt/format.h>
#include <intel-ipsec-mb.h>
#include <rte_version.h>

#include "pollux_version.hh"

namespace polluxd {
Versions versions() {
  std::string dpdk = rte_version();
  if (dpdk.starts_with("DPDK ")) dpdk.erase(0, 5);
  return {POLLUX_VERSION, POLLUX_GIT, std::move(dpdk), imb_get_version_str()};
}

std::string version_text() {
  const Versions v = versions();
  return fmt::format("pollux {} (git {}){}, DPDK {}, IPsec-MB {}", v.pollux, v.git,
                     core::kInet6 ? "" : ", polluxd-v4: without IPv6", v.dpdk, v.ipsec_mb);
}
}  // namespace polluxd
