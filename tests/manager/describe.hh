// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "apps/polluxd/manager.hh"

namespace test {
/// All that the manager shows of its state, as text: equal before and after a refused request.
[[nodiscard]] std::string describe(const polluxd::Manager& m);
}  // namespace test
