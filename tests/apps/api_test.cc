// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <fstream>

#include "apps/polluxd/api_method.hh"
#include "tests/apps/api_lab.hh"

/// Each method, against a real manager.
namespace {
using test::Json;
using testing::HasSubstr;

constexpr const char* kKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223";

/// The stack also announces its address by ARP.
bool is_ip4(const test::Packet& frame) {
  return frame[12] == 0x08 && frame[13] == 0x00;
}
/// The answer of the host that an echo request was sent to.
test::Packet echo_reply(test::Packet frame) {
  constexpr std::size_t kIp = 14, kSource = kIp + 12, kDestination = kIp + 16, kIcmp = kIp + 20;
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  std::swap_ranges(frame.begin() + kSource, frame.begin() + kDestination,
                   frame.begin() + kDestination);
  frame[kIcmp] = 0;
  // RFC 1624: the type's 8 goes out of the sum.
  std::uint32_t sum = static_cast<std::uint32_t>(frame[kIcmp + 2] << 8 | frame[kIcmp + 3]) + 0x0800;
  sum = (sum & 0xffff) + (sum >> 16);
  frame[kIcmp + 2] = static_cast<std::uint8_t>(sum >> 8);
  frame[kIcmp + 3] = static_cast<std::uint8_t>(sum & 0xff);
  return frame;
}

struct ApiOf : test::ApiLab {
  Json find(const char* list, const char* member, const Json& value) {
    for (const Json& entry : good(list))
      if (entry[member] == value) return entry;
    return nullptr;
  }
  void expect_refused(const char* method, const Json& params, int code_expected, const char* says) {
    const Json before = state();
    const Json error = bad(method, params);
    EXPECT_EQ(code(error), code_expected) << error;
    EXPECT_THAT(message(error), HasSubstr(says));
    EXPECT_EQ(state(), before);
  }
  void add_tunnel() {
    good("ipsec.tunnel.add", {{"name", "ipsec0"},
                              {"local", "10.0.0.1"},
                              {"remote", "10.0.0.2"},
                              {"selectors", {{{"local", "10.1.0.0/16"}, {"remote", "default"}}}}});
  }
};

TEST_F(ApiOf, Version) {
  const Json v = good("version");
  for (const char* part : {"program", "pollux", "git", "dpdk", "ipsec_mb"})
    EXPECT_FALSE(v.value(part, "").empty()) << part;
}

TEST_F(ApiOf, InterfaceList) {
  const Json all = good("interface.list");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["name"], "lan0");
  EXPECT_EQ(all[0]["kind"], "ethernet");
  EXPECT_EQ(all[0]["driver"], "memory");
  EXPECT_EQ(all[0]["up"], true);
  EXPECT_EQ(all[0]["mtu"], 1500);
  EXPECT_EQ(all[0]["addresses"], (Json{"10.0.0.1/24"}));
  EXPECT_EQ(good("interface.list", {{"name", "lan0"}}), all);
  EXPECT_EQ(bad("interface.list", {{"name", "lan1"}})["data"]["code"], "NotFound");
}

TEST_F(ApiOf, InterfaceAddresses) {
  good("interface.address.add", {{"name", "lan0"}, {"address", "10.5.0.1/16"}});
  EXPECT_EQ(good("interface.list")[0]["addresses"], (Json{"10.0.0.1/24", "10.5.0.1/16"}));
  good("interface.address.delete", {{"name", "lan0"}, {"address", "10.0.0.1/24"}});
  EXPECT_EQ(good("interface.list")[0]["addresses"], (Json{"10.5.0.1/16"}));
  EXPECT_EQ(bad("interface.address.add", {{"name", "x"}, {"address", "10.6.0.1/16"}})["data"],
            (Json{{"code", "NotFound"}}));
}

