// SPDX-License-Identifier: BSD-3-Clause
// driver.*: the driver objects; worker.*: who polls which receive queue.
#include <array>

#include "apps/polluxd/api_method.hh"

namespace polluxd {
namespace {
std::string_view to_text(pollux_option_type type) noexcept {
  switch (type) {
    case POLLUX_OPTION_STRING: return "text";
    case POLLUX_OPTION_UINT: return "number";
    case POLLUX_OPTION_REST: return "rest";
  }
  return "text";
}

Json to_json(const DriverOption& o) {
  Json object{{"name", o.name},
              {"type", to_text(o.type)},
              {"required", !o.default_value},
              {"help", o.help}};
  object["default"] =
      o.default_value && !o.default_value->empty() ? Json(*o.default_value) : Json(nullptr);
  return object;
}

Json to_json(const DriverInfo& d) {
  Json options = Json::array();
  for (const DriverOption& o : d.object.options) options.push_back(to_json(o));
  return Json{{"name", d.object.name},         {"description", d.object.description},
              {"version", d.object.version},   {"abi", d.object.abi},
              {"file", d.object.file},         {"loaded", d.object.loaded || d.object.file.empty()},
              {"resident", d.object.resident}, {"references", d.object.references},
              {"interfaces", d.interfaces},    {"options", std::move(options)}};
}

Json list_drivers(Manager& manager, Params& params) {
  const std::string name = params.text("name", "");
  params.done();
  Json array = Json::array();
  std::string names;
  for (const DriverInfo& d : manager.drivers()) {
    if (name.empty() || d.object.name == name) array.push_back(to_json(d));
    names += (names.empty() ? "" : ", ") + d.object.name;
  }
  if (!name.empty() && array.empty())
    throw refusal(
        {core::Errc::NotFound, "no driver \"" + name.substr(0, 64) + "\"; there are: " + names});
  return array;
}

Json list_queues(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const QueueInfo& q : manager.queues())
    array.push_back({{"interface", q.interface},
                     {"queue", q.queue},
                     {"worker", q.worker},
                     {"pinned", q.pinned}});
  return array;
}

Json spread(Manager& manager, Params& params) {
  params.done();
  return Json{{"moved", manager.spread_queues()}};
}

Json assign(Manager& manager, Params& params) {
  constexpr std::uint32_t kMax = UINT16_MAX;
  const std::string interface = params.text("interface");
  const auto queue = static_cast<std::uint16_t>(params.number("queue", 0, kMax));
  const auto worker = static_cast<std::uint16_t>(params.number("worker", 0, kMax));
  params.done();
  done_or_throw(manager.assign_queue(interface, queue, worker));
  return Json::object();
}

constexpr std::array kMethods{
    Method{"driver.list", list_drivers},
    Method{"worker.queues", list_queues},
    Method{"worker.spread", spread},
    Method{"worker.assign", assign},
};
}  // namespace

std::span<const Method> driver_methods() {
  return kMethods;
}
}  // namespace polluxd
