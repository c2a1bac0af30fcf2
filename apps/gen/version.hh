// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

namespace gen {
/// "0.1.0 (git 0123456789ab)".
[[nodiscard]] std::string version_text();
}  // namespace gen