TEST_F(ApiOf, Inet6OfAnInterface) {
  good("interface.address.add", {{"name", "lan0"}, {"address", "2001:db8::1/64"}});
  const Json lan = good("interface.list")[0];
  EXPECT_EQ(lan["addresses"], (Json{"10.0.0.1/24", "2001:db8::1/64"}));
  ASSERT_EQ(lan["address_states"].size(), 3u);
  EXPECT_EQ(lan["address_states"][1]["state"], "tentative");
  EXPECT_EQ(lan["address_states"][2]["origin"], "link-local");
  EXPECT_EQ(lan["address_states"][0]["valid_s"], nullptr);
  good("group.join", {{"name", "lan0"}, {"group", "ff05::7"}});
  const Json groups = good("interface.list")[0]["groups"];
  EXPECT_NE(std::find(groups.begin(), groups.end(), "ff05::7"), groups.end());
  EXPECT_EQ(bad("group.leave", {{"name", "lan0"}, {"group", "ff05::8"}})["data"]["code"],
            "NotFound");
  good("neighbor.add",
       {{"interface", "lan0"}, {"address", "fe80::7"}, {"mac", "02:00:00:00:00:07"}});
  const Json neighbors = good("neighbor.list");
  ASSERT_EQ(neighbors.size(), 1u);
  EXPECT_EQ(neighbors[0]["address"], "fe80::7");
  EXPECT_EQ(neighbors[0]["expires_ms"], nullptr);
  good("neighbor.delete", {{"interface", "lan0"}, {"address", "fe80::7"}});
}

TEST_F(ApiOf, RoutersAndPrefixes) {
  good("interface.rtadv.set", {{"name", "lan0"}, {"interval", 60}});
  EXPECT_EQ(good("interface.list")[0]["rtadv"], true);
  EXPECT_EQ(bad("interface.rtadv.set", {{"name", "lan0"}, {"lifetime", 1}})["data"]["code"],
            "Invalid");
  good("interface.set", {{"name", "lan0"}, {"autoconf", true}});
  EXPECT_EQ(good("interface.list")[0]["autoconf"], true);
  EXPECT_EQ(good("router.list"), Json::array());
  EXPECT_EQ(good("prefix.list"), Json::array());
}

TEST_F(ApiOf, InterfaceSetUpAndDown) {
  good("interface.set", {{"name", "lan0"}, {"up", false}});
  EXPECT_EQ(good("interface.list")[0]["up"], false);
  good("interface.set", {{"name", "lan0"}, {"up", true}});
  EXPECT_EQ(good("interface.list")[0]["up"], true);
}

TEST_F(ApiOf, InterfaceSetMtuOfATunnel) {
  add_tunnel();
  good("interface.set", {{"name", "ipsec0"}, {"mtu", 1300}, {"up", false}});
  const Json tunnel = find("interface.list", "name", "ipsec0");
  EXPECT_EQ(tunnel["mtu"], 1300);
  EXPECT_EQ(tunnel["up"], false);
  EXPECT_EQ(tunnel["kind"], "tunnel");
}

TEST_F(ApiOf, InterfaceDestroy) {
  add_tunnel();
  good("interface.destroy", {{"name", "lan0"}});
  EXPECT_EQ(find("interface.list", "name", "lan0"), nullptr);
  EXPECT_EQ(bad("interface.destroy", {{"name", "lan0"}})["data"]["code"], "NotFound");
}

TEST_F(ApiOf, InterfaceCreateNamesTheDriversThereAre) {
  const Json error = bad("interface.create", {{"driver", "no-such"}, {"options", {{"a", 1}}}});
  EXPECT_EQ(error["data"]["code"], "NotFound");
}

