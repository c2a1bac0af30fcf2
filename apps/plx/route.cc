// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
bool is_default(const Json& route) {
  const std::string prefix = route.value("prefix", "");
  return prefix == "0.0.0.0/0" || prefix == "::/0";
}

/// A line below the route for each of its next hops.
void add_next_hops(Table& table, const Json& route) {
  if (!route.contains("nexthops")) return;
  for (const Json& n : route["nexthops"]) {
    const bool alive = n.value("alive", false);
    std::string kind = alive ? fmt::format("{:.0f} %", 100 * n.value("share", 0.0)) : "dead";
    table.add({fmt::format("  weight {}", count_of(n, "weight")),
               text_of(n, n["resolved_via"].is_null() ? "via" : "resolved_via"),
               text_of(n, "resolved_interface"), std::move(kind), "", ""});
  }
}

std::string show_all(const Json& routes) {
  Table table{{"Destination", "Gateway", "Interface", "Kind", "Origin", ">Packets"}};
  for (const Json& r : routes) {
    table.add({is_default(r) ? "default" : text_of(r, "prefix"), text_of(r, "via"),
               text_of(r, "interface"), text_of(r, "kind"), text_of(r, "origin"),
               text_of(r, "packets")});
    add_next_hops(table, r);
  }
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

/// Of all tables those whose names begin with one of `names`.
std::string show_use(const Json& tables, std::initializer_list<std::string_view> names) {
  Table table{{"Table", ">Used", ">Limit"}};
  for (const Json& t : tables)
    if (const std::string name = text_of(t, "table");
        std::ranges::any_of(names, [&](std::string_view n) { return name.starts_with(n); }))
      table.add({name, text_of(t, "used"), text_of(t, "limit")});
  return table.text();
}
std::string show_route_use(const Json& tables) {
  return show_use(tables, {"route", "vrf", "next_hop"});
}
std::string show_neighbor_use(const Json& tables) {
  return show_use(tables, {"neighbors", "next_hops"});
}

constexpr std::array kKinds{"blackhole", "prohibit", "unreachable", "reject", "local"};

/// nexthop [via ADDRESS] [dev IF] [weight N], as iproute2 has it. @param i  behind "nexthop".
Json read_next_hop(const Words& words, std::size_t& i) {
  Json hop = Json::object();
  for (; i + 1 < words.size() && words[i] != "nexthop"; i += 2) {
    if (words[i] == "via")
      hop["via"] = words[i + 1];
    else if (words[i] == "dev")
      hop["interface"] = words[i + 1];
    else if (words[i] == "weight")
      hop["weight"] = number(words[i + 1], "weight");
    else
      break;
  }
  if (hop.empty())
    throw UsageError{"route add: nexthop, expected via ADDRESS, dev IF and weight N after it"};
  return hop;
}

Plan add_route(Words words) {
  const bool inet6 = words.size() > 1 && words[1] == "-inet6";
  if (inet6) words.erase(words.begin() + 1);
  if (words.size() < 3)
    throw UsageError{
        "route add: expected PREFIX|default (via ADDRESS | GATEWAY) [dev IF] [recursive], PREFIX "
        "nexthop via ADDRESS [dev IF] [weight N] nexthop ..., or PREFIX "
        "blackhole|prohibit|unreachable|local"};
  const bool any6 = inet6 || std::ranges::any_of(words, [](const std::string& word) {
                      return word.find(':') != std::string::npos;
                    });
  Json params{{"prefix", words[1] == "default" && any6 ? "::/0" : words[1]}};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_value = i + 1 < words.size();
    if (word == "via" && has_value) {
      params["via"] = words[++i];
    } else if (word == "dev" && has_value) {
      params["interface"] = words[++i];
    } else if (std::ranges::find(kKinds, word) != kKinds.end()) {
      params["kind"] = word == "reject" ? "unreachable" : word;
    } else if (word == "recursive") {
      params["recursive"] = true;
    } else if (word == "nexthop") {
      params["nexthops"].push_back(read_next_hop(words, ++i));
      --i;
    } else if (i == 2 && word.find_first_not_of("0123456789.abcdefABCDEF:") == std::string::npos) {
      params["via"] = word;
    } else {
      throw UsageError{
          fmt::format("route add: \"{}\", expected via ADDRESS, dev IF, recursive, nexthop, "
                      "blackhole, prohibit, "
                      "unreachable or local",
                      word)};
    }
  }
  return Plan{"route.add", std::move(params)};
}
}  // namespace

namespace {
/// Takes "vrf NAME" out of the words. @return "": there was none.
std::string take_vrf(Words& words) {
  const auto at = std::ranges::find(words, "vrf");
  if (at == words.end()) return {};
  if (at + 1 == words.end()) throw UsageError{"route: vrf: expected a name behind it"};
  const std::string name = *(at + 1);
  words.erase(at, at + 2);
  return name;
}

Plan route_in_default(const Words& words, bool all) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1)
    return Plan{"route.list", Json::object(), all ? show_all : show};
  if (verb == "usage" && words.size() == 1)
    return Plan{"stats.usage", Json::object(), show_route_use};
  if (verb == "add") return add_route(words);
  if ((verb == "del" || verb == "delete") && words.size() == 3 && words[1] == "-inet6")
    return Plan{"route.delete", {{"prefix", words[2] == "default" ? "::/0" : words[2]}}};
  if ((verb == "del" || verb == "delete") && words.size() == 2)
    return Plan{"route.delete", {{"prefix", words[1]}}};
  if (verb == "get" && words.size() == 2)
    return Plan{"route.get", {{"destination", words[1]}}, show_answer};
  throw UsageError{
      "route: expected show, usage, add PREFIX ..., del PREFIX, get ADDRESS or load FILE"};
}
}  // namespace

Plan route(Words words, bool all, std::string vrf) {
  if (const std::string named = take_vrf(words); !named.empty()) vrf = named;
  Plan plan = route_in_default(words, all);
  for (Call& call : plan.calls)
    if (!vrf.empty() && call.method != "stats.usage") call.params["vrf"] = vrf;
  return plan;
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
  if (verb == "usage" && words.size() == 1)
    return Plan{"stats.usage", Json::object(), show_neighbor_use};
  if (verb == "add" && words.size() == 4)
    return Plan{"arp.add", {{"interface", words[1]}, {"address", words[2]}, {"mac", words[3]}}};
  if ((verb == "del" || verb == "delete") && words.size() == 3)
    return Plan{"arp.delete", {{"interface", words[1]}, {"address", words[2]}}};
  throw UsageError{"arp: expected show, usage, add IF ADDRESS MAC or del IF ADDRESS"};
}
}  // namespace plx
