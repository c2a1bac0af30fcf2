// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/configuration.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/polluxd/config_save.hh"
#include "core/log.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;

constexpr std::uint64_t kSecond_us = 1'000'000;
}  // namespace

core::Expected<ConfigPlan> Configuration::plan(ConfigFile wanted) const {
  add_command_line(wanted, line_, drivers_);
  if (const auto complaints = complete_config(wanted, drivers_); !complaints.empty())
    return Error{Errc::Invalid, fmt::format("{}", fmt::join(complaints, "\n"))};
  return make_plan(manager_, process_, std::make_shared<const ConfigFile>(std::move(wanted)),
                   drivers_);
}

core::Expected<ConfigPlan> Configuration::apply(ConfigFile wanted,
                                                std::optional<std::uint32_t> confirm_s) {
  if (const auto left = waits_s())
    return Error{Errc::Invalid,
                 fmt::format("the last configuration waits to be confirmed, for {} s more: confirm "
                             "it, or wait until it is undone",
                             *left)};
  auto made = plan(std::move(wanted));
  if (!made) return made;
  auto undo = carry_out(*made);
  if (!undo) return undo.error();
  // Also of SAs that stay: the file may name another path to the same key.
  manager_.set_key_files(made->wanted->config.sas);
  if (confirm_s && !made->steps.empty())
    waiting_.emplace(Waiting{*std::move(undo), now_us_ + *confirm_s * kSecond_us});
  else
    undo->keep();
  return made;
}

core::Expected<> Configuration::confirm() {
  if (!waiting_) return Error{Errc::NotFound, "no configuration waits to be confirmed"};
  waiting_->undo.keep();
  waiting_.reset();
  core::log::info("configuration confirmed");
  return core::Done{};
}

std::optional<std::uint64_t> Configuration::waits_s() const {
  if (!waiting_) return std::nullopt;
  const std::uint64_t left = waiting_->deadline_us > now_us_ ? waiting_->deadline_us - now_us_ : 0;
  return (left + kSecond_us - 1) / kSecond_us;
}

void Configuration::poll(std::uint64_t now_us) {
  now_us_ = now_us;
  if (!waiting_ || now_us < waiting_->deadline_us) return;
  core::log::warning("configuration not confirmed in time: it is undone");
  for (const std::string& failed : waiting_->undo.undo())
    core::log::warning("could not be undone: {}", failed);
  waiting_.reset();
}

Configuration::Saved Configuration::save() const {
  Config config = manager_.configuration();
  static_cast<ProcessConfig&>(config) = process_;
  Saved saved;
  saved.text = to_toml(config);
  for (SaConfig& sa : config.sas)
    if (sa.key_file.empty()) saved.without_key.push_back(std::move(sa));
  return saved;
}
}  // namespace polluxd
