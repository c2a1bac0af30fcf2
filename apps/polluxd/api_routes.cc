// SPDX-License-Identifier: BSD-3-Clause
// route.*, arp.*, ping: where packets go.
#include <fmt/format.h>

#include <array>
#include <map>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
std::string_view to_text(proto::NextHopKind kind) noexcept {
  using K = proto::NextHopKind;
  switch (kind) {
    case K::NoRoute: return "no-route";
    case K::Blackhole: return "blackhole";
    case K::Prohibited: return "prohibit";
    case K::Martian: return "martian";
    case K::Multicast: return "multicast";
    case K::Broadcast: return "broadcast";
    case K::Local: return "local";
    case K::Glean: return "connected";
    case K::Incomplete: return "incomplete";
    case K::Failed: return "failed";
    case K::Reachable: return "reachable";
    case K::Tunnel: return "tunnel";
    case K::Group: return "group";
    case K::Changing: return "changing";
  }
  return "unknown";
}
std::string_view to_text(proto::RouteOrigin origin) noexcept {
  using O = proto::RouteOrigin;
  switch (origin) {
    case O::Local: return "local";
    case O::Connected: return "connected";
    case O::Static: return "static";
    case O::Advertised: return "advertised";
    case O::Neighbor: return "neighbor";
    case O::Builtin: return "builtin";
  }
  return "unknown";
}

/// An interface's name by its id; "" where it has none.
class Names {
public:
  explicit Names(const Manager& manager) {
    for (const InterfaceInfo& i : manager.interfaces()) names_[i.id] = i.name;
  }
  [[nodiscard]] std::string operator[](core::InterfaceId id) const {
    const auto at = names_.find(id);
    return at == names_.end() ? std::string{} : at->second;
  }

private:
  std::map<core::InterfaceId, std::string> names_;
};

Json address_or_null(const std::optional<core::IpAddress>& address) {
  return address ? Json(proto::to_string(*address)) : Json(nullptr);
}

Json route_list(Manager& manager, Params& params) {
  const std::string vrf = params.text("vrf", "");
  params.done();
  (void)done_or_throw(manager.find_vrf(vrf));
  const Names names{manager};
  Json array = Json::array();
  for (const RouteListing& r : manager.routes(vrf)) {
    array.push_back({{"prefix", proto::to_string(r.prefix)},
                     {"origin", to_text(r.origin)},
                     {"kind", to_text(r.kind)},
                     {"interface", names[r.interface]},
                     {"via", address_or_null(r.gateway)},
                     {"packets", r.packets},
                     {"bytes", r.bytes}});
    if (!r.vrf.empty()) array.back()["vrf"] = r.vrf;
    if (r.recursive) array.back()["recursive"] = true;
    for (const NextHopInfo& n : r.next_hops)
      array.back()["nexthops"].push_back({{"via", address_or_null(n.hop.gateway)},
                                          {"interface", n.hop.interface},
                                          {"weight", n.hop.weight},
                                          {"resolved_via", address_or_null(n.via)},
                                          {"resolved_interface", n.interface},
                                          {"alive", n.alive},
                                          {"share", n.share}});
  }
  return array;
}

Json route_add(Manager& manager, Params& params) {
  RouteSpec spec;
  spec.prefix = params.parsed("prefix", parse_network);
  if (params.has("kind")) spec.kind = params.parsed("kind", parse_route_kind);
  if (params.has("via")) spec.gateway = params.parsed("via", parse_address);
  spec.interface = params.text("interface", "");
  spec.recursive = params.boolean("recursive", false);
  spec.vrf = params.text("vrf", "");
  params.objects("nexthops", [&](Params& p) {
    RouteNextHop hop;
    if (p.has("via")) hop.gateway = p.parsed("via", parse_address);
    hop.interface = p.text("interface", "");
    hop.weight = p.number("weight", 1, 65535, 1);
    spec.next_hops.push_back(std::move(hop));
  });
  params.done();
  const bool has_next_hop =
      spec.gateway.has_value() || !spec.interface.empty() || !spec.next_hops.empty();
  if (spec.kind == RouteSpec::Kind::Unicast && !has_next_hop)
    bad_params("the route leads nowhere, expected \"via\", \"interface\", both or \"nexthops\"");
  if (spec.kind != RouteSpec::Kind::Unicast && has_next_hop)
    bad_params("only a unicast route has \"via\", \"interface\" or \"nexthops\"");
  done_or_throw(manager.add_route(spec));
  return Json::object();
}

