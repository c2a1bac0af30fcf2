// SPDX-License-Identifier: BSD-3-Clause
// Drivers, devices, and the workers that poll their queues.
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
/// "a, b, c", or "-".
std::string list_of(const Json& object, const char* member) {
  std::string text;
  for (const Json& item : object.value(member, Json::array()))
    text += (text.empty() ? "" : ", ") + item.get<std::string>();
  return text.empty() ? "-" : text;
}

std::string state_of(const Json& driver) {
  if (text_of(driver, "file") == "-") return "built in";
  if (!driver.value("loaded", false)) return "-";
  return driver.value("resident", false) ? "resident" : "loaded";
}

std::string show_drivers(const Json& drivers) {
  Table table{{"Name", "Version", "State", ">Refs", "Interfaces", "What"}};
  for (const Json& d : drivers)
    table.add({text_of(d, "name"), text_of(d, "version"), state_of(d), text_of(d, "references"),
               list_of(d, "interfaces"), text_of(d, "description")});
  return table.text();
}

std::string show_driver(const Json& drivers) {
  std::string out;
  for (const Json& d : drivers) {
    out +=
        fmt::format("{}: {}\n\tversion {} interface {} state {}\n\tfile {}\n\tinterfaces {}\n\n",
                    text_of(d, "name"), text_of(d, "description"), text_of(d, "version"),
                    text_of(d, "abi"), state_of(d), text_of(d, "file"), list_of(d, "interfaces"));
    Table table{{"Option", "Type", "Default", "What"}};
    for (const Json& o : d.value("options", Json::array()))
      table.add({text_of(o, "name"), text_of(o, "type"),
                 o.value("required", false) ? "(required)" : text_of(o, "default"),
                 text_of(o, "help")});
    out += table.empty() ? "no options\n" : table.text();
  }
  return out;
}

std::string link_of(const Json& nic) {
  if (nic.value("absent", false)) return "none: the device is gone";
  std::string text = nic.value("link", Json{}).is_boolean() ? nic["link"] ? "up" : "down" : "-";
  if (const std::uint64_t speed = count_of(nic, "speed_mbps"); speed != 0)
    text += fmt::format(", {} Mbit/s", speed);
  return text;
}

std::string show_nics(const Json& nics) {
  std::string out;
  for (const Json& n : nics) {
    out += fmt::format("{}:\n", text_of(n, "name"));
    const auto line = [&](const char* what, const std::string& value) {
      out += fmt::format("\t{:<13}{}\n", what, value);
    };
    line("driver", text_of(n, "driver"));
    line("object", text_of(n, "object"));
    line("pmd", text_of(n, "pmd"));
    line("device", text_of(n, "device"));
    line("NUMA node", text_of(n, "numa_node"));
    line("link", link_of(n));
    line("ether", text_of(n, "mac"));
    line("MTU", text_of(n, "mtu"));
    line("promiscuous", n.value("promiscuous", false) ? "yes" : "no");
    line("capabilities", list_of(n, "capabilities"));
    line("offloads", list_of(n, "offloads"));
    line("queues", fmt::format("{} rx, {} tx", count_of(n, "rx_queues"), count_of(n, "tx_queues")));
    for (const Json& q : n.value("queues", Json::array()))
      line("", fmt::format("rx {} by worker {}{}", text_of(q, "queue"), text_of(q, "worker"),
                           q.value("pinned", false) ? " (pinned)" : ""));
    line("RSS", text_of(n, "rss"));
    const Json xstats = n.value("xstats", Json::object());
    for (const auto& [name, value] : xstats.items())
      line("xstat", fmt::format("{} {}", name, value.dump()));
  }
  return out;
}

std::string show_queues(const Json& queues) {
  Table table{{"Interface", ">Queue", ">Worker", "Assigned"}};
  for (const Json& q : queues)
    table.add({text_of(q, "interface"), text_of(q, "queue"), text_of(q, "worker"),
               q.value("pinned", false) ? "by hand" : "evenly"});
  return table.text();
}

std::string show_moved(const Json& result) {
  const std::uint64_t moved = count_of(result, "moved");
  return fmt::format("{} queue{} moved\n", moved, moved == 1 ? "" : "s");
}
}  // namespace

Plan driver(const Words& words) {
  const bool show = words.empty() || words[0] == "show";
  if (show && words.size() <= 1) return Plan{"driver.list", Json::object(), show_drivers};
  if (show && words.size() == 2) return Plan{"driver.list", {{"name", words[1]}}, show_driver};
  throw UsageError{"driver: expected show [NAME]"};
}

Plan nicinfo(const Words& words) {
  if (words.empty()) return Plan{"interface.nicinfo", Json::object(), show_nics};
  if (words.size() == 1) return Plan{"interface.nicinfo", {{"name", words[0]}}, show_nics};
  throw UsageError{"nicinfo: expected one interface"};
}

Plan worker(const Words& words) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1)
    return Plan{"worker.queues", Json::object(), show_queues};
  if (verb == "spread" && words.size() == 1)
    return Plan{"worker.spread", Json::object(), show_moved};
  if (verb == "assign" && words.size() == 4)
    return Plan{"worker.assign",
                {{"interface", words[1]},
                 {"queue", number(words[2], "QUEUE")},
                 {"worker", number(words[3], "WORKER")}}};
  throw UsageError{"worker: expected show, spread or assign IF QUEUE WORKER"};
}
}  // namespace plx
