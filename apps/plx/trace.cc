// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/plx/capture.hh"
#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/interrupt.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
struct TraceOptions {
  std::uint32_t count = 10;
  Words filter;
};
}  // namespace

std::string trace_text(const Json& way) {
  const Json steps = way.value("steps", Json::array());
  if (steps.empty()) return {};
  std::string out =
      fmt::format("packet {}  {}\n", text_of(way, "number"), text_of(steps.front(), "time"));
  const auto began = steps.front().value("ns", std::int64_t{0});
  std::string shown;
  for (const Json& step : steps) {
    const auto ns = step.value("ns", std::int64_t{0}) - began;
    const std::string packet = step.value("packet", "");
    out += fmt::format("  {:>10.3f} us  worker {}  {}\n", static_cast<double>(ns) / 1000,
                       text_of(step, "worker"), text_of(step, "what"));
    if (packet != shown) out += fmt::format("{:27}{}\n", "", packet);
    shown = packet;
  }
  if (!way.value("ended", true)) out += "                 its way is not known any further\n";
  return out;
}

namespace {
/// @return whether the trace goes on.
bool show(const Json& told, bool json) {
  const std::string method = told.value("method", "");
  const Json params = told.value("params", Json::object());
  if (method == "trace.packet") {
    fmt::print("{}", json ? params.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'
                          : trace_text(params));
    std::fflush(stdout);
  }
  if (method != "trace.end") return true;
  const auto lost = count_of(params, "lost_steps"), packets = count_of(params, "lost_packets");
  if (lost + packets != 0)
    fmt::print(stderr, "plx: {} packets and {} steps were lost\n", packets, lost);
  return false;
}

int trace(const Session& session, const TraceOptions& o) {
  constexpr std::chrono::milliseconds kPatience{500};  // a signal may come just before the wait
  catch_interrupts();
  Client client{session.path()};
  static_cast<void>(
      client.call({"trace.start",
                   {{"count", o.count}, {"filter", fmt::format("{}", fmt::join(o.filter, " "))}}}));
  for (bool asked = false, goes_on = true; goes_on;) {
    if (interrupted() && !asked) {
      client.enough();
      asked = true;
    }
    const auto line = client.next_line(kPatience);
    if (!line) continue;
    const Json told = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (told.is_object()) goes_on = show(told, session.json);
  }
  return 0;
}
}  // namespace

void declare_trace(CLI::App& app, Session& session) {
  const auto o = std::make_shared<TraceOptions>();
  CLI::App* command =
      add_command(app, session, "trace", "show the way of single packets through the stages",
                  [&session, o] { return trace(session, *o); });
  command->add_option("-c,--count", o->count, "packets (10)")->type_name("N");
  command->add_option("filter", o->filter, "which packets, in the language of pcap-filter(7) (all)")
      ->type_name("");
}
}  // namespace plx