Json route_delete(Manager& manager, Params& params) {
  const auto prefix = params.parsed("prefix", parse_network);
  const std::string vrf = params.text("vrf", "");
  params.done();
  done_or_throw(manager.delete_route(prefix, vrf));
  return Json::object();
}

/// Many routes, each added (or deleted) by itself: what is refused is said of each.
Json route_load(Manager& manager, Params& params) {
  constexpr std::size_t kMost = 4096;  // so that the manager is never long away
  const std::vector<std::string> routes = params.texts("routes");
  const bool deleted = params.boolean("delete", false);
  params.done();
  if (routes.size() > kMost)
    bad_params(fmt::format("routes has {} entries, expected at most {}", routes.size(), kMost));
  std::size_t done = 0;
  Json errors = Json::array();
  for (std::size_t n = 0; n < routes.size(); ++n) {
    const auto spec = parse_route(routes[n]);
    const core::Expected<> result = !spec     ? core::Expected<>{spec.error()}
                                    : deleted ? manager.delete_route(spec->prefix, spec->vrf)
                                              : manager.add_route(*spec);
    if (result) {
      ++done;
      continue;
    }
    const CallError refused = refusal(result.error());
    errors.push_back({{"index", n}, {"message", refused.message}, {"data", refused.data}});
  }
  return {{"done", done}, {"errors", std::move(errors)}};
}

Json route_get(Manager& manager, Params& params) {
  const auto destination = params.parsed("destination", parse_address);
  const std::string vrf = params.text("vrf", "");
  params.done();
  const RouteAnswer r = manager.get_route(destination, done_or_throw(manager.find_vrf(vrf)));
  return {{"destination", proto::to_string(destination)},
          {"prefix", proto::to_string(r.prefix)},
          {"kind", to_text(r.kind)},
          {"interface", r.interface},
          {"via", address_or_null(r.gateway)},
          {"source", r.source.is_unspecified() ? Json(nullptr) : Json(proto::to_string(r.source))}};
}

Json arp_list(Manager& manager, Params& params) {
  params.done();
  const Names names{manager};
  Json array = Json::array();
  for (const proto::NeighborInfo& n : manager.neighbors()) {
    Json entry{{"interface", names[n.interface]},
               {"address", proto::to_string(n.address)},
               {"state", proto::to_string(n.state)},
               {"age_ms", n.age_us / 1000}};
    entry["mac"] = n.mac == core::MacAddress{} ? Json(nullptr) : Json(proto::to_string(n.mac));
    array.push_back(std::move(entry));
  }
  return array;
}

Json neighbor_list(Manager& manager, Params& params) {
  params.done();
  const Names names{manager};
  Json array = Json::array();
  for (const proto::NeighborInfo& n : manager.neighbors())
    array.push_back(
        {{"interface", names[n.interface]},
         {"address", proto::to_string(n.address)},
         {"mac", n.mac == core::MacAddress{} ? Json(nullptr) : Json(proto::to_string(n.mac))},
         {"state", proto::to_string(n.state)},
         {"router", n.is_router},
         {"age_ms", n.age_us / 1000},
         {"expires_ms", n.expires_us != 0 ? Json(n.expires_us / 1000) : Json(nullptr)}});
  return array;
}

Json router_list(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const RouterInfo& r : manager.default_routers())
    array.push_back({{"interface", r.interface},
                     {"address", proto::to_string(r.address)},
                     {"preference", r.preference > 0   ? "high"
                                    : r.preference < 0 ? "low"
                                                       : "medium"},
                     {"managed", r.managed},
                     {"other", r.other},
                     {"lifetime_s", r.lifetime_s},
                     {"state", proto::to_string(r.state)},
                     {"used", r.used}});
  return array;
}

