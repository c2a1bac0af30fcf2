// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
bool is_default(const Json& route) {
  return route.value("prefix", "") == "0.0.0.0/0";
}

std::string show_all(const Json& routes) {
  Table table{{"Destination", "Gateway", "Interface", "Kind", "Origin", ">Packets"}};
  for (const Json& r : routes)
    table.add({is_default(r) ? "default" : text_of(r, "prefix"), text_of(r, "via"),
               text_of(r, "interface"), text_of(r, "kind"), text_of(r, "origin"),
               text_of(r, "packets")});
  return table.text();
}

/// Those that somebody asked for; the others follow from them.
std::string show(const Json& routes) {
  Json chosen = Json::array();
  for (const Json& r : routes)
    if (const auto origin = r.value("origin", "");
        (origin == "static" || origin == "connected") && r.value("kind", "") != "broadcast")
      chosen.push_back(r);
  return show_all(chosen);
}

std::string show_answer(const Json& r) {
  std::string out = text_of(r, "destination");
  if (!r["via"].is_null()) out += " via " + text_of(r, "via");
  if (!r.value("interface", "").empty()) out += " dev " + text_of(r, "interface");
  if (!r["source"].is_null()) out += " src " + text_of(r, "source");
  out += fmt::format(" route {} {}\n", is_default(r) ? "default" : text_of(r, "prefix"),
                     text_of(r, "kind"));
  return out;
}

Plan add_route(const Words& words) {
  if (words.size() < 3)
    throw UsageError{
        "route add: expected PREFIX|default (via ADDRESS | GATEWAY) [dev IF] or PREFIX "
        "blackhole|prohibit"};
  Json params{{"prefix", words[1]}};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_value = i + 1 < words.size();
    if (word == "via" && has_value) {
      params["via"] = words[++i];
    } else if (word == "dev" && has_value) {
      params["interface"] = words[++i];
    } else if (word == "blackhole" || word == "prohibit") {
      params["kind"] = word;
    } else if (i == 2 && word.find_first_not_of("0123456789.") == std::string::npos) {
      params["via"] = word;
    } else {
      throw UsageError{fmt::format(
          "route add: \"{}\", expected via ADDRESS, dev IF, blackhole or prohibit", word)};
    }
  }
  return Plan{"route.add", std::move(params)};
}
}  // namespace

Plan route(const Words& words, bool all) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1)
    return Plan{"route.list", Json::object(), all ? show_all : show};
  if (verb == "add") return add_route(words);
  if ((verb == "del" || verb == "delete") && words.size() == 2)
    return Plan{"route.delete", {{"prefix", words[1]}}};
  if (verb == "get" && words.size() == 2)
    return Plan{"route.get", {{"destination", words[1]}}, show_answer};
  throw UsageError{"route: expected show, add PREFIX ..., del PREFIX or get ADDRESS"};
}

namespace {
std::string show_neighbors(const Json& neighbors) {
  Table table{{"Address", "MAC", "Interface", "State", ">Age"}};
  for (const Json& n : neighbors)
    table.add({text_of(n, "address"), text_of(n, "mac"), text_of(n, "interface"),
               text_of(n, "state"),
               fmt::format("{:.1f}s", static_cast<double>(count_of(n, "age_ms")) / 1000)});
  return table.text();
}
}  // namespace

Plan arp(const Words& words) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1) return Plan{"arp.list", Json::object(), show_neighbors};
  if (verb == "add" && words.size() == 4)
    return Plan{"arp.add", {{"interface", words[1]}, {"address", words[2]}, {"mac", words[3]}}};
  if ((verb == "del" || verb == "delete") && words.size() == 3)
    return Plan{"arp.delete", {{"interface", words[1]}, {"address", words[2]}}};
  throw UsageError{"arp: expected show, add IF ADDRESS MAC or del IF ADDRESS"};
}
}  // namespace plx
