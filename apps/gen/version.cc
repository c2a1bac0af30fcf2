// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/version.hh"

#include <fmt/format.h>

#include "pollux_version.hh"

namespace gen {
std::string version_text() {
  return fmt::format("{} (git {})", POLLUX_VERSION, POLLUX_GIT);
}
}  // namespace gen
