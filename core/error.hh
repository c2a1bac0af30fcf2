// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "core/result.hh"

namespace core {
/// Why a request of the management side cannot be done. The state is unchanged when one is
/// returned.
enum class Errc : std::uint8_t {
  Invalid,       ///< malformed or out of range: the caller can correct it
  NotFound,      ///< no such interface, route, neighbour, SA ...
  Exists,        ///< the name, prefix or SPI is taken
  Full,          ///< a table has reached its configured limit
  Unsupported,   ///< the device or this build cannot do it
  DeviceFailed,  ///< a driver or device refused; the context says what it said
  Timeout,       ///< nothing answered in time
};

/// A refusal: a code for programs, a sentence for people (what, where, what was expected).
struct Error {
  Errc code;
  std::string context;
};

/// `Expected<T>`: how every management-side function that can be refused answers.
template <class T = Done>
using Expected = Result<T, Error>;
}  // namespace core
