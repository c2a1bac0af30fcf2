// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/interrupt.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
void print(const Json& event, bool json) {
  if (json) {
    fmt::print("{}\n", event.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    const std::string detail = event.value("detail", "");
    fmt::print("{}  {:<19}  {}{}{}\n", text_of(event, "time"), text_of(event, "kind"),
               text_of(event, "subject"), detail.empty() ? "" : "  ", detail);
  }
  std::fflush(stdout);  // whoever reads wants it now
}

/// Until the user ends it or the daemon does.
int events(const Session& session, const Words& kinds) {
  constexpr std::chrono::milliseconds kPatience{500};  // a signal may come just before the wait
  catch_interrupts();
  Client client{session.path()};
  Json params = Json::object();
  if (!kinds.empty()) params["kinds"] = kinds;
  static_cast<void>(client.call({"events.subscribe", params}));
  while (!interrupted()) {
    const auto line = client.next_line(kPatience);
    if (!line) continue;
    const Json told = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (told.is_object() && told.value("method", "") == "event")
      print(told.value("params", Json::object()), session.json);
  }
  return 0;
}
}  // namespace

void declare_events(CLI::App& app, Session& session) {
  const auto kinds = std::make_shared<Words>();
  CLI::App* command =
      add_command(app, session, "events", "print what happens to interfaces and drivers, until ^C",
                  [&session, kinds] { return events(session, *kinds); });
  command
      ->add_option("kinds", *kinds,
                   "interface, link, device, address, driver, or one kind as link.down (all)")
      ->type_name("");
}
}  // namespace plx
