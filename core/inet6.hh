// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <string_view>

#include "core/error.hh"

#ifndef POLLUX_INET6
#define POLLUX_INET6 1
#endif

namespace core {
/// Whether IPv6 is in this build; in that of polluxd-v4 it is not. Where both share code, IPv6's
/// part stands behind `if constexpr (kInet6)`. What is IPv6's alone is not compiled without it, so
/// that a caller left over does not link. The core itself is the same in both: it does not ask.
inline constexpr bool kInet6 = POLLUX_INET6 != 0;

/// What a request gets that needs IPv6 where there is none. @param what  as it was asked for.
[[nodiscard]] inline Error no_inet6(std::string_view what) {
  return {Errc::Unsupported, std::string{"IPv6 is not in this build (polluxd-v4): "}.append(what)};
}
}  // namespace core
