// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
std::string drops(const Json& list, bool zeros) {
  Table table{{">Packets", "Layer", "Reason", "What"}};
  for (const Json& d : list)
    if (zeros || count_of(d, "packets") > 0)
      table.add(
          {text_of(d, "packets"), text_of(d, "layer"), text_of(d, "reason"), text_of(d, "text")});
  return table.empty() ? "no packet was dropped\n" : table.text();
}
std::string all_drops(const Json& list) {
  return drops(list, true);
}
std::string counted_drops(const Json& list) {
  return drops(list, false);
}

std::string stages(const Json& list) {
  Table table{{"Stage", ">Bursts", ">Packets", ">Packets/burst", "What"}};
  for (const Json& s : list) {
    const auto bursts = static_cast<double>(count_of(s, "bursts"));
    const auto packets = static_cast<double>(count_of(s, "packets"));
    table.add({text_of(s, "stage"), text_of(s, "bursts"), text_of(s, "packets"),
               bursts > 0 ? fmt::format("{:.1f}", packets / bursts) : "-", text_of(s, "text")});
  }
  return table.text();
}

std::string percent(const Json& object, const char* member) {
  return fmt::format("{:.1f}%", object.value(member, 0.0) * 100);
}
std::string workers(const Json& list) {
  Table table{{">Worker", ">CPU", ">Busy", ">Idle", ">Asleep", ">Packets"}};
  for (const Json& w : list)
    table.add({text_of(w, "worker"), text_of(w, "cpu"), percent(w, "busy"), percent(w, "idle"),
               percent(w, "sleep"), text_of(w, "packets")});
  return table.text();
}

std::string interfaces(const Json& list) {
  Table table{{"Interface", ">RxPackets", ">RxBytes", ">TxPackets", ">TxBytes", ">RxMissed",
               ">RxErrors", ">NoMbuf", ">TxErrors"}};
  for (const Json& i : list) {
    const Json rx = i.value("rx", Json::object()), tx = i.value("tx", Json::object());
    const Json device = i.value("device", Json::object());
    table.add({text_of(i, "name"), text_of(rx, "packets"), text_of(rx, "bytes"),
               text_of(tx, "packets"), text_of(tx, "bytes"), text_of(device, "rx_missed"),
               text_of(device, "rx_errors"), text_of(device, "rx_no_mbuf"),
               text_of(device, "tx_errors")});
  }
  return table.text();
}

std::string usage(const Json& list) {
  Table table{{"Table", ">Used", ">Limit"}};
  for (const Json& u : list)
    table.add({text_of(u, "table"), text_of(u, "used"), text_of(u, "limit")});
  return table.text();
}

std::string packets(const Json& p) {
  return fmt::format(
      "packets: {} for this host, {} of its own, {} held for a neighbour; {} events lost\n",
      text_of(p, "consumed"), text_of(p, "originated"), text_of(p, "held"),
      text_of(p, "events_lost"));
}

std::string summary(const Json& all) {
  return fmt::format("{}\n{}\nDrops\n{}\nWorkers (since they were last asked for)\n{}\n{}",
                     packets(all.at("packets")), interfaces(all.at("interfaces")),
                     counted_drops(all.at("drops")), workers(all.at("workers")),
                     usage(all.at("usage")));
}
std::string everything(const Json& all) {
  return fmt::format(
      "{}\n{}\nDrops\n{}\nStages\n{}\nWorkers (since they were last asked for)\n{}\n{}",
      packets(all.at("packets")), interfaces(all.at("interfaces")), all_drops(all.at("drops")),
      stages(all.at("stages")), workers(all.at("workers")), usage(all.at("usage")));
}
}  // namespace

Plan stats(const StatsQuery& q) {
  const int asked = q.drops + q.stages + q.workers + q.interfaces + q.usage;
  if (asked > 1)
    throw UsageError{"stats: expected one of --drops, --stages, --workers, --interfaces, --usage"};
  if (q.drops) return Plan{"stats.drops", Json::object(), q.all ? all_drops : counted_drops};
  if (q.stages) return Plan{"stats.stages", Json::object(), stages};
  // Shares of time are those since the last question: the first call begins a time of our own.
  if (q.workers) {
    Plan plan{"stats.workers", Json::object(), workers};
    plan.calls.push_back({"stats.workers", Json::object()});
    plan.pause_ms = 500;
    return plan;
  }
  if (q.interfaces) return Plan{"stats.interfaces", Json::object(), interfaces};
  if (q.usage) return Plan{"stats.usage", Json::object(), usage};
  return Plan{"stats", Json::object(), q.all ? everything : summary};
}

namespace {
std::string show_sysctls(const Json& list) {
  std::string out;
  for (const Json& s : list)
    out += fmt::format("{} = {}\n", text_of(s, "name"), text_of(s, "value"));
  return out;
}
std::string describe_sysctls(const Json& list) {
  std::string out;
  for (const Json& s : list)
    out += fmt::format("{} = {} ({} to {}): {}\n", text_of(s, "name"), text_of(s, "value"),
                       text_of(s, "min"), text_of(s, "max"), text_of(s, "description"));
  return out;
}
std::string show_changes(const Json& list) {
  std::string out;
  for (const Json& s : list)
    out += fmt::format("{}: {} -> {}\n", text_of(s, "name"), text_of(s, "before"),
                       text_of(s, "value"));
  return out;
}
std::int64_t sysctl_value(const std::string& text, const std::string& name) {
  if (text == "true") return 1;
  if (text == "false") return 0;
  std::size_t used = 0;
  std::int64_t value = 0;
  try {
    value = std::stoll(text, &used);
  } catch (const std::exception&) { used = 0; }
  if (used == 0 || used != text.size())
    throw UsageError{fmt::format("sysctl: {}={}: expected an integer", name, text)};
  return value;
}
}  // namespace

Plan sysctl(const Words& words, bool describe) {
  const auto show = describe ? describe_sysctls : show_sysctls;
  if (words.empty()) return Plan{"sysctl.list", Json::object(), show};
  Json values = Json::object();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = word.substr(0, equals);
    values[name] = sysctl_value(word.substr(equals + 1), name);
  }
  if (values.size() == words.size()) return Plan{"sysctl.set", {{"values", values}}, show_changes};
  if (words.size() == 1) return Plan{"sysctl.list", {{"prefix", words[0]}}, show};
  throw UsageError{"sysctl: expected -a, one NAME, or NAME=VALUE ..."};
}

namespace {
std::string show_version(const Json& v) {
  const std::string program = v.value("program", "polluxd");
  return fmt::format("pollux {} (git {}){}, DPDK {}, IPsec-MB {}\n", text_of(v, "pollux"),
                     text_of(v, "git"), program == "polluxd" ? "" : ", " + program,
                     text_of(v, "dpdk"), text_of(v, "ipsec_mb"));
}
}  // namespace

Plan version() {
  return Plan{"version", Json::object(), show_version};
}
}  // namespace plx
