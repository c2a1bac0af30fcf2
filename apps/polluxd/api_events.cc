// SPDX-License-Identifier: BSD-3-Clause
// events.*: what happens to interfaces and drivers, told as it happens.
#include "apps/polluxd/api_events.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <chrono>

#include "apps/polluxd/api_method.hh"

namespace polluxd {
namespace {
using Kind = ManagerEvent::Kind;
constexpr std::array kKinds{
    Kind::InterfaceCreated, Kind::InterfaceDestroyed, Kind::InterfaceRenamed,
    Kind::InterfaceUp,      Kind::InterfaceDown,      Kind::LinkUp,
    Kind::LinkDown,         Kind::DeviceGone,         Kind::DeviceBack,
    Kind::AddressAdded,     Kind::AddressDeleted,     Kind::AddressDuplicated,
    Kind::DriverLoaded,     Kind::DriverUnloaded};

constexpr Subscriptions::Kinds bit(Kind kind) noexcept {
  return Subscriptions::Kinds{1} << static_cast<unsigned>(kind);
}

/// RFC 3339, UTC, microseconds.
std::string time_now() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto us = duration_cast<microseconds>(now.time_since_epoch()).count() % 1'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(now)), us);
}

/// A kind, or what stands before the dot of several: "link" is "link.up" and "link.down".
Subscriptions::Kinds parse_kinds(std::string_view text) {
  Subscriptions::Kinds found = 0;
  for (const Kind kind : kKinds) {
    const std::string_view name = to_text(kind);
    if (name == text || name.substr(0, name.find('.')) == text) found |= bit(kind);
  }
  if (found != 0) return found;
  std::vector<std::string_view> names;
  for (const Kind kind : kKinds) names.push_back(to_text(kind));
  bad_params(
      fmt::format("kinds: no kind of event \"{}\", expected interface, link, device, "
                  "address, driver, or one of {}",
                  text.substr(0, 64), fmt::join(names, ", ")));
}

Json subscribe(Manager& /*manager*/, Params& params, const Caller& caller) {
  Subscriptions::Kinds kinds = 0;
  for (const std::string& text : params.texts("kinds")) kinds |= parse_kinds(text);
  params.done();
  if (kinds == 0)
    for (const Kind kind : kKinds) kinds |= bit(kind);
  // The answer of a batch may come late; what happens meanwhile would stand before it.
  if (caller.batch)
    throw CallError{CallError::kInvalidRequest, "events.subscribe: not within a batch"};
  caller.subscriptions.add(caller.token, kinds);
  Json names = Json::array();
  for (const Kind kind : kKinds)
    if ((kinds & bit(kind)) != 0) names.push_back(to_text(kind));
  return Json{{"kinds", std::move(names)}};
}

constexpr std::array kMethods{
    Method{.name = "events.subscribe", .call_from = subscribe},
};
}  // namespace

std::string_view to_text(ManagerEvent::Kind kind) noexcept {
  switch (kind) {
    case Kind::InterfaceCreated: return "interface.created";
    case Kind::InterfaceDestroyed: return "interface.destroyed";
    case Kind::InterfaceRenamed: return "interface.renamed";
    case Kind::InterfaceUp: return "interface.up";
    case Kind::InterfaceDown: return "interface.down";
    case Kind::LinkUp: return "link.up";
    case Kind::LinkDown: return "link.down";
    case Kind::DeviceGone: return "device.gone";
    case Kind::DeviceBack: return "device.back";
    case Kind::AddressAdded: return "address.added";
    case Kind::AddressDeleted: return "address.deleted";
    case Kind::AddressDuplicated: return "address.duplicated";
    case Kind::DriverLoaded: return "driver.loaded";
    case Kind::DriverUnloaded: return "driver.unloaded";
  }
  return "unknown";
}

void Subscriptions::add(Token token, Kinds kinds) {
  const auto [at, first] = kinds_.try_emplace(token, 0);
  at->second |= kinds;
  if (first && server_ != nullptr) server_->subscribe(token);
}

void Subscriptions::hold(bool on) {
  holding_ = on;
  if (on) return;
  const auto held = std::exchange(held_, {});
  for (const Told& what : held) tell(what);
}

void Subscriptions::take(const ManagerEvent& event) {
  if (kinds_.empty() && !holding_) return;  // a request being done may be the first subscription
  Json told{{"jsonrpc", "2.0"},
            {"method", "event"},
            {"params",
             {{"time", time_now()},
              {"kind", to_text(event.kind)},
              {"subject", event.subject},
              {"detail", event.detail}}}};
  Told what{bit(event.kind), told.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'};
  if (holding_) {
    held_.push_back(std::move(what));
  } else {
    tell(what);
  }
}

void Subscriptions::tell(const Told& what) {
  if (server_ == nullptr) return;
  // A client that is disconnected for not reading is forgotten meanwhile.
  std::vector<Token> wanted;
  for (const auto& [token, kinds] : kinds_)
    if ((kinds & what.kind) != 0) wanted.push_back(token);
  for (const Token token : wanted) server_->send(token, what.line);
}

std::span<const Method> event_methods() {
  return kMethods;
}
}  // namespace polluxd
