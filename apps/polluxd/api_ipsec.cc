// SPDX-License-Identifier: BSD-3-Clause
// ipsec.*: tunnels and security associations. No answer ever holds key material.
#include <fmt/format.h>

#include <array>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/spec_syntax.hh"

namespace polluxd {
namespace {
std::string spi_text(std::uint32_t spi) {
  return fmt::format("0x{:08x}", spi);
}

Json tunnel_list(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const TunnelInfo& t : manager.tunnels()) {
    Json selectors = Json::array();
    for (const crypto::Selector& s : t.spec.selectors)
      selectors.push_back(
          {{"local", proto::to_string(s.local)}, {"remote", proto::to_string(s.remote)}});
    array.push_back(
        {{"name", t.spec.name},
         {"local", proto::to_string(t.spec.local)},
         {"remote", proto::to_string(t.spec.remote)},
         {"mtu", t.spec.mtu},
         {"vrf", t.spec.vrf.empty() ? kDefaultVrf : t.spec.vrf.c_str()},
         {"selectors", std::move(selectors)},
         {"outbound_spi", t.outbound_spi ? Json(spi_text(*t.outbound_spi)) : Json(nullptr)}});
  }
  return array;
}

Json tunnel_add(Manager& manager, Params& params) {
  crypto::TunnelSpec spec;
  spec.name = params.parsed("name", parse_interface_name);
  spec.local = params.parsed("local", parse_ip4_address);
  spec.remote = params.parsed("remote", parse_ip4_address);
  spec.mtu = static_cast<std::uint16_t>(params.number("mtu", kMinMtu, kMaxMtu, 0));
  spec.vrf = params.text("vrf", "");
  params.objects("selectors", [&](Params& p) {
    const auto local = p.parsed("local", parse_ip4_network);
    spec.selectors.push_back({local, p.parsed("remote", parse_ip4_network)});
  });
  params.done();
  done_or_throw(manager.create_tunnel(spec));
  return Json::object();
}

Json tunnel_delete(Manager& manager, Params& params) {
  const std::string name = params.text("name");
  params.done();
  done_or_throw(manager.destroy_tunnel(name));
  return Json::object();
}

Json sa_list(Manager& manager, Params& params) {
  params.done();
  Json array = Json::array();
  for (const SaTotals& s : manager.sas())
    array.push_back({{"tunnel", s.info.tunnel},
                     {"direction", s.info.direction == crypto::Direction::In ? "in" : "out"},
                     {"spi", spi_text(s.info.spi)},
                     {"source", proto::to_string(s.info.src)},
                     {"destination", proto::to_string(s.info.dst)},
                     {"algorithm", crypto::to_string(s.info.algorithm)},
                     {"replay_window", s.info.replay_window},
                     {"sequence", s.info.sequence},
                     {"packets", s.traffic.packets},
                     {"bytes", s.traffic.bytes},
                     {"rejected",
                      {{"replayed", s.replayed},
                       {"bad_icv", s.bad_icv},
                       {"malformed", s.malformed},
                       {"selector_mismatch", s.mismatched}}}});
  return array;
}

Json sa_add(Manager& manager, Params& params) {
  crypto::SaSpec spec;
  spec.tunnel = params.text("tunnel");
  spec.direction = params.parsed("direction", parse_direction);
  spec.spi = params.spi("spi");
  spec.algorithm = params.parsed("algorithm", parse_sa_algorithm);
  spec.replay_window = params.number("replay_window", 0, kMaxReplayWindow, spec.replay_window);
  spec.key = params.key("key");
  params.done();
  const std::size_t expected = crypto::keymat_size(spec.algorithm);
  if (spec.key.bytes().size() != expected)
    bad_params(fmt::format("key: {} bytes, expected {} (key and 4 bytes of salt) for {}",
                           spec.key.bytes().size(), expected, crypto::to_string(spec.algorithm)));
  done_or_throw(manager.add_sa(spec));
  return Json::object();
}

Json sa_delete(Manager& manager, Params& params) {
  const std::string tunnel = params.text("tunnel");
  const auto direction = params.parsed("direction", parse_direction);
  const std::uint32_t spi = params.spi("spi");
  params.done();
  done_or_throw(manager.delete_sa(tunnel, direction, spi));
  return Json::object();
}

constexpr std::array kMethods{
    Method{"ipsec.tunnel.list", tunnel_list},
    Method{"ipsec.tunnel.add", tunnel_add},
    Method{"ipsec.tunnel.delete", tunnel_delete},
    Method{"ipsec.sa.list", sa_list},
    Method{"ipsec.sa.add", sa_add},
    Method{"ipsec.sa.delete", sa_delete},
};
}  // namespace

std::span<const Method> ipsec_methods() {
  return kMethods;
}
}  // namespace polluxd
