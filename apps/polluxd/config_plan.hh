// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/manager.hh"

namespace polluxd {
/// One difference between what runs and what is wanted, for people.
struct ConfigChange {
  enum class Sign : char { Add = '+', Remove = '-', Modify = '~' };
  Sign sign;
  std::string group;  ///< "interface", "tunnel", "sa", "route", "neighbor", "sysctl"
  std::string name;   ///< of the object within its group
  std::string text;   ///< what it is, or what changes; may be empty
};

/// A step that has been taken.
struct ConfigStepDone {
  std::function<core::Expected<>()> undo;
  std::function<void()> keep;  ///< called once there is no way back; may be empty
};
/// A step on the way from the one to the other. It is taken whole or changes nothing.
struct ConfigStep {
  std::string what;   ///< "interface lan1: create"
  ConfigPlace place;  ///< of what asks for it; none for what goes
  std::function<core::Expected<ConfigStepDone>()> take;
};

struct ConfigPlan {
  std::vector<ConfigChange> changes;
  std::vector<std::string> restart;          ///< "limits.mbufs: 8192, in the file 16384"
  std::vector<ConfigStep> steps;             ///< in an order that works
  std::shared_ptr<const ConfigFile> wanted;  ///< the steps look into it
  [[nodiscard]] bool nothing() const noexcept { return changes.empty() && restart.empty(); }
};

/// Compares the running configuration with a wanted one. Nothing is changed; nor does anything
/// change, when the plan is carried out, that is the same in both: it keeps its state and its
/// traffic.
/// @param wanted  completed (config_check.hh); the plan's steps share it. Its keys are compared
/// with those in use without either being shown.
[[nodiscard]] ConfigPlan make_plan(Manager& manager, const ProcessConfig& process,
                                   const std::shared_ptr<const ConfigFile>& wanted,
                                   const DriverRegistry& drivers);

/// Steps that have been taken and can still be undone.
class ConfigUndo {
public:
  void push(std::string what, ConfigStepDone done) {
    taken_.push_back({std::move(what), std::move(done)});
  }
  /// Undoes all, the last first, as far as it goes. @return what could not be undone, and why.
  std::vector<std::string> undo();
  /// Gives the way back up.
  void keep();

private:
  struct Taken {
    std::string what;
    ConfigStepDone done;
  };
  std::vector<Taken> taken_;
};

/// Carries a plan out, all or nothing.
/// @return how to undo it | the error of the first step that failed, after all before it have been
/// undone: which one, where in the file, why, and that nothing has changed, or what has.
core::Expected<ConfigUndo> carry_out(const ConfigPlan& plan);
}  // namespace polluxd