TEST_F(ApiOf, Routes) {
  good("route.add", {{"prefix", "default"}, {"via", "10.0.0.254"}});
  good("route.add", {{"prefix", "10.9.0.0/16"}, {"kind", "blackhole"}});
  const Json route = find("route.list", "prefix", "0.0.0.0/0");
  EXPECT_EQ(route["via"], "10.0.0.254");
  EXPECT_EQ(route["interface"], "lan0");
  EXPECT_EQ(route["origin"], "static");
  EXPECT_EQ(find("route.list", "prefix", "10.9.0.0/16")["kind"], "blackhole");
  EXPECT_EQ(good("route.get", {{"destination", "10.9.1.1"}})["kind"], "blackhole");
  const Json far = good("route.get", {{"destination", "192.0.2.1"}});
  EXPECT_EQ(far["prefix"], "0.0.0.0/0");
  EXPECT_EQ(far["via"], "10.0.0.254");
  EXPECT_EQ(far["source"], "10.0.0.1");
  good("route.delete", {{"prefix", "0.0.0.0/0"}});
  EXPECT_EQ(good("route.get", {{"destination", "192.0.2.1"}})["kind"], "no-route");
}

TEST_F(ApiOf, RoutesThatAreRefusedChangeNothing) {
  good("route.add", {{"prefix", "10.9.0.0/16"}, {"via", "10.0.0.254"}});
  expect_refused("route.add", {{"prefix", "10.9.0.0/16"}, {"via", "10.0.0.253"}}, -32002, "");
  expect_refused("route.add", {{"prefix", "10.8.0.0/16"}, {"interface", "x"}}, -32001, "");
  expect_refused("route.add", {{"prefix", "10.8.0.0/16"}, {"via", "172.16.0.1"}}, -32000, "");
  expect_refused("route.delete", {{"prefix", "10.8.0.0/16"}}, -32001, "");
  expect_refused("route.add", {{"prefix", "10.8.0.0/16"}}, -32602, "leads nowhere");
  expect_refused("route.add", {{"prefix", "10.8.0.1/16"}, {"via", "10.0.0.2"}}, -32602,
                 "expected \"10.8.0.0/16\"");
  expect_refused("route.add",
                 {{"prefix", "10.8.0.0/16"}, {"via", "10.0.0.2"}, {"kind", "prohibit"}}, -32602,
                 "only a unicast route has");
}

TEST_F(ApiOf, Neighbors) {
  good("arp.add", {{"interface", "lan0"}, {"address", "10.0.0.7"}, {"mac", "02:00:00:00:00:07"}});
  const Json entry = find("arp.list", "address", "10.0.0.7");
  EXPECT_EQ(entry["mac"], "02:00:00:00:00:07");
  EXPECT_EQ(entry["interface"], "lan0");
  EXPECT_EQ(entry["state"], "permanent");
  good("arp.delete", {{"interface", "lan0"}, {"address", "10.0.0.7"}});
  EXPECT_EQ(find("arp.list", "address", "10.0.0.7"), nullptr);
  expect_refused("arp.delete", {{"interface", "lan0"}, {"address", "10.0.0.7"}}, -32001, "");
  expect_refused("arp.add", {{"interface", "lan0"}, {"address", "10.0.0.7"}, {"mac", "02:00"}},
                 -32602, "mac: \"02:00\" is not a MAC address");
}

TEST_F(ApiOf, Tunnels) {
  add_tunnel();
  const Json tunnel = good("ipsec.tunnel.list")[0];
  EXPECT_EQ(tunnel["name"], "ipsec0");
  EXPECT_EQ(tunnel["local"], "10.0.0.1");
  EXPECT_EQ(tunnel["remote"], "10.0.0.2");
  EXPECT_EQ(tunnel["selectors"][0], (Json{{"local", "10.1.0.0/16"}, {"remote", "0.0.0.0/0"}}));
  EXPECT_TRUE(tunnel["outbound_spi"].is_null());
  expect_refused("ipsec.tunnel.add",
                 {{"name", "ipsec0"}, {"local", "10.0.0.1"}, {"remote", "10.0.0.3"}}, -32002, "");
  expect_refused("ipsec.tunnel.add",
                 {{"name", "t"},
                  {"local", "10.0.0.1"},
                  {"remote", "10.0.0.3"},
                  {"selectors", {{{"local", "10.0.0.0/8"}, {"remote", "default"}, {"x", 1}}}}},
                 -32602, "unknown parameter \"x\"");
  good("ipsec.tunnel.delete", {{"name", "ipsec0"}});
  EXPECT_TRUE(good("ipsec.tunnel.list").empty());
}

