// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
std::string flags(const Json& i) {
  std::string text = i.value("up", false) ? "UP" : "DOWN";
  if (i.contains("link") && i["link"].is_boolean()) text += i["link"] ? ",RUNNING" : ",NO-CARRIER";
  if (i.value("kind", "") == "tunnel") text += ",POINTOPOINT";
  return text;
}

std::string show(const Json& interfaces) {
  std::string out;
  for (const Json& i : interfaces) {
    out += fmt::format("{}: flags=<{}> mtu {}\n", text_of(i, "name"), flags(i), text_of(i, "mtu"));
    if (i.contains("mac")) out += fmt::format("\tether {}\n", text_of(i, "mac"));
    for (const Json& address : i.value("addresses", Json::array()))
      out += fmt::format("\tinet {}\n", address.get<std::string>());
    out += fmt::format("\tdriver {} device {}", text_of(i, "driver"), text_of(i, "device"));
    if (i.value("kind", "") == "ethernet")
      out += fmt::format(" queues {} rx {} tx", count_of(i, "rx_queues"), count_of(i, "tx_queues"));
    out += '\n';
  }
  return out;
}
}  // namespace

Plan ifconfig(const Words& words) {
  if (words.empty()) return Plan{"interface.list", Json::object(), show};
  const std::string& name = words[0];
  if (words.size() == 1) return Plan{"interface.list", {{"name", name}}, show};
  if (words[1] == "destroy") {
    if (words.size() > 2) throw UsageError{"ifconfig: destroy stands alone"};
    return Plan{"interface.destroy", {{"name", name}}};
  }
  Plan plan;
  Json set{{"name", name}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool has_value = i + 1 < words.size();
    if (word == "up" || word == "down") {
      set["up"] = word == "up";
    } else if (word == "mtu" && has_value) {
      set["mtu"] = number(words[++i], "mtu");
    } else if (word == "inet" && has_value) {
      Call call{"interface.address.add", {{"name", name}, {"address", words[++i]}}};
      if (i + 1 < words.size() && words[i + 1] == "delete") {
        call.method = "interface.address.delete";
        ++i;
      }
      plan.calls.push_back(std::move(call));
    } else {
      throw UsageError{fmt::format(
          "ifconfig: \"{}\", expected inet ADDRESS/LENGTH [delete], up, down, mtu N or destroy",
          word)};
    }
  }
  if (set.size() > 1) plan.calls.push_back({"interface.set", std::move(set)});
  return plan;
}
}  // namespace plx
