// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "apps/polluxd/config_check.hh"
#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/daemon.hh"
#include "apps/polluxd/options.hh"
#include "apps/polluxd/version.hh"
#include "core/log.hh"

namespace {
/// Says on standard error what is wrong with the file, a line each.
int refuse(const std::string& why) {
  fmt::print(stderr, "{}: {}\n", polluxd::kProgram, why);
  return 1;
}

/// The configuration file, checked as far as that can be done without a device.
int check(const polluxd::Options& options) {
  auto file = polluxd::read_config_file(*options.config);
  if (!file) return refuse(file.error().context);
  const polluxd::DriverRegistry drivers{file->config.driver_path};
  const auto complaints = polluxd::complete_config(*file, drivers);
  for (const std::string& complaint : complaints) refuse(complaint);
  return complaints.empty() ? 0 : 1;
}

/// @return the exit status: 0 after SIGTERM, 1 where the start is refused.
int run(polluxd::Options options) {
  core::log::set_level(options.verbose > 0 ? core::log::Level::Debug : core::log::Level::Info);
  if (options.check) return check(options);
  polluxd::ConfigFile file;
  if (options.config) {
    auto read = polluxd::read_config_file(*options.config);
    if (!read) return refuse(read.error().context);
    file = *std::move(read);
  }
  const unsigned instance = options.instance;
  polluxd::Daemon daemon{std::move(options), std::move(file)};
  if (const auto started = daemon.start(); !started) return refuse(started.error().context);
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
    fmt::print(stderr, "{}: {}\n", polluxd::kProgram, e.what());
    return 1;
  }
}
