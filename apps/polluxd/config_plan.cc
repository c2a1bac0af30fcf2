// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/config_plan.hh"

#include <fmt/format.h>

#include "apps/polluxd/config_planner.hh"

namespace polluxd {
ConfigPlan make_plan(Manager& manager, const ProcessConfig& process,
                     const std::shared_ptr<const ConfigFile>& wanted,
                     const DriverRegistry& drivers) {
  ConfigPlan plan;
  const Config now = manager.configuration();
  ConfigPlanner{manager, now, *wanted, drivers, plan}.run();
  compare_process(process, wanted->config, plan.restart);
  plan.wanted = wanted;
  return plan;
}

core::Expected<ConfigUndo> carry_out(const ConfigPlan& plan) {
  ConfigUndo undo;
  for (std::size_t n = 0; n < plan.steps.size(); ++n) {
    const ConfigStep& step = plan.steps[n];
    auto done = step.take();
    if (done) {
      undo.push(step.what, *std::move(done));
      continue;
    }
    const auto lost = undo.undo();
    std::string text = fmt::format("{}{}: {} (step {} of {}); ", step.place.of(""), step.what,
                                   done.error().context, n + 1, plan.steps.size());
    if (lost.empty()) {
      text += "nothing has changed";
    } else {
      text += "all before it was to be undone, but this could not be: ";
      for (const std::string& l : lost) text += (&l == lost.data() ? "" : "; ") + l;
    }
    return core::Error{done.error().code, text};
  }
  return undo;
}
}  // namespace polluxd
