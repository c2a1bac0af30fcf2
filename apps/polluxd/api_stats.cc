// SPDX-License-Identifier: BSD-3-Clause
// stats.*, sysctl.*, version: what is counted, what can be tuned, what runs.
#include <algorithm>
#include <array>
#include <set>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/version.hh"
#include "core/drop_reason.hh"
#include "core/stage.hh"

namespace polluxd {
namespace {
Json drops_json(const Totals& totals) {
  Json array = Json::array();
  const std::size_t n = std::min(totals.drops.size(), core::kDropReasons);
  for (std::size_t i = 0; i < n; ++i) {
    const core::DropInfo& reason = core::kDropInfo[i];
    array.push_back({{"reason", reason.name},
                     {"layer", reason.layer},
                     {"text", reason.text},
                     {"packets", totals.drops[i]}});
  }
  return array;
}

Json stages_json(const Totals& totals) {
  Json array = Json::array();
  const std::size_t n = std::min(totals.stages.size(), core::kStages);
  for (std::size_t i = 0; i < n; ++i)
    array.push_back({{"stage", core::kStageInfo[i].name},
                     {"text", core::kStageInfo[i].what},
                     {"bursts", totals.stages[i].bursts},
                     {"packets", totals.stages[i].packets}});
  return array;
}

Json packets_json(const Totals& totals) {
  return {{"consumed", totals.consumed},
          {"originated", totals.originated},
          {"held", totals.held},
          {"events_lost", totals.events_lost}};
}

Json workers_json(Manager& manager) {
  Json array = Json::array();
  for (const WorkerLoad& w : manager.worker_load())
    array.push_back({{"worker", w.worker},
                     {"cpu", w.cpu},
                     {"busy", w.busy},
                     {"idle", w.idle},
                     {"sleep", w.sleep},
                     {"packets", w.packets}});
  return array;
}

Json traffic_json(const Totals::Traffic& t) {
  return {{"packets", t.packets}, {"bytes", t.bytes}};
}

Json interfaces_json(const Manager& manager) {
  Json array = Json::array();
  for (const auto& [name, totals] : manager.interface_totals())
    array.push_back({{"name", name},
                     {"rx", traffic_json(totals.rx)},
                     {"tx", traffic_json(totals.tx)},
                     {"device",
                      {{"rx_missed", totals.device.rx_missed},
                       {"rx_errors", totals.device.rx_errors},
                       {"tx_errors", totals.device.tx_errors},
                       {"rx_no_mbuf", totals.device.rx_no_mbuf}}}});
  return array;
}

Json usage_json(const Manager& manager) {
  Json array = Json::array();
  for (const UseAgainstLimit& u : manager.usage())
    array.push_back({{"table", u.table}, {"used", u.used}, {"limit", u.limit}});
  return array;
}

Json stats_all(Manager& manager, Params& params) {
  params.done();
  const Totals totals = manager.totals();
  return {{"packets", packets_json(totals)},        {"drops", drops_json(totals)},
          {"stages", stages_json(totals)},          {"workers", workers_json(manager)},
          {"interfaces", interfaces_json(manager)}, {"usage", usage_json(manager)}};
}
Json stats_drops(Manager& manager, Params& params) {
  params.done();
  return drops_json(manager.totals());
}
Json stats_stages(Manager& manager, Params& params) {
  params.done();
  return stages_json(manager.totals());
}
Json stats_workers(Manager& manager, Params& params) {
  params.done();
  return workers_json(manager);
}
Json stats_interfaces(Manager& manager, Params& params) {
  params.done();
  return interfaces_json(manager);
}
Json stats_usage(Manager& manager, Params& params) {
  params.done();
  return usage_json(manager);
}

Json to_json(const core::SysctlNode& node) {
  return {{"name", node.name},
          {"value", node.value},
          {"min", node.min},
          {"max", node.max},
          {"description", node.description}};
}

Json sysctl_list(Manager& manager, Params& params) {
  const std::string prefix = params.text("prefix", "");
  params.done();
  Json array = Json::array();
  for (const core::SysctlNode& node : manager.sysctl().list(prefix)) array.push_back(to_json(node));
  if (!prefix.empty() && array.empty()) done_or_throw(manager.sysctl().get(prefix));
  return array;
}

Json sysctl_get(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  params.done();
  return {{"name", name}, {"value", done_or_throw(manager.sysctl().get(name))}};
}

/// All or none: every name is looked up first, and a refusal takes back what was set before it.
Json sysctl_set(Manager& manager, Params& params) {
  const auto values = params.integers("values");
  params.done();
  if (values.empty()) bad_params("values is empty, expected at least one");
  std::vector<std::int64_t> before;
  for (const auto& [name, value] : values)
    before.push_back(done_or_throw(manager.sysctl().get(name)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto result = manager.set_sysctl(values[i].first, values[i].second);
    if (result) continue;
    for (std::size_t back = i; back-- > 0;)
      static_cast<void>(manager.set_sysctl(values[back].first, before[back]));
    throw refusal(result.error());
  }
  Json array = Json::array();
  for (std::size_t i = 0; i < values.size(); ++i)
    array.push_back(
        {{"name", values[i].first}, {"value", values[i].second}, {"before", before[i]}});
  return array;
}

Json version(Manager&, Params& params) {
  params.done();
  const Versions v = versions();
  return {{"program", kProgram},
          {"pollux", v.pollux},
          {"git", v.git},
          {"dpdk", v.dpdk},
          {"ipsec_mb", v.ipsec_mb}};
}

constexpr std::array kMethods{
    Method{"stats", stats_all},
    Method{"stats.drops", stats_drops},
    Method{"stats.stages", stats_stages},
    Method{"stats.workers", stats_workers},
    Method{"stats.interfaces", stats_interfaces},
    Method{"stats.usage", stats_usage},
    Method{"sysctl.list", sysctl_list},
    Method{"sysctl.get", sysctl_get},
    Method{"sysctl.set", sysctl_set},
    Method{"version", version},
};
}  // namespace

std::span<const Method> stats_methods() {
  return kMethods;
}
}  // namespace polluxd