TEST_F(ApiOf, SecurityAssociations) {
  add_tunnel();
  good("ipsec.sa.add", {{"tunnel", "ipsec0"},
                        {"direction", "out"},
                        {"spi", "0x1000"},
                        {"algorithm", "aes-gcm-256"},
                        {"key", kKey}});
  good("ipsec.sa.add", {{"tunnel", "ipsec0"},
                        {"direction", "in"},
                        {"spi", 8192},
                        {"algorithm", "aes-gcm-128"},
                        {"replay_window", 64},
                        {"key", std::string{kKey}.substr(0, 40)}});
  EXPECT_EQ(good("ipsec.tunnel.list")[0]["outbound_spi"], "0x00001000");
  const Json in = find("ipsec.sa.list", "direction", "in");
  EXPECT_EQ(in["spi"], "0x00002000");
  EXPECT_EQ(in["source"], "10.0.0.2");
  EXPECT_EQ(in["destination"], "10.0.0.1");
  EXPECT_EQ(in["replay_window"], 64);
  EXPECT_EQ(in["rejected"]["bad_icv"], 0);
  const Json sas = good("ipsec.sa.list");
  ASSERT_EQ(sas.size(), 2u);
  EXPECT_THAT(sas.dump(), testing::Not(HasSubstr("0001020304")));
  good("ipsec.sa.delete", {{"tunnel", "ipsec0"}, {"direction", "out"}, {"spi", 4096}});
  EXPECT_EQ(good("ipsec.sa.list").size(), 1u);
}

TEST_F(ApiOf, SecurityAssociationsThatAreRefused) {
  add_tunnel();
  const Json sa{{"tunnel", "ipsec0"},
                {"direction", "in"},
                {"spi", 4096},
                {"algorithm", "aes-gcm-256"},
                {"key", kKey}};
  const auto with = [&](const char* name, const Json& value) {
    Json changed = sa;
    changed[name] = value;
    return changed;
  };
  expect_refused("ipsec.sa.add", with("tunnel", "ipsec9"), -32001, "");
  expect_refused("ipsec.sa.add", with("direction", "sideways"), -32602, "\"in\" or \"out\"");
  expect_refused("ipsec.sa.add", with("spi", 255), -32602, "expected an integer, 256 to");
  expect_refused("ipsec.sa.add", with("spi", "0xzz"), -32602, "is not an SPI");
  expect_refused("ipsec.sa.add", with("algorithm", "rot13"), -32602, "is not an algorithm");
  expect_refused("ipsec.sa.add", with("replay_window", 4097), -32602, "0 to 4096");
  expect_refused("ipsec.sa.add", with("key", "00010203"), -32602, "4 bytes, expected 36");
  expect_refused("ipsec.sa.add", with("key", ""), -32602, "key: expected key and salt");
  expect_refused("ipsec.sa.add", with("key", "1234"), -32602, "key: expected key and salt");
  expect_refused("ipsec.sa.add", with("key", 17), -32602, "key is of type number");
  expect_refused("ipsec.sa.add", with("key", {kKey}), -32602, "key is of type array");
  Json none = sa;
  none.erase("key");
  expect_refused("ipsec.sa.add", none, -32602, "key is missing");
  good("ipsec.sa.add", sa);
  expect_refused("ipsec.sa.add", sa, -32002, "");
}

TEST_F(ApiOf, KeyIsNeverSaidAgain) {
  add_tunnel();
  const std::string broken = std::string{kKey}.substr(0, 70) + "zz";
  const Json error = bad("ipsec.sa.add", {{"tunnel", "ipsec0"},
                                          {"direction", "in"},
                                          {"spi", 4096},
                                          {"algorithm", "aes-gcm-256"},
                                          {"key", broken}});
  EXPECT_EQ(code(error), -32602);
  EXPECT_THAT(error.dump(), testing::Not(HasSubstr("00010203")));
  // Not even where it does not belong.
  EXPECT_THAT(bad("version", {{"key", kKey}}).dump(), testing::Not(HasSubstr("00010203")));
}

