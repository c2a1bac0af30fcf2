// SPDX-License-Identifier: BSD-3-Clause
// Requests that meet a full table, at every step at which they may meet it.
#include <fmt/format.h>

#include "tests/manager/describe.hh"
#include "tests/stage/router.hh"

namespace {
using namespace test;
using core::Errc;
using Kind = polluxd::RouteSpec::Kind;

/// Requests that take entries of several tables, one after the other.
void expect_refused_whole(Router& r, MemoryPort& port) {
  const std::string before = describe(r.manager);
  const auto unchanged = [&](const char* what, std::optional<Errc> refused) {
    // Where the last free entries sufficed it was done, and is undone.
    if (refused) {
      EXPECT_EQ(*refused, Errc::Full) << what;
      ASSERT_EQ(describe(r.manager), before) << what;
    }
  };
  const crypto::TunnelSpec tunnel{.name = "new0",
                                  .local = Router::kWanIp,
                                  .remote = Router::kGatewayIp,
                                  .mtu = 0,
                                  .selectors = {}};
  unchanged("tunnel", refusal(r.manager.create_tunnel(tunnel)));
  if (r.manager.destroy_interface("new0")) { ASSERT_EQ(describe(r.manager), before); }
  polluxd::InterfaceSpec spec;
  spec.name = "new0";
  spec.addresses = {{ip("10.7.0.1"), 24}, {ip("10.8.0.1"), 24}};
  unchanged("interface", refusal(r.attach(port, spec, mac(0x30))));
  if (r.manager.destroy_interface("new0")) { ASSERT_EQ(describe(r.manager), before); }
  unchanged("address", refusal(r.manager.add_address("lan0", {ip("10.7.0.1"), 24})));
  if (r.manager.delete_address("lan0", {ip("10.7.0.1"), 24})) {
    ASSERT_EQ(describe(r.manager), before);
  }
  unchanged("neighbor", refusal(r.manager.add_neighbor({"lan0", ip("10.1.0.99"), mac(1)})));
  if (r.manager.delete_neighbor("lan0", ip("10.1.0.99"))) {
    ASSERT_EQ(describe(r.manager), before);
  }
  unchanged(
      "route",
      refusal(r.manager.add_route({{ip("172.32.0.0"), 12}, Kind::Unicast, ip("10.1.0.98"), ""})));
  if (r.manager.delete_route({ip("172.32.0.0"), 12})) { ASSERT_EQ(describe(r.manager), before); }
}

TEST(FullTables, NextHops) {
  std::uint64_t used = 0;
  {
    Router r;
    r.configure();
    for (const auto& u : r.manager.usage())
      if (u.table == "next_hops") used = u.used;
  }
  for (std::uint32_t left = 0; left < 6; ++left) {
    SCOPED_TRACE(left);
    Router::Options options;
    options.limits.next_hops = static_cast<std::uint32_t>(used) + left;
    Router r{options};
    MemoryPort port{r.pool};
    r.configure();
    for (int round = 0; round < 3; ++round) expect_refused_whole(r, port);
  }
}

TEST(FullTables, Routes) {
  std::uint64_t used = 0;
  {
    Router r;
    r.configure();
    for (const auto& u : r.manager.usage())
      if (u.table == "routes") used = u.used;
  }
  for (std::uint32_t left = 0; left < 8; ++left) {
    SCOPED_TRACE(left);
    Router::Options options;
    options.limits.routes = static_cast<std::uint32_t>(used) + left;
    Router r{options};
    MemoryPort port{r.pool};
    r.configure();
    for (int round = 0; round < 3; ++round) expect_refused_whole(r, port);
  }
}

TEST(FullTables, InterfacesTunnelsNeighborsSas) {
  Router::Options options;
  options.limits.interfaces = 3;
  options.limits.tunnels = 1;
  options.limits.neighbors = 2;
  options.limits.sas = 1;
  Router r{options};
  MemoryPort port{r.pool};
  r.configure();
  const auto tunnel = [&](const char* name) {
    return refusal(r.manager.create_tunnel({.name = name,
                                            .local = Router::kWanIp,
                                            .remote = Router::kGatewayIp,
                                            .mtu = 0,
                                            .selectors = {}}));
  };
  EXPECT_EQ(tunnel("ipsec0"), std::nullopt);
  r.know_neighbors();
  crypto::SaSpec sa;
  sa.tunnel = "ipsec0";
  sa.spi = 0x1000;
  sa.key = std::move(*crypto::Secret::from_hex(std::string(72, 'a')));
  must(r.manager.add_sa(sa));
  const std::string before = describe(r.manager);
  sa.spi = 0x1001;
  EXPECT_EQ(refusal(r.manager.add_sa(sa)), Errc::Full);
  EXPECT_EQ(tunnel("ipsec1"), Errc::Full);
  EXPECT_EQ(refusal(r.attach(port, {}, mac(0x30))), Errc::Full);
  EXPECT_EQ(refusal(r.manager.add_neighbor({"lan0", ip("10.1.0.99"), mac(1)})), Errc::Full);
  EXPECT_EQ(
      refusal(r.manager.add_route({{ip("172.32.0.0"), 12}, Kind::Unicast, ip("10.1.0.98"), ""})),
      Errc::Full);
  EXPECT_EQ(describe(r.manager), before);
  for (const auto& u : r.manager.usage())
    if (u.table == "interfaces" || u.table == "tunnels" || u.table == "neighbors" ||
        u.table == "sas") {
      EXPECT_EQ(u.used, u.limit) << u.table;
    }
  // One interface less, and there is room for a tunnel's interface, not for a second tunnel.
  must(r.manager.destroy_interface("lan0"));
  EXPECT_EQ(tunnel("ipsec1"), Errc::Full);
  EXPECT_EQ(refusal(r.attach(port, {}, mac(0x30))), std::nullopt);
}
/// A request that meets a full table: it says which, and how it is made larger, and nothing
/// changes.
template <class Request>
void expect_full(Router& r, const char* limit, Request request) {
  const std::string before = describe(r.manager);
  const auto refused = request();
  ASSERT_FALSE(refused) << limit;
  EXPECT_EQ(refused.error().code, Errc::Full) << limit;
  EXPECT_NE(refused.error().context.find(fmt::format("(limits.{})", limit)), std::string::npos)
      << refused.error().context;
  EXPECT_EQ(describe(r.manager), before) << limit;
}

std::uint64_t used(const Router& r, std::string_view table) {
  for (const auto& u : r.manager.usage())
    if (u.table == table) return u.used;
  ADD_FAILURE() << "no table " << table;
  return 0;
}

polluxd::RouteSpec blackhole(const std::string& prefix, const std::string& vrf = {}) {
  polluxd::RouteSpec spec{.prefix = *proto::parse_ip_prefix(prefix), .kind = Kind::Blackhole};
  spec.vrf = vrf;
  return spec;
}

TEST(FullTables, SayWhichLimitAndStayAsTheyAre) {
  Router::Options options;
  options.limits.vrfs = 1;
  options.limits.vrf_routes = 16;
  options.limits.vrf_groups = 64;
  options.limits.next_hop_groups = 1;
  Router r{options};
  r.configure();
  const auto add = [&](const polluxd::RouteSpec& spec) {
    return [&r, spec] { return r.manager.add_route(spec); };
  };
  while (used(r, "routes") < r.limits.routes)
    must(r.manager.add_route(blackhole(fmt::format("20.{}.0.0/16", used(r, "routes")))));
  expect_full(r, "routes", add(blackhole("30.0.0.0/8")));
  expect_full(r, "routes", [&] {
    return r.manager.add_neighbor({"lan0", ip("10.1.0.99"), mac(1)});
  });
  while (used(r, "routes6") < r.limits.routes6)
    must(r.manager.add_route(blackhole(fmt::format("3:{:x}::/32", used(r, "routes6")))));
  expect_full(r, "routes6", add(blackhole("4::/16")));

  must(r.manager.add_vrf({"red", 0}));
  expect_full(r, "vrfs", [&] { return r.manager.add_vrf({"blue", 0}); });
  for (int n = 0; refusal(r.manager.add_route(blackhole(fmt::format("20.{}.0.0/16", n), "red"))) ==
                  std::nullopt;)
    ++n;
  expect_full(r, "vrf_routes", add(blackhole("30.0.0.0/8", "red")));
  for (int n = 0;
       n < 7 && !refusal(r.manager.add_route(blackhole(fmt::format("{}::/128", n + 4), "red")));)
    ++n;
  expect_full(r, "vrf_groups", add(blackhole("aaaa::/128", "red")));
}

TEST(FullTables, GroupsOfLongPrefixesAndOfNextHops) {
  Router::Options options;
  options.limits.route_groups = 8;
  options.limits.next_hop_groups = 1;
  Router r{options};
  r.configure();
  const auto add = [&](const polluxd::RouteSpec& spec) {
    return [&r, spec] { return r.manager.add_route(spec); };
  };
  for (int n = 0; used(r, "route_groups") < 8; ++n)
    must(r.manager.add_route(blackhole(fmt::format("20.0.{}.0/25", n))));
  expect_full(r, "route_groups", add(blackhole("21.0.0.0/25")));
  must(r.manager.add_route(blackhole("20.0.0.128/26")));  // in a group that is there
  std::string refused;
  for (int n = 0; refused.empty() && n < 4096; ++n)
    if (const auto added = r.manager.add_route(blackhole(fmt::format("3:{:x}:1::/48", n))); !added)
      refused = added.error().context;
  EXPECT_NE(refused.find("(limits.route"), std::string::npos) << refused;

  polluxd::RouteSpec several{.prefix = *proto::parse_ip_prefix("22.0.0.0/8")};
  several.next_hops = {{ip("10.1.0.98"), "", 1}, {ip("10.1.0.99"), "", 1}};
  must(r.manager.add_route(several));
  several.prefix = *proto::parse_ip_prefix("23.0.0.0/8");
  must(r.manager.add_route(several));  // the same group
  several.next_hops[0].weight = 2;
  several.prefix = *proto::parse_ip_prefix("24.0.0.0/8");
  expect_full(r, "next_hop_groups", add(several));
}
}  // namespace
