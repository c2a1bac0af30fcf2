// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/command_line.hh"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "apps/plx/client.hh"
#include "apps/plx/ping.hh"
#include "apps/plx/plan.hh"
#include "pollux_version.hh"

namespace plx {
unsigned long number(const std::string& text, const std::string& what) {
  constexpr std::size_t kDigits = 9;
  if (text.empty() || text.size() > kDigits ||
      text.find_first_not_of("0123456789") != std::string::npos)
    throw UsageError{fmt::format("{}: \"{}\", expected a number", what, text)};
  return std::stoul(text);
}

namespace {
/// The command line as CLI11 fills it.
struct Arguments {
  unsigned instance = 0;
  std::string socket, socket_directory = "/run/pollux";
  bool json = false;

  Words words;
  bool all = false, describe = false;
  StatsQuery stats;
  std::string key_file;
  std::uint32_t replay_window = 0;
  PingOptions ping;
  std::string source;

  [[nodiscard]] std::string path() const {
    return socket.empty() ? fmt::format("{}/{}.sock", socket_directory, instance) : socket;
  }
};

CLI::App* add_command(CLI::App& app, const char* name, const char* help) {
  return app.add_subcommand(name, help)->fallthrough();
}
CLI::App* add_words(CLI::App& app, const char* name, const char* help, const char* usage,
                    Arguments& a) {
  CLI::App* command = add_command(app, name, help);
  command->add_option("words", a.words, usage)->type_name("");
  return command;
}

void declare_ping(CLI::App& app, Arguments& a) {
  CLI::App* ping = add_command(app, "ping", "send ICMP echo requests from the stack");
  ping->add_option("address", a.ping.destination, "IPv4 address")->required()->type_name("");
  ping->add_option("-c,--count", a.ping.count, "how many (default: until interrupted)")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{1}, ~std::uint32_t{0}));
  ping->add_option("-s,--size", a.ping.size, "bytes of data (56)")->type_name("BYTES");
  ping->add_option("-i,--interval", a.ping.interval_s, "between requests (1)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  ping->add_option("-W,--timeout", a.ping.timeout_ms, "for a reply (1000)")->type_name("MS");
  ping->add_option("-S,--source", a.source, "source address")->type_name("ADDRESS");
}

void declare(CLI::App& app, Arguments& a) {
  app.set_help_flag("-h,--help", "print this help and leave");
  app.set_version_flag("--version",
                       std::string{"plx "} + POLLUX_VERSION + " (git " + POLLUX_GIT + ")");
  app.add_option("-i,--instance", a.instance, "instance of polluxd (0)")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  app.add_option("-s,--socket", a.socket, "its control socket")->type_name("PATH");
  app.add_option("--socket-dir", a.socket_directory, "folder of the sockets N.sock (/run/pollux)")
      ->type_name("DIR")
      ->envname("POLLUX_SOCKET_DIR");
  app.add_flag("-j,--json", a.json, "print results as JSON");
  app.require_subcommand(1);

  add_words(app, "ifconfig", "show and change interfaces",
            "[IF [inet ADDRESS/LENGTH [delete]] [up|down] [mtu N] | IF destroy]", a);
  add_words(app, "route", "show and change routes",
            "[show | add PREFIX|default (via ADDRESS | GATEWAY) [dev IF] | add PREFIX "
            "blackhole|prohibit | del PREFIX | get ADDRESS]",
            a)
      ->add_flag("-a,--all", a.all, "show also the routes that follow from others");
  add_words(app, "arp", "show and change neighbours",
            "[show | add IF ADDRESS MAC | del IF ADDRESS]", a);

  CLI::App* ipsec = add_command(app, "ipsec", "show and change tunnels and security associations");
  ipsec->require_subcommand(1);
  add_words(*ipsec, "tunnel", "tunnel interfaces",
            "[show | add NAME local ADDRESS remote ADDRESS [mtu N] [selector LOCAL REMOTE]... | "
            "del NAME]",
            a);
  CLI::App* sa = add_words(*ipsec, "sa", "security associations",
                           "[show | add TUNNEL in|out SPI ALGORITHM (--key-file FILE | -) | del "
                           "TUNNEL in|out SPI]",
                           a);
  sa->add_option("--key-file", a.key_file, "file with key and salt in hexadecimal (add)")
      ->type_name("FILE");
  sa->add_option("--replay-window", a.replay_window, "packets, 0: off (add)")->type_name("N");

  CLI::App* stats = add_command(app, "stats", "counters: a summary, or one part of them");
  stats->add_flag("--drops", a.stats.drops, "dropped packets by reason");
  stats->add_flag("--stages", a.stats.stages, "bursts and packets by stage");
  stats->add_flag("--workers", a.stats.workers, "how busy each worker is");
  stats->add_flag("--interfaces", a.stats.interfaces, "traffic by interface");
  stats->add_flag("--usage", a.stats.usage, "tables: use against limit");
  stats->add_flag("--all", a.stats.all, "everything, also counters at zero");

  CLI::App* sysctl =
      add_words(app, "sysctl", "show and set tunables", "[NAME | NAME=VALUE ...]", a);
  sysctl->add_flag("-a", a.all, "show all (as without a name)");
  sysctl->add_flag("-d", a.describe, "with range and description");
  declare_ping(app, a);
  add_command(app, "version", "versions of the running daemon");
}

/// The plan of what was asked for; ping is none, it prints as it goes.
SaPlan plan_of(const CLI::App& app, const Arguments& a) {
  const CLI::App* command = app.get_subcommands().front();
  const std::string& name = command->get_name();
  if (name == "ifconfig") return {ifconfig(a.words), ""};
  if (name == "route") return {route(a.words, a.all), ""};
  if (name == "arp") return {arp(a.words), ""};
  if (name == "stats") return {stats(a.stats), ""};
  if (name == "sysctl") return {sysctl(a.all ? Words{} : a.words, a.describe), ""};
  if (name == "version") return {version(), ""};
  const CLI::App* part = command->get_subcommands().front();
  if (part->get_name() == "tunnel") return {ipsec_tunnel(a.words), ""};
  return ipsec_sa(a.words, a.key_file,
                  part->count("--replay-window") > 0 ? Json(a.replay_window) : Json(nullptr));
}

void carry_out(const SaPlan& what, const Arguments& a) {
  // Read before the daemon is bothered.
  std::optional<KeyText> key;
  if (!what.key_file.empty()) key.emplace(what.key_file);
  Client client{a.path()};
  Json result;
  for (std::size_t i = 0; i < what.plan.calls.size(); ++i) {
    if (i > 0 && what.plan.pause_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds{what.plan.pause_ms});
    const Call& call = what.plan.calls[i];
    result = key ? client.call_with_key(call, *key) : client.call(call);
  }
  if (a.json) {
    fmt::print("{}\n", result.dump(2, ' ', false, Json::error_handler_t::replace));
  } else if (what.plan.show != nullptr) {
    fmt::print("{}", what.plan.show(result));
  }
}

int carry_out(const CLI::App& app, Arguments& a) {
  if (!app.got_subcommand("ping")) {
    carry_out(plan_of(app, a), a);
    return 0;
  }
  a.ping.json = a.json;
  if (!a.source.empty()) a.ping.source = a.source;
  Client client{a.path()};
  return ping(client, a.ping);
}
}  // namespace

int run(int argc, const char* const* argv) {
  CLI::App app{"pollux command line: asks a running polluxd", "plx"};
  Arguments arguments;
  declare(app, arguments);
  try {
    app.parse(argc, argv);
    return carry_out(app, arguments);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const Words left = app.remaining();
    const bool unknown = app.get_subcommands().empty() && !left.empty();
    fmt::print(stderr, "plx: {}\nTry \"plx --help\".\n",
               unknown ? fmt::format("no command \"{}\"", left.front()) : e.what());
    return 2;
  } catch (const UsageError& e) {
    fmt::print(stderr, "plx: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "plx: {}\n", e.what());
    return 1;
  }
}
}  // namespace plx
