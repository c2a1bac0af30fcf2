// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "core/error.hh"

namespace polluxd {
/// Routes that routers advertise are kept for the default VRF only.
[[nodiscard]] core::Error no_autoconf_in_vrf(const std::string& interface);
}  // namespace polluxd
