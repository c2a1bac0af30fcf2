// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/options.hh"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <charconv>
#include <sstream>
#include <string_view>

#include "apps/polluxd/specs.hh"
#include "apps/polluxd/version.hh"

namespace polluxd {
namespace {
[[noreturn]] void refuse(const std::string& text) {
  throw CLI::ValidationError{text};
}

/// "tcpip[,option...]"
void read_protocol(std::string_view text, Options& to) {
  const std::string_view protocol = text.substr(0, text.find(','));
  if (protocol != "tcpip")
    refuse(fmt::format("-p {}: unknown protocol \"{}\", expected tcpip", text, protocol));
  std::string_view rest = text.substr(protocol.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    const std::string_view option = rest.substr(0, rest.find(','));
    if (option != "forward")
      refuse(fmt::format("-p {}: unknown option \"{}\" of tcpip, expected forward", text, option));
    to.forward = true;
    rest.remove_prefix(option.size());
  }
}

std::optional<unsigned> as_number(std::string_view text) {
  unsigned n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

// The databases are asked once, before there is a second thread.
Options::Owner read_owner(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  Options::Owner owner;
  if (const auto id = as_number(user)) {
    owner.user = owner.group = *id;
    if (const passwd* entry = ::getpwuid(*id)) owner.group = entry->pw_gid;
  } else if (const passwd* entry = ::getpwnam(user.c_str())) {
    owner = {entry->pw_uid, entry->pw_gid};
  } else {
    refuse(fmt::format("-U {}: no user \"{}\", expected user[:group]", text, user));
  }
  if (colon == std::string::npos) return owner;
  const std::string group_name = text.substr(colon + 1);
  if (const auto id = as_number(group_name)) {
    owner.group = *id;
  } else if (const struct group* entry = ::getgrnam(group_name.c_str())) {
    owner.group = entry->gr_gid;
  } else {
    refuse(fmt::format("-U {}: no group \"{}\", expected user[:group]", text, group_name));
  }
  return owner;
}

/// What the options are read into before they are understood.
struct Raw {
  std::vector<std::string> protocols;
  std::string owner, config;
  std::uint32_t workers = 0;
  bool version = false;
};

void declare(CLI::App& app, Options& o, Raw& raw) {
  app.set_help_flag("-h,--help", "print this help and leave");
  app.add_option("-d,--device", o.devices, "driver and its options; repeatable")
      ->type_name("DRIVER[,OPTION=VALUE...]")
      ->allow_extra_args(false);
  app.add_option("-p,--protocol", raw.protocols,
                 "protocol and its options; repeatable (tcpip: forward)")
      ->type_name("tcpip[,OPTION...]")
      ->allow_extra_args(false);
  app.add_option("-i,--instance", o.instance, "number of this instance, names its socket")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  app.add_option("-t,--workers", raw.workers, "worker threads, one per core")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{1}, kMaxWorkers));
  app.add_option("-c,--config", raw.config, "configuration file")->type_name("FILE.toml");
  app.add_flag("--check", o.check, "say what is wrong with the configuration file, and leave")
      ->needs("--config");
  app.add_option("-U,--user", raw.owner, "user and group to become after start")
      ->type_name("USER[:GROUP]");
  app.add_flag_function(
      "-v,--verbose", [&o](std::int64_t n) { o.verbose = static_cast<unsigned>(n); },
      "say more; repeatable");
  app.add_option("--eal", o.eal, "argument for DPDK's EAL; repeatable (--eal=ARG)")
      ->type_name("ARG")
      ->allow_extra_args(false);
  app.add_flag("--version", raw.version, "print the versions and leave");
}
}  // namespace

std::variant<Options, Leave> parse_options(int argc, const char* const* argv) {
  CLI::App app{core::kInet6 ? "pollux network manager" : "pollux network manager, without IPv6",
               kProgram};
  Options options;
  Raw raw;
  declare(app, options, raw);
  try {
    app.parse(argc, argv);
    if (raw.version) return Leave{0, version_text() + '\n'};
    for (const std::string& text : raw.protocols) read_protocol(text, options);
    if (app.count("--workers") > 0) options.workers = raw.workers;
    if (app.count("--config") > 0) options.config = raw.config;
    if (app.count("--user") > 0) options.owner = read_owner(raw.owner);
    return options;
  } catch (const CLI::CallForHelp&) { return Leave{0, app.help()}; } catch (const CLI::Error& e) {
    return Leave{2, fmt::format("{0}: {1}\nTry \"{0} --help\".\n", kProgram, e.what())};
  }
}
}  // namespace polluxd
