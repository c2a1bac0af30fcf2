// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <vector>

#include "apps/polluxd/specs.hh"

namespace polluxd {
/// A configuration as the text of a file. What stands at its default is left out; what is left out
/// stands at its default, so that the text read again gives the same. SAs without a key file are
/// left out too: a key has no place in it.
[[nodiscard]] std::string to_toml(const Config& config);
}  // namespace polluxd
