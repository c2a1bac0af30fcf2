// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace plx {
/// The whole program. @return 0, 1 (refused: a sentence on stderr), 2 (usage).
int run(int argc, const char* const* argv);
}  // namespace plx
