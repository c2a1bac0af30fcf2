// SPDX-License-Identifier: BSD-3-Clause
// vrf.*: routing tables of their own.
#include <array>

#include "apps/polluxd/api_method.hh"

namespace polluxd {
namespace {
Json list(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const VrfInfo& v : manager.vrfs())
    array.push_back({{"name", v.spec.name},
                     {"id", v.spec.id},
                     {"interfaces", v.interfaces},
                     {"routes", {{"used", v.routes}, {"limit", v.limit}}},
                     {"routes6", {{"used", v.routes6}, {"limit", v.limit6}}}});
  return array;
}

Json add(Manager& manager, Params& params) {
  VrfSpec spec;
  spec.name = params.text("name");
  spec.id = static_cast<std::uint16_t>(params.number("id", 1, 65534, 0));
  params.done();
  done_or_throw(manager.add_vrf(spec));
  return {{"name", spec.name}, {"id", *manager.find_vrf(spec.name)}};
}

Json remove(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  params.done();
  done_or_throw(manager.delete_vrf(name));
  return Json::object();
}

constexpr std::array kMethods{
    Method{"vrf.list", list},
    Method{"vrf.add", add},
    Method{"vrf.delete", remove},
};
}  // namespace

std::span<const Method> vrf_methods() {
  return kMethods;
}
}  // namespace polluxd
