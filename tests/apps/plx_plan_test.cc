// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/plx/plan.hh"

/// Words to calls of the API, results to text.
namespace {
using plx::Json;
using plx::Plan;
using plx::UsageError;
using plx::Words;
using testing::HasSubstr;

void expect_call(const Plan& plan, const char* method, const Json& params) {
  ASSERT_EQ(plan.calls.size(), 1u);
  EXPECT_EQ(plan.calls[0].method, method);
  EXPECT_EQ(plan.calls[0].params, params);
}

TEST(PlxIfconfig, Shows) {
  expect_call(plx::ifconfig({}), "interface.list", Json::object());
  expect_call(plx::ifconfig({"wan0"}), "interface.list", {{"name", "wan0"}});
}

TEST(PlxIfconfig, MakesACallForEachPart) {
  const Plan plan = plx::ifconfig(
      {"wan0", "inet", "10.0.0.1/24", "inet", "10.1.0.1/24", "delete", "mtu", "1400", "up"});
  ASSERT_EQ(plan.calls.size(), 3u);
  EXPECT_EQ(plan.calls[0].method, "interface.address.add");
  EXPECT_EQ(plan.calls[0].params, (Json{{"name", "wan0"}, {"address", "10.0.0.1/24"}}));
  EXPECT_EQ(plan.calls[1].method, "interface.address.delete");
  EXPECT_EQ(plan.calls[1].params, (Json{{"name", "wan0"}, {"address", "10.1.0.1/24"}}));
  EXPECT_EQ(plan.calls[2].method, "interface.set");
  EXPECT_EQ(plan.calls[2].params, (Json{{"name", "wan0"}, {"mtu", 1400}, {"up", true}}));
  EXPECT_EQ(plan.show, nullptr);
}

TEST(PlxIfconfig, Destroys) {
  expect_call(plx::ifconfig({"wan0", "destroy"}), "interface.destroy", {{"name", "wan0"}});
}

TEST(PlxIfconfig, RefusesOtherWords) {
  for (const Words& words : {Words{"wan0", "sideways"},
                             {"wan0", "inet"},
                             {"wan0", "mtu"},
                             {"wan0", "mtu", "x"},
                             {"wan0", "mtu", "-1"},
                             {"wan0", "destroy", "up"},
                             {"wan0", "up", "destroy"}})
    EXPECT_THROW(plx::ifconfig(words), UsageError) << words.back();
}

TEST(PlxIfconfig, PrintsAsBsdDoes) {
  const Plan plan = plx::ifconfig({});
  const Json result{{{"name", "wan0"},
                     {"kind", "ethernet"},
                     {"driver", "af_packet"},
                     {"device", "veth0"},
                     {"up", true},
                     {"link", false},
                     {"mtu", 1500},
                     {"mac", "02:00:00:00:00:01"},
                     {"addresses", {"10.0.0.1/24"}},
                     {"address_states",
                      {{{"address", "10.0.0.1/24"}, {"state", "preferred"}},
                       {{"address", "fe80::1/64"},
                        {"state", "tentative"},
                        {"valid_s", 9},
                        {"origin", "autoconf"}}}},
                     {"groups", {"ff02::1"}},
                     {"rx_queues", 1},
                     {"tx_queues", 2}}};
  EXPECT_EQ(plan.show(result),
            "wan0: flags=<UP,NO-CARRIER> mtu 1500\n\tether 02:00:00:00:00:01\n\tinet 10.0.0.1/24\n"
            "\tinet6 fe80::1%wan0/64 tentative autoconf vltime 9\n"
            "\tdriver af_packet device veth0 queues 1 rx 2 tx\n");
}

TEST(PlxIfconfig, Inet6) {
  expect_call(plx::ifconfig({"wan0", "inet6", "2001:db8::1/64", "alias"}), "interface.address.add",
              {{"name", "wan0"}, {"address", "2001:db8::1/64"}});
  expect_call(plx::ifconfig({"wan0", "inet6", "2001:db8::1/64", "no-alias"}),
              "interface.address.delete", {{"name", "wan0"}, {"address", "2001:db8::1/64"}});
  expect_call(plx::ifconfig({"wan0", "inet6", "autoconf"}), "interface.set",
              {{"name", "wan0"}, {"autoconf", true}});
  expect_call(plx::ifconfig({"wan0", "inet6", "no-autoconf"}), "interface.set",
              {{"name", "wan0"}, {"autoconf", false}});
  expect_call(plx::ifconfig({"wan0", "rtadv"}), "interface.rtadv.set",
              {{"name", "wan0"}, {"enabled", true}});
  expect_call(plx::ifconfig({"wan0", "join", "ff05::7"}), "group.join",
              {{"name", "wan0"}, {"group", "ff05::7"}});
}

TEST(PlxNdp, SpeaksAsNetBsdDoes) {
  expect_call(plx::ndp({}, {}), "neighbor.list", Json::object());
  expect_call(plx::ndp({}, {.routers = true}), "router.list", Json::object());
  expect_call(plx::ndp({}, {.prefixes = true}), "prefix.list", Json::object());
  expect_call(plx::ndp({"fe80::7%wan0"}, {.remove = true}), "neighbor.delete",
              {{"address", "fe80::7"}, {"interface", "wan0"}});
  expect_call(plx::ndp({"fe80::7%wan0", "02:00:00:00:00:01"}, {.set = true}), "neighbor.add",
              {{"address", "fe80::7"}, {"interface", "wan0"}, {"mac", "02:00:00:00:00:01"}});
  EXPECT_THROW(plx::ndp({"fe80::7"}, {.remove = true}), UsageError) << "of which link?";
  EXPECT_THROW(plx::ndp({"x"}, {}), UsageError);
  EXPECT_THROW(plx::ndp({}, {.prefixes = true, .routers = true}), UsageError);
  const Json neighbors{{{"interface", "lan0"}, {"address", "10.0.0.2"}, {"mac", nullptr}},
                       {{"interface", "lan0"},
                        {"address", "fe80::2"},
                        {"mac", "02:00:00:00:00:02"},
                        {"state", "stale"},
                        {"router", true},
                        {"expires_ms", 1500}}};
  const std::string text = plx::ndp({}, {}).show(neighbors);
  EXPECT_NE(text.find("fe80::2%lan0"), std::string::npos) << text;
  EXPECT_NE(text.find("1.5s"), std::string::npos) << text;
  EXPECT_EQ(text.find("10.0.0.2"), std::string::npos) << "that is arp's";
}

TEST(PlxRoute, Adds) {
  expect_call(plx::route({"add", "default", "via", "10.0.0.1"}, false), "route.add",
              {{"prefix", "default"}, {"via", "10.0.0.1"}});
  expect_call(plx::route({"add", "10.0.0.0/8", "10.0.0.1", "dev", "wan0"}, false), "route.add",
              {{"prefix", "10.0.0.0/8"}, {"via", "10.0.0.1"}, {"interface", "wan0"}});
  expect_call(plx::route({"add", "10.0.0.0/8", "dev", "ipsec0"}, false), "route.add",
              {{"prefix", "10.0.0.0/8"}, {"interface", "ipsec0"}});
  expect_call(plx::route({"add", "10.0.0.0/8", "blackhole"}, false), "route.add",
              {{"prefix", "10.0.0.0/8"}, {"kind", "blackhole"}});
}

TEST(PlxRoute, DeletesGetsAndShows) {
  expect_call(plx::route({"del", "10.0.0.0/8"}, false), "route.delete", {{"prefix", "10.0.0.0/8"}});
  expect_call(plx::route({"get", "10.0.0.1"}, false), "route.get", {{"destination", "10.0.0.1"}});
  expect_call(plx::route({"show"}, false), "route.list", Json::object());
  expect_call(plx::route({}, true), "route.list", Json::object());
}

TEST(PlxRoute, RefusesOtherWords) {
  for (const Words& words : {Words{"add"},
                             {"add", "default"},
                             {"add", "default", "via"},
                             {"add", "default", "sideways"},
                             {"del"},
                             {"get"},
                             {"get", "a", "b"},
                             {"flush"},
                             {"show", "x"}})
    EXPECT_THROW(plx::route(words, false), UsageError) << words.back();
}

TEST(PlxRoute, ShowsWhatFollowsFromOthersOnlyWhenAsked) {
  const Json routes{{{"prefix", "0.0.0.0/0"}, {"origin", "static"}, {"kind", "reachable"}},
                    {{"prefix", "10.0.0.255/32"}, {"origin", "connected"}, {"kind", "broadcast"}},
                    {{"prefix", "127.0.0.0/8"}, {"origin", "builtin"}, {"kind", "martian"}}};
  EXPECT_THAT(plx::route({}, false).show(routes), HasSubstr("default"));
  EXPECT_THAT(plx::route({}, false).show(routes), testing::Not(HasSubstr("martian")));
  EXPECT_THAT(plx::route({}, false).show(routes), testing::Not(HasSubstr("broadcast")));
  EXPECT_THAT(plx::route({}, true).show(routes), HasSubstr("martian"));
}

TEST(PlxArp, MakesCalls) {
  expect_call(plx::arp({"add", "wan0", "10.0.0.1", "02:00:00:00:00:01"}), "arp.add",
              {{"interface", "wan0"}, {"address", "10.0.0.1"}, {"mac", "02:00:00:00:00:01"}});
  expect_call(plx::arp({"del", "wan0", "10.0.0.1"}), "arp.delete",
              {{"interface", "wan0"}, {"address", "10.0.0.1"}});
  EXPECT_THROW(plx::arp({"add", "wan0"}), UsageError);
}

TEST(PlxIpsec, MakesTunnels) {
  expect_call(plx::ipsec_tunnel({"add", "ipsec0", "local", "1.2.3.4", "remote", "1.2.3.5", "mtu",
                                 "1400", "selector", "10.1.0.0/16", "10.2.0.0/16", "selector",
                                 "10.3.0.0/16", "default"}),
              "ipsec.tunnel.add",
              {{"name", "ipsec0"},
               {"local", "1.2.3.4"},
               {"remote", "1.2.3.5"},
               {"mtu", 1400},
               {"selectors",
                {{{"local", "10.1.0.0/16"}, {"remote", "10.2.0.0/16"}},
                 {{"local", "10.3.0.0/16"}, {"remote", "default"}}}}});
  expect_call(plx::ipsec_tunnel({"del", "ipsec0"}), "ipsec.tunnel.delete", {{"name", "ipsec0"}});
  for (const Words& words :
       {Words{"add", "ipsec0"}, {"add", "t", "local", "1.2.3.4"}, {"add", "t", "selector", "a"}})
    EXPECT_THROW(plx::ipsec_tunnel(words), UsageError);
}

TEST(PlxIpsec, TakesTheKeyFromOnePlaceOnly) {
  const Words add{"add", "ipsec0", "in", "0x1000", "aes-gcm-256"};
  Words with_dash = add;
  with_dash.push_back("-");
  Words with_key = add;
  with_key.push_back("00112233");
  EXPECT_EQ(plx::ipsec_sa(add, "f.key", nullptr).key_file, "f.key");
  EXPECT_EQ(plx::ipsec_sa(add, "-", nullptr).key_file, "-");
  EXPECT_EQ(plx::ipsec_sa(with_dash, "", nullptr).key_file, "-");
  EXPECT_THROW(plx::ipsec_sa(add, "", nullptr), UsageError);
  EXPECT_THROW(plx::ipsec_sa(with_dash, "f.key", nullptr), UsageError);
  EXPECT_THROW(plx::ipsec_sa(with_key, "", nullptr), UsageError);  // never on the command line
  EXPECT_THROW(plx::ipsec_sa({"show"}, "f.key", nullptr), UsageError);
}

TEST(PlxIpsec, MakesAssociations) {
  const auto added = plx::ipsec_sa({"add", "ipsec0", "in", "0x1000", "aes-gcm-256"}, "f", 64);
  expect_call(added.plan, "ipsec.sa.add",
              {{"tunnel", "ipsec0"},
               {"direction", "in"},
               {"spi", "0x1000"},
               {"algorithm", "aes-gcm-256"},
               {"replay_window", 64}});
  expect_call(plx::ipsec_sa({"del", "ipsec0", "out", "4096"}, "", nullptr).plan, "ipsec.sa.delete",
              {{"tunnel", "ipsec0"}, {"direction", "out"}, {"spi", "4096"}});
}

TEST(PlxSysctl, ShowsAndSets) {
  expect_call(plx::sysctl({}, false), "sysctl.list", Json::object());
  expect_call(plx::sysctl({"net.inet.ip"}, false), "sysctl.list", {{"prefix", "net.inet.ip"}});
  expect_call(plx::sysctl({"a.b=1", "c=-2", "d=true"}, false), "sysctl.set",
              {{"values", {{"a.b", 1}, {"c", -2}, {"d", 1}}}});
  for (const Words& words : {Words{"a="},
                             {"a=x"},
                             {"a=1x"},
                             {"a=1", "b"},
                             {"a", "b"},
                             {"a=99999999999999999999"},
                             {"a=1", "a=2"}})
    EXPECT_THROW(plx::sysctl(words, false), UsageError) << words.back();
}

TEST(PlxStats, AsksForOnePart) {
  expect_call(plx::stats({.drops = true}), "stats.drops", Json::object());
  expect_call(plx::stats({}), "stats", Json::object());
  EXPECT_EQ(plx::stats({.workers = true}).calls.size(), 2u);  // a time of its own to measure
  EXPECT_THROW(plx::stats({.drops = true, .stages = true}), UsageError);
}

TEST(PlxStats, ShowsDropsThatWereCounted) {
  const Json drops{
      {{"packets", 0}, {"layer", "ip4"}, {"reason", "Ip4BadIhl"}, {"text", "t"}},
      {{"packets", 3}, {"layer", "esp"}, {"reason", "EspNoSa"}, {"text", "no association"}}};
  EXPECT_EQ(plx::stats({.drops = true}).show(drops),
            "Packets  Layer  Reason   What\n      3  esp    EspNoSa  no association\n");
  EXPECT_THAT(plx::stats({.drops = true, .all = true}).show(drops), HasSubstr("Ip4BadIhl"));
  EXPECT_EQ(plx::stats({.drops = true}).show(Json::array()), "no packet was dropped\n");
}
}  // namespace
