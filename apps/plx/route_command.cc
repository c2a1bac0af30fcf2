// SPDX-License-Identifier: BSD-3-Clause
// plx route, and the loading of whole tables.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
struct RouteOptions {
  Words words;
  std::string vrf;
  bool all = false, remove = false;
};

/// Gives lines to the daemon, so many at a time, and says which ones it refuses.
class Loader {
public:
  Loader(const Session& session, std::string file, const RouteOptions& options)
      : client_{session.path()}, file_{std::move(file)}, options_{options} {}

  /// @return how many lines were refused.
  std::uint64_t run(std::istream& in) {
    std::string line;
    for (std::uint64_t n = 1; std::getline(in, line); ++n) {
      const std::size_t first = line.find_first_not_of(" \t\r");
      if (first == std::string::npos || line[first] == '#') continue;
      if (!options_.vrf.empty() && line.find(" vrf ") == std::string::npos)
        line += " vrf " + options_.vrf;
      lines_.push_back(std::move(line));
      numbers_.push_back(n);
      if (lines_.size() == kBatch) send();
    }
    send();
    return refused_;
  }
  [[nodiscard]] std::uint64_t done() const { return done_; }

private:
  static constexpr std::size_t kBatch = 1000;
  static constexpr std::uint64_t kShown = 20;  ///< refusals; the rest is counted

  void send() {
    if (lines_.empty()) return;
    const Json result =
        client_.call({"route.load", {{"routes", lines_}, {"delete", options_.remove}}});
    done_ += count_of(result, "done");
    for (const Json& e : result.value("errors", Json::array())) {
      const std::size_t index = count_of(e, "index");
      if (refused_++ < kShown && index < numbers_.size())
        fmt::print(stderr, "{}:{}: {}\n", file_, numbers_[index], text_of(e, "message"));
    }
    lines_.clear();
    numbers_.clear();
  }

  Client client_;
  std::string file_;
  const RouteOptions& options_;
  std::vector<std::string> lines_;
  std::vector<std::uint64_t> numbers_;
  std::uint64_t done_ = 0, refused_ = 0;
};

/// `plx route load FILE`: a line is what `plx route add` takes.
int load(const Session& session, const RouteOptions& options) {
  if (options.words.size() != 2) throw UsageError{"route load: expected one file, or - "};
  const std::string& path = options.words[1];
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) throw Refused{fmt::format("{}: cannot read it", path)};
  }
  Loader loader{session, path, options};
  const std::uint64_t refused = loader.run(path == "-" ? std::cin : file);
  if (session.json)
    fmt::print("{}\n", Json{{"done", loader.done()}, {"refused", refused}}.dump());
  else
    fmt::print("{} routes {}, {} refused\n", loader.done(), options.remove ? "deleted" : "added",
               refused);
  return refused == 0 ? 0 : 1;
}
}  // namespace

void declare_routes(CLI::App& app, Session& session) {
  const auto o = std::make_shared<RouteOptions>();
  CLI::App* command = add_command(app, session, "route", "show and change routes", [&session, o] {
    if (!o->words.empty() && o->words[0] == "load") return load(session, *o);
    return carry_out(session, route(o->words, o->all, o->vrf));
  });
  command
      ->add_option(
          "words", o->words,
          "[show | usage | add PREFIX|default (via ADDRESS | GATEWAY) [dev IF] [recursive] | add "
          "PREFIX nexthop via ADDRESS [dev IF] [weight N] nexthop ... | add PREFIX "
          "blackhole|prohibit|unreachable|local | del PREFIX | get ADDRESS | load FILE] "
          "[vrf NAME]")
      ->type_name("");
  command->add_flag("-a,--all", o->all, "show also the routes that follow from others");
  command->add_option("-V,--vrf", o->vrf, "whose routes (the default VRF's)")->type_name("NAME");
  command->add_flag("--delete", o->remove, "load: delete the routes of the file");
}
}  // namespace plx