TEST_F(ApiOf, TakesSeveralKeysOfABatchEachToItsOwn) {
  add_tunnel();
  Json batch = Json::array();
  for (int i = 0; i < 3; ++i)
    batch.push_back({{"jsonrpc", "2.0"},
                     {"id", i},
                     {"method", "ipsec.sa.add"},
                     {"params",
                      {{"tunnel", "ipsec0"},
                       {"direction", "in"},
                       {"spi", 4096 + i},
                       {"algorithm", i == 1 ? "aes-gcm-128" : "aes-gcm-256"},
                       {"key", i == 1 ? std::string{kKey}.substr(0, 40) : kKey}}}});
  for (const Json& reply : ask(batch.dump())) EXPECT_TRUE(reply.contains("result")) << reply;
  EXPECT_EQ(good("ipsec.sa.list").size(), 3u);
}

TEST_F(ApiOf, Sysctls) {
  EXPECT_EQ(good("sysctl.get", {{"name", "net.inet.ip.ttl"}})["value"], 64);
  const Json changes =
      good("sysctl.set", {{"values", {{"net.inet.ip.ttl", 32}, {"net.inet.ip.forwarding", 1}}}});
  EXPECT_EQ(changes.size(), 2u);
  EXPECT_EQ(good("sysctl.get", {{"name", "net.inet.ip.ttl"}})["value"], 32);
  const Json below = good("sysctl.list", {{"prefix", "net.inet.ip"}});
  EXPECT_GE(below.size(), 2u);
  EXPECT_FALSE(below[0].value("description", "").empty());
  EXPECT_EQ(bad("sysctl.list", {{"prefix", "nothing"}})["data"]["code"], "NotFound");
}

TEST_F(ApiOf, SysctlsAreSetAllOrNone) {
  expect_refused("sysctl.set",
                 {{"values", {{"net.inet.ip.forwarding", 1}, {"net.inet.ip.ttl", 256}}}}, -32000,
                 "1 to 255");
  expect_refused("sysctl.set", {{"values", {{"net.inet.ip.forwarding", 1}, {"nothing", 1}}}},
                 -32001, "nearest");
  expect_refused("sysctl.set", {{"values", {{"net.inet.ip.ttl", "32"}}}}, -32602,
                 "values.net.inet.ip.ttl is of type string, expected an integer");
  expect_refused("sysctl.set", {{"values", {{"net.inet.ip.ttl", 18446744073709551615u}}}}, -32602,
                 "out of range");
  expect_refused("sysctl.set", {{"values", Json::object()}}, -32602, "empty");
}

TEST_F(ApiOf, Stats) {
  const Json all = good("stats");
  for (const char* part : {"packets", "drops", "stages", "workers", "interfaces", "usage"})
    EXPECT_TRUE(all.contains(part)) << part;
  EXPECT_EQ(good("stats.drops").size(), core::kDropReasons);
  EXPECT_FALSE(good("stats.stages").empty());
  EXPECT_EQ(good("stats.workers").size(), 1u);
  EXPECT_EQ(good("stats.interfaces")[0]["name"], "lan0");
  EXPECT_FALSE(good("stats.usage").empty());
}

TEST_F(ApiOf, ParametersAreNamedInErrors) {
  expect_refused("route.get", Json::object(), -32602, "destination is missing, expected a string");
  expect_refused("route.get", {{"destination", 7}}, -32602, "destination is of type number");
  expect_refused("route.get", {{"destination", "10.0.0.1"}, {"via", "x"}}, -32602,
                 "unknown parameter \"via\", expected one of: destination");
  expect_refused("interface.set", {{"name", "lan0"}}, -32602, "nothing to set");
  expect_refused("interface.set", {{"name", "lan0"}, {"mtu", 1}}, -32602, "68 to 65535");
  expect_refused("interface.set", {{"name", "lan0"}, {"mtu", 1500.5}}, -32602, "an integer");
  expect_refused("interface.set", {{"name", "lan0"}, {"up", "yes"}}, -32602, "true or false");
  expect_refused("interface.set", {{"name", "lan0"}, {"up", false}, {"extra", 1}}, -32602,
                 "unknown parameter \"extra\"");
  expect_refused("interface.create", {{"driver", std::string("a\0b", 3)}}, -32602, "NUL");
}

