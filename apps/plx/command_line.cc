// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/command_line.hh"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
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

std::string Session::path() const {
  return socket.empty() ? fmt::format("{}/{}.sock", socket_directory, instance) : socket;
}

CLI::App* add_command(CLI::App& app, Session& session, const char* name, const char* help,
                      std::function<int()> run) {
  CLI::App* command = app.add_subcommand(name, help)->fallthrough();
  command->callback([&session, run = std::move(run)] { session.run = run; });
  return command;
}

CLI::App* add_planned(CLI::App& app, Session& session, const char* name, const char* help,
                      std::function<Plan()> plan) {
  return add_command(app, session, name, help,
                     [&session, plan = std::move(plan)] { return carry_out(session, plan()); });
}

namespace {
int carry_out(const Session& session, const SaPlan& what) {
  // Read before the daemon is bothered.
  std::optional<KeyText> key;
  if (!what.key_file.empty()) key.emplace(what.key_file);
  Client client{session.path()};
  Json result;
  for (std::size_t i = 0; i < what.plan.calls.size(); ++i) {
    if (i > 0 && what.plan.pause_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds{what.plan.pause_ms});
    const Call& call = what.plan.calls[i];
    result = key ? client.call_with_key(call, *key) : client.call(call);
  }
  if (session.json) {
    fmt::print("{}\n", result.dump(2, ' ', false, Json::error_handler_t::replace));
  } else if (what.plan.show != nullptr) {
    fmt::print("{}", what.plan.show(result));
  }
  return 0;
}

/// A command whose arguments are words only.
template <class MakePlan>
CLI::App* add_words(CLI::App& app, Session& session, const char* name, const char* help,
                    const char* usage, MakePlan make_plan) {
  const auto words = std::make_shared<Words>();
  CLI::App* command =
      add_planned(app, session, name, help, [words, make_plan] { return make_plan(*words); });
  command->add_option("words", *words, usage)->type_name("");
  return command;
}

void declare_interfaces(CLI::App& app, Session& session) {
  // As on BSD: without words, -a shows the same.
  const auto groups = std::make_shared<bool>(false);
  CLI::App* interfaces = add_words(
      app, session, "ifconfig", "show, make, change and destroy interfaces",
      "[IF] | IF create [vlan ID vlandev IF [vlanproto 802.1Q|802.1ad] | OPTION=VALUE ...] "
      "[...] | IF destroy | IF [inet|inet6 ADDRESS/LENGTH [alias|delete|-alias]] [inet6 "
      "[-]autoconf] [[-]rtadv] [join|leave GROUP] [up|down] [mtu N] [[-]promisc] [[-]rss] "
      "[name NEW]",
      [groups](const Words& words) { return ifconfig(words, *groups); });
  interfaces->add_flag_callback(
      "-a", [] {}, "show all (as without a name)");
  interfaces->add_flag("-v", *groups, "show multicast groups as well");
  struct Mount {
    std::string type = "io-pkt", driver;
    Words options;
  };
  const auto m = std::make_shared<Mount>();
  CLI::App* command =
      add_planned(app, session, "mount", "load a driver and make its interface; prints its name",
                  [m] { return mount(m->type, m->options, m->driver); });
  command->add_option("-T", m->type, "io-pkt, the only one and the default")->type_name("TYPE");
  command->add_option("-o", m->options, "options of the driver, and name=NAME; repeatable")
      ->type_name("OPTION=VALUE[,...]")
      ->allow_extra_args(false);
  command->add_option("driver", m->driver, "unique part of its name, or path of its object")
      ->required()
      ->type_name("");
  add_words(app, session, "driver", "show driver objects, and the options of one", "[show [NAME]]",
            driver);
  add_words(app, session, "nicinfo", "show all there is to know of a device", "[IF]", nicinfo);
  add_words(app, session, "worker", "show and change which worker polls which receive queue",
            "[show] | spread | assign IF QUEUE WORKER", worker);
}

void declare_neighbors(CLI::App& app, Session& session) {
  add_words(app, session, "vrf", "show, make and delete routing tables of their own",
            "[show | add NAME [id N] | delete NAME]", vrf);
  add_words(app, session, "arp", "show and change neighbours",
            "[show | usage | add IF ADDRESS MAC | del IF ADDRESS]", arp);
  const auto query = std::make_shared<NdpQuery>();
  CLI::App* discovery =
      add_words(app, session, "ndp", "show and change IPv6 neighbours, show routers and prefixes",
                "[ADDRESS%IF [MAC]]", [query](const Words& words) { return ndp(words, *query); });
  discovery->add_flag_callback(
      "-a", [] {}, "show all neighbours (as without words)");
  discovery->add_flag("-d", query->remove, "delete the neighbour");
  discovery->add_flag("-s", query->set, "set the neighbour's MAC for good");
  discovery->add_flag("-p", query->prefixes, "show the prefixes that routers advertise");
  discovery->add_flag("-r", query->routers, "show the default routers");
}

void declare_ipsec(CLI::App& app, Session& session) {
  CLI::App* ipsec = app.add_subcommand("ipsec", "show and change tunnels and security associations")
                        ->fallthrough();
  ipsec->require_subcommand(1);
  add_words(*ipsec, session, "tunnel", "tunnel interfaces",
            "[show | add NAME local ADDRESS remote ADDRESS [mtu N] [selector LOCAL REMOTE]... | "
            "del NAME]",
            ipsec_tunnel);
  struct Association {
    Words words;
    std::string key_file;
    Json replay_window;
  };
  const auto a = std::make_shared<Association>();
  CLI::App* sa = add_command(*ipsec, session, "sa", "security associations", [&session, a] {
    return carry_out(session, ipsec_sa(a->words, a->key_file, a->replay_window));
  });
  sa->add_option("words", a->words,
                 "[show | add TUNNEL in|out SPI ALGORITHM (--key-file FILE | -) | del TUNNEL "
                 "in|out SPI]")
      ->type_name("");
  sa->add_option("--key-file", a->key_file, "file with key and salt in hexadecimal (add)")
      ->type_name("FILE");
  sa->add_option_function<std::uint32_t>(
        "--replay-window", [a](const std::uint32_t& n) { a->replay_window = n; },
        "packets, 0: off (add)")
      ->type_name("N");
}

void declare_counters(CLI::App& app, Session& session) {
  const auto q = std::make_shared<StatsQuery>();
  CLI::App* command = add_planned(app, session, "stats", "counters: a summary, or one part of them",
                                  [q] { return stats(*q); });
  command->add_flag("--drops", q->drops, "dropped packets by reason");
  command->add_flag("--stages", q->stages, "bursts and packets by stage");
  command->add_flag("--workers", q->workers, "how busy each worker is");
  command->add_flag("--interfaces", q->interfaces, "traffic by interface");
  command->add_flag("--usage", q->usage, "tables: use against limit");
  command->add_flag("--all", q->all, "everything, also counters at zero");

  struct Tunables {
    bool all = false, describe = false;
  };
  const auto t = std::make_shared<Tunables>();
  CLI::App* tunables =
      add_words(app, session, "sysctl", "show and set tunables", "[NAME | NAME=VALUE ...]",
                [t](const Words& words) { return sysctl(t->all ? Words{} : words, t->describe); });
  tunables->add_flag("-a", t->all, "show all (as without a name)");
  tunables->add_flag("-d", t->describe, "with range and description");
  add_planned(app, session, "version", "versions of the running daemon", version);
}

void declare(CLI::App& app, Session& session) {
  app.set_help_flag("-h,--help", "print this help and leave");
  app.set_version_flag("--version",
                       std::string{"plx "} + POLLUX_VERSION + " (git " + POLLUX_GIT + ")");
  app.add_option("-i,--instance", session.instance, "instance of polluxd (0)")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  app.add_option("-s,--socket", session.socket, "its control socket")->type_name("PATH");
  app.add_option("--socket-dir", session.socket_directory,
                 "folder of the sockets N.sock (/run/pollux)")
      ->type_name("DIR")
      ->envname("POLLUX_SOCKET_DIR");
  app.add_flag("-j,--json", session.json, "print results as JSON");
  app.require_subcommand(1);
  // In the order in which --help shows them.
  constexpr std::array kCommands{
      declare_interfaces, declare_config,   declare_routes, declare_neighbors,
      declare_ipsec,      declare_counters, declare_ping,   declare_events,
      declare_trace,      declare_capture,  declare_doctor,
  };
  for (const auto declare_command : kCommands) declare_command(app, session);
}

/// ifconfig switches things off by words with a dash, which the parser would take for options.
std::vector<std::string> arguments_of(int argc, const char* const* argv) {
  std::vector<std::string> words{argv + 1, argv + argc};
  bool ifconfig = false;
  for (std::string& word : words) {
    ifconfig = ifconfig || word == "ifconfig";
    if (ifconfig && (word == "-promisc" || word == "-rss" || word == "-alias" ||
                     word == "-autoconf" || word == "-rtadv"))
      word.replace(0, 1, "no-");
  }
  return {words.rbegin(), words.rend()};  // the parser takes them from the end
}
}  // namespace

int carry_out(const Session& session, const Plan& plan) {
  return carry_out(session, SaPlan{plan, ""});
}

int run(int argc, const char* const* argv) {
  CLI::App app{"pollux command line: asks a running polluxd", "plx"};
  Session session;
  declare(app, session);
  try {
    app.parse(arguments_of(argc, argv));
    return session.run();
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
