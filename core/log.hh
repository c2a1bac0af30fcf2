// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

namespace core::log {
enum class Level { Error, Warning, Info, Debug };

/// Everything above `level` is silent. Start-up only.
void set_level(Level level) noexcept;
/// One line to stderr, with time and level. Manager and start-up only: a worker counts or posts an
/// Event, it never formats text.
void write(Level level, const std::string& line);

template <class... A>
void error(fmt::format_string<A...> text, A&&... args) {
  write(Level::Error, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void warning(fmt::format_string<A...> text, A&&... args) {
  write(Level::Warning, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void info(fmt::format_string<A...> text, A&&... args) {
  write(Level::Info, fmt::format(text, std::forward<A>(args)...));
}
template <class... A>
void debug(fmt::format_string<A...> text, A&&... args) {
  write(Level::Debug, fmt::format(text, std::forward<A>(args)...));
}
}  // namespace core::log