TEST_F(ApiOf, PingIsAnsweredWhenItsReplyComes) {
  good("arp.add", {{"interface", "lan0"}, {"address", "10.0.0.7"}, {"mac", "02:00:00:00:00:07"}});
  manager.poll(1'000'000);
  shard.worker.now_us = 1'000'000;
  (void)port.take_sent();
  client->send(R"({"jsonrpc":"2.0","id":"p","method":"ping","params":{"destination":"10.0.0.7"}})"
               "\n");
  client->send(R"({"jsonrpc":"2.0","id":"v","method":"version"})"
               "\n");
  EXPECT_EQ(answer()["id"], "v");
  rcu.enter(0);
  polluxd::run_once(shard, manager.published().read());
  rcu.offline(0);
  const auto sent = port.take_sent();
  const auto request = std::ranges::find_if(sent, is_ip4);
  ASSERT_NE(request, sent.end());
  port.push(echo_reply(*request));
  shard.worker.now_us = 1'000'700;
  rcu.online(0);
  polluxd::run_once(shard, manager.published().read());
  rcu.leave(0);
  manager.poll(1'001'000);
  const Json reply = answer();
  EXPECT_EQ(reply["id"], "p");
  EXPECT_EQ(reply["result"]["source"], "10.0.0.7") << reply;
  EXPECT_EQ(reply["result"]["ttl"], 64);
  EXPECT_EQ(reply["result"]["rtt_us"], 700);
}

TEST_F(ApiOf, PingWithoutAReplyIsATimeout) {
  manager.poll(1'000'000);
  client.emplace(path);
  client->send(
      R"([{"jsonrpc":"2.0","id":1,"method":"ping","params":{"destination":"10.0.0.7","timeout_ms":500}},{"jsonrpc":"2.0","id":2,"method":"version"}])"
      "\n");
  server->poll();
  server->poll();
  manager.poll(1'499'000);
  client->read();
  EXPECT_FALSE(client->line());  // the batch waits for its last answer
  manager.poll(1'500'000);
  const Json reply = answer();
  ASSERT_EQ(reply.size(), 2u);
  EXPECT_EQ(reply[1]["id"], 1);
  EXPECT_EQ(reply[1]["error"]["data"]["code"], "Timeout");
}

TEST_F(ApiOf, PingOfAClientThatHasGone) {
  manager.poll(1'000'000);
  client.emplace(path);
  client->send(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"destination":"10.0.0.7"}})"
               "\n");
  server->poll();
  server->poll();
  client.reset();
  server->poll();
  manager.poll(3'000'000);
  EXPECT_TRUE(good("version").contains("pollux"));
}

TEST_F(ApiOf, PingThatCannotBeSent) {
  EXPECT_EQ(bad("ping", {{"destination", "192.0.2.1"}})["data"]["code"], "NotFound");
  EXPECT_EQ(code(bad("ping", {{"destination", "10.0.0.7"}, {"size", 70000}})), -32602);
}

TEST(ApiDocumentation, HasAHeadingForEachMethod) {
  std::ifstream file{POLLUX_DOCS "/api.md"};
  std::string headings;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("### ")) headings += line.substr(3) + ",";
  using namespace polluxd;
  for (const auto methods :
       {interface_methods(), driver_methods(), event_methods(), observe_methods(), route_methods(),
        ipsec_methods(), stats_methods(), config_methods()})
    for (const Method& m : methods)
      EXPECT_THAT(headings, HasSubstr(" " + std::string{m.name} + ","));
}
}  // namespace
