// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
std::string use(const Json& table) {
  return fmt::format("{} / {}", count_of(table, "used"), count_of(table, "limit"));
}

std::string show(const Json& vrfs) {
  Table table{{"VRF", ">Id", ">IPv4 routes", ">IPv6 routes", "Interfaces"}};
  for (const Json& v : vrfs) {
    std::string interfaces;
    for (const Json& name : v.value("interfaces", Json::array()))
      interfaces += fmt::format("{}{}", interfaces.empty() ? "" : " ", name.get<std::string>());
    table.add({text_of(v, "name"), text_of(v, "id"), use(v.value("routes", Json::object())),
               use(v.value("routes6", Json::object())), interfaces});
  }
  return table.text();
}
}  // namespace

Plan vrf(const Words& words) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1) return Plan{"vrf.list", Json::object(), show};
  if (verb == "add" && words.size() == 2) return Plan{"vrf.add", {{"name", words[1]}}};
  if (verb == "add" && words.size() == 4 && words[2] == "id")
    return Plan{"vrf.add", {{"name", words[1]}, {"id", number(words[3], "id")}}};
  if ((verb == "del" || verb == "delete") && words.size() == 2)
    return Plan{"vrf.delete", {{"name", words[1]}}};
  throw UsageError{"vrf: expected show, add NAME [id N] or delete NAME"};
}
}  // namespace plx