Json prefix_list(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const PrefixInfo& p : manager.advertised_prefixes())
    array.push_back({{"interface", p.interface},
                     {"prefix", proto::to_string(p.prefix)},
                     {"on_link", p.on_link},
                     {"autonomous", p.autonomous},
                     {"router", proto::to_string(p.router)},
                     {"preferred_s", p.preferred_s ? Json(*p.preferred_s) : Json(nullptr)},
                     {"valid_s", p.valid_s ? Json(*p.valid_s) : Json(nullptr)}});
  return array;
}

Json arp_add(Manager& manager, Params& params) {
  NeighborSpec spec;
  spec.interface = params.text("interface");
  spec.address = params.parsed("address", parse_address);
  spec.mac = params.parsed("mac", parse_mac_address);
  params.done();
  done_or_throw(manager.add_neighbor(spec));
  return Json::object();
}

Json arp_delete(Manager& manager, Params& params) {
  const std::string interface = params.text("interface");
  const auto address = params.parsed("address", parse_address);
  params.done();
  done_or_throw(manager.delete_neighbor(interface, address));
  return Json::object();
}

std::string_view to_text(PingReply::Kind kind) {
  switch (kind) {
    case PingReply::Kind::Reply: return "reply";
    case PingReply::Kind::Unreachable: return "unreachable";
    case PingReply::Kind::TooBig: return "too-big";
    case PingReply::Kind::TimeExceeded: return "time-exceeded";
    case PingReply::Kind::ParameterProblem: return "parameter-problem";
  }
  return "";
}

Json to_json(const PingReply& r) {
  Json json{{"kind", to_text(r.kind)},
            {"source", proto::to_string(r.from)},
            {"bytes", r.bytes},
            {"ttl", r.ttl},
            {"rtt_us", r.rtt_us}};
  if (r.kind == PingReply::Kind::Reply)
    json["intact"] = r.intact;
  else
    json["code"] = r.code;
  if (r.kind == PingReply::Kind::TooBig) json["mtu"] = r.mtu;
  return json;
}

void ping(Manager& manager, Params& params, Reply reply) {
  PingSpec spec;
  spec.destination = params.parsed("destination", parse_address);
  spec.interface = params.text("interface", "");
  if (params.has("source")) spec.source = params.parsed("source", parse_address);
  spec.size = static_cast<std::uint16_t>(params.number("size", 0, 65507, 56));
  spec.ttl = static_cast<std::uint8_t>(params.number("ttl", 1, 255, 0));
  spec.dont_fragment = params.boolean("dont_fragment", false);
  spec.port = static_cast<std::uint16_t>(params.number("port", 1, 65535, 0));
  spec.timeout_ms = params.number("timeout_ms", 1, 60'000, 1000);
  const std::string vrf = params.text("vrf", "");
  params.done();
  spec.vrf = done_or_throw(manager.find_vrf(vrf));
  done_or_throw(
      manager.ping(spec, [reply = std::move(reply)](const core::Expected<PingReply>& answer) {
        if (!answer) return reply(answer.error());
        reply(to_json(*answer));
      }));
}

constexpr std::array kMethods{
    Method{"route.list", route_list},
    Method{"route.add", route_add},
    Method{"route.delete", route_delete},
    Method{"route.get", route_get},
    Method{"route.load", route_load},
    Method{"arp.list", arp_list},
    Method{"arp.add", arp_add},
    Method{"arp.delete", arp_delete},
    Method{"neighbor.list", neighbor_list},
    Method{"neighbor.add", arp_add},
    Method{"neighbor.delete", arp_delete},
    Method{"router.list", router_list},
    Method{"prefix.list", prefix_list},
    Method{"ping", nullptr, ping},
};
}  // namespace

std::span<const Method> route_methods() {
  return kMethods;
}
}  // namespace polluxd
