// SPDX-License-Identifier: BSD-3-Clause
// Tunnels that come and go, and security associations: one that stays keeps its sequence number
// and its replay window; one that takes over comes before the other goes.
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/config_planner.hh"

namespace polluxd {
namespace {
using crypto::Direction;
}  // namespace

std::string describe(const SaConfig& sa) {
  std::string text{crypto::to_string(sa.algorithm)};
  if (sa.direction == Direction::In) text += fmt::format(", replay window {}", sa.replay_window);
  if (!sa.key_file.empty()) text += ", key from " + sa.key_file;
  return text;
}

void ConfigPlanner::park_sas() {
  for (const SaConfig& sa : now_.sas)
    if (!kept_.contains(sa.tunnel)) {
      steps_.remove(sa);
      removed_sas_.insert(key_of(sa));
    }
}

void ConfigPlanner::destroy_tunnels() {
  for (const TunnelConfig& t : now_.tunnels) {
    if (kept_.contains(t.name) && tunnels_.contains(t.name)) continue;
    const auto then = wanted_tunnels_.find(t.name);
    if (then == wanted_tunnels_.end())
      change(Sign::Remove, "tunnel", t.name, describe(t));
    else
      change(Sign::Modify, "tunnel", t.name,
             fmt::format("made anew: {} -> {}", describe(t), describe(*then->second)));
    steps_.destroy(t);
  }
}

void ConfigPlanner::create_tunnels() {
  for (std::size_t n = 0; n < want_.tunnels.size(); ++n) {
    const TunnelConfig& t = want_.tunnels[n];
    if (kept_.contains(t.name)) continue;
    if (!tunnels_.contains(t.name)) change(Sign::Add, "tunnel", t.name, describe(t));
    steps_.at(place(file_.tunnels, n));
    steps_.create(t);
  }
}

/// What makes it another SA; empty: it stays. The key itself is not in it.
std::string ConfigPlanner::sa_difference(const SaConfig& now, const SaConfig& then) const {
  if (now.algorithm != then.algorithm)
    return fmt::format("{} -> {}", crypto::to_string(now.algorithm),
                       crypto::to_string(then.algorithm));
  if (now.direction == Direction::In && now.replay_window != then.replay_window)
    return fmt::format("replay window {} -> {}", now.replay_window, then.replay_window);
  return m_.sa_has_key(sa_ids_.at(key_of(now)), then.key) ? "" : "another key";
}

void ConfigPlanner::exchange_sas() {
  std::map<std::uint32_t, const SaConfig*> inbound;  // what would be in the way
  for (const SaConfig& sa : now_.sas)
    if (sa.direction == Direction::In) inbound[sa.spi] = &sa;
  const auto remove = [&](const SaConfig& sa) {
    if (removed_sas_.insert(key_of(sa)).second) steps_.remove(sa);
  };
  for (const SaConfig& sa : now_.sas)
    if (!wanted_sas_.contains(key_of(sa))) change(Sign::Remove, "sa", sa_name(sa), describe(sa));

  for (std::size_t n = 0; n < want_.sas.size(); ++n) {
    const SaConfig& then = want_.sas[n];
    steps_.at(place(file_.sas, n));
    if (const auto now = sas_.find(key_of(then)); now != sas_.end()) {
      const std::string why = sa_difference(*now->second, then);
      const bool gone = removed_sas_.contains(now->first);
      if (why.empty() && !gone) continue;
      change(Sign::Modify, "sa", sa_name(then),
             "made anew: " + (why.empty() ? "its tunnel is" : why));
      remove(*now->second);
    } else {
      change(Sign::Add, "sa", sa_name(then), describe(then));
    }
    if (const auto other = inbound.find(then.spi);
        then.direction == Direction::In && other != inbound.end())
      remove(*other->second);
    steps_.add(then);
  }
  steps_.at({});
  for (const SaConfig& sa : now_.sas)
    if (!wanted_sas_.contains(key_of(sa))) remove(sa);
}

/// The last outbound SA of a tunnel is the one in use.
void ConfigPlanner::order_sas() {
  std::map<std::string, std::vector<std::uint32_t>> now, then;
  for (const SaConfig& sa : now_.sas)
    if (sa.direction == Direction::Out && !removed_sas_.contains(key_of(sa)))
      now[sa.tunnel].push_back(sa.spi);
  for (const SaConfig& sa : want_.sas) {
    if (sa.direction != Direction::Out) continue;
    then[sa.tunnel].push_back(sa.spi);
    const bool stayed = sas_.contains(key_of(sa)) && !removed_sas_.contains(key_of(sa));
    if (!stayed) now[sa.tunnel].push_back(sa.spi);
  }
  for (const auto& [tunnel, order] : then) {
    if (now[tunnel] == order) continue;
    const std::string prefix = tunnel + " out ";
    // Where others come or go as well, their lines say enough.
    if (std::ranges::none_of(plan_.changes, [&](const ConfigChange& c) {
          return c.group == "sa" && c.name.starts_with(prefix);
        }))
      change(Sign::Modify, "tunnel", tunnel,
             fmt::format("outbound SA in use: 0x{:08x}", order.back()));
    steps_.order_outbound(tunnel, order);
  }
}
}  // namespace polluxd
