// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "core/result.hh"

namespace pmd {
/// Why a driver cannot do what it was asked.
struct Failure {
  int error;         ///< errno, positive
  std::string text;  ///< a sentence: which step, on what, and the reason
};

template <class T = core::Done>
using Outcome = core::Result<T, Failure>;
}  // namespace pmd
