// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/daemon.hh"
#include "apps/polluxd/options.hh"
#include "core/log.hh"

namespace {
/// @return the exit status: 0 after SIGTERM, 1 where the start is refused.
int run(polluxd::Options options) {
  core::log::set_level(options.verbose > 0 ? core::log::Level::Debug : core::log::Level::Info);
  polluxd::Config config;
  if (options.config) {
    auto read = polluxd::read_config(*options.config);
    if (!read) {
      fmt::print(stderr, "polluxd: {}\n", read.error().context);
      return 1;
    }
    config = *std::move(read);
  }
  const unsigned instance = options.instance;
  polluxd::Daemon daemon{std::move(options), std::move(config)};
  if (const auto started = daemon.start(); !started) {
    fmt::print(stderr, "polluxd: {}\n", started.error().context);
    return 1;
  }
  fmt::print("READY instance {}\n", instance);
  std::fflush(stdout);
  daemon.run();
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    auto options = polluxd::parse_options(argc, argv);
    if (const auto* leave = std::get_if<polluxd::Leave>(&options)) {
      fmt::print(leave->status == 0 ? stdout : stderr, "{}", leave->text);
      return leave->status;
    }
    return run(std::get<polluxd::Options>(std::move(options)));
  } catch (const std::exception& e) {
    fmt::print(stderr, "polluxd: {}\n", e.what());
    return 1;
  }
}
