// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "apps/polluxd/config_file.hh"
#include "apps/polluxd/config_save.hh"
#include "apps/polluxd/manager.hh"
#include "tests/apps/temporary_folder.hh"

namespace {
using polluxd::Config;
using polluxd::read_config;

constexpr const char* kKey128 = "000102030405060708090a0b0c0d0e0f10111213\n";
constexpr const char* kKey256 =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n";

struct ConfigFile : testing::Test {
  test::TemporaryFolder folder;

  /// The configuration that `text` gives; a failure where it is refused.
  Config good(std::string_view text) {
    auto config = read_config(folder.write("c.toml", text));
    if (config) return *std::move(config);
    ADD_FAILURE() << config.error().context;
    return {};
  }
};

TEST_F(ConfigFile, GivesDefaultsForNothing) {
  const Config config = good("# nothing\n");
  EXPECT_EQ(config.workers, 1u);
  EXPECT_EQ(config.idle_sleep_us, 500u);
  EXPECT_EQ(config.limits.mbufs, polluxd::Limits{}.mbufs);
  EXPECT_EQ(config.socket_directory, "/run/pollux");
  EXPECT_TRUE(config.interfaces.empty());
}

TEST_F(ConfigFile, ReadsAndWritesAutoconfAndRtadv) {
  const std::string text = R"([[interface]]
driver = "af_packet"
name = "lan0"
autoconf = true
options = {"iface" = "lan"}

[interface.rtadv]
enabled = false
interval = 60
lifetime = 90
managed = true
mtu = 1400

[[interface.rtadv.prefix]]
prefix = "2001:db8:1::/64"
valid = 100
preferred = 50
autonomous = false
)";
  const Config config = good(text);
  ASSERT_EQ(config.interfaces.size(), 1u);
  EXPECT_TRUE(config.interfaces[0].autoconf);
  polluxd::RtadvSpec wanted;
  wanted.interval_s = 60;
  wanted.lifetime_s = 90;
  wanted.managed = true;
  wanted.mtu = 1400;
  wanted.prefixes = {{.prefix = {*proto::parse_ip6("2001:db8:1::"), 64},
                      .valid_s = 100,
                      .preferred_s = 50,
                      .autonomous = false}};
  EXPECT_EQ(config.interfaces[0].rtadv, wanted);
  EXPECT_EQ(polluxd::to_toml(config), text);
  const Config plain = good("[[interface]]\ndriver = \"x\"\n[interface.rtadv]\ninterval = 30\n");
  EXPECT_TRUE(plain.interfaces[0].rtadv.enabled) << "the table is enough";
  EXPECT_EQ(plain.interfaces[0].rtadv.lifetime_s, 90u) << "three intervals";
}

TEST_F(ConfigFile, ReadsAndWritesGroups) {
  const std::string text = R"([[interface]]
driver = "af_packet"
name = "lan0"
groups = ["239.1.2.3", "ff05::2"]
)";
  const Config config = good(text);
  ASSERT_EQ(config.interfaces.at(0).groups.size(), 2u);
  EXPECT_EQ(config.interfaces[0].groups[0], core::IpAddress{0xef010203});
  EXPECT_EQ(polluxd::to_toml(config), text);
}

TEST_F(ConfigFile, ReadsTheProcessTables) {
  const Config config = good(R"(
[workers]
count = 2
cpus = [2, 3]
idle_sleep_us = 0
[limits]
mbufs = 16384
mbuf_size = 4096
interfaces = 8
routes = 65536
route_groups = 512
next_hops = 2048
neighbors = 100
tunnels = 5
sas = 10
[control]
socket_directory = "/tmp/sockets"
[drivers]
path = ["/opt/drivers", "/usr/lib/more"]
[eal]
args = ["--log-level=8"]
[sysctl]
"net.inet.ip.forwarding" = true
"net.inet.ip.ttl" = 32
)");
  EXPECT_EQ(config.workers, 2u);
  EXPECT_EQ(config.cpus, (std::vector<unsigned>{2, 3}));
  EXPECT_EQ(config.idle_sleep_us, 0u);
  EXPECT_EQ(config.limits.mbufs, 16384u);
  EXPECT_EQ(config.limits.mbuf_size, 4096u);
  EXPECT_EQ(config.limits.interfaces, 8u);
  EXPECT_EQ(config.limits.routes, 65536u);
  EXPECT_EQ(config.limits.route_groups, 512u);
  EXPECT_EQ(config.limits.next_hops, 2048u);
  EXPECT_EQ(config.limits.neighbors, 100u);
  EXPECT_EQ(config.limits.tunnels, 5u);
  EXPECT_EQ(config.limits.sas, 10u);
  EXPECT_EQ(config.socket_directory, "/tmp/sockets");
  EXPECT_EQ(config.driver_path, (std::vector<std::string>{"/opt/drivers", "/usr/lib/more"}));
  EXPECT_EQ(config.eal_args, (std::vector<std::string>{"--log-level=8"}));
  ASSERT_EQ(config.sysctls.size(), 2u);
  EXPECT_EQ(config.sysctls[0], (std::pair<std::string, std::int64_t>{"net.inet.ip.forwarding", 1}));
  EXPECT_EQ(config.sysctls[1], (std::pair<std::string, std::int64_t>{"net.inet.ip.ttl", 32}));
}

TEST_F(ConfigFile, CountsWorkersByTheirCpus) {
  EXPECT_EQ(good("[workers]\ncpus = [1, 2, 3]\n").workers, 3u);
}

TEST_F(ConfigFile, ReadsInterfaces) {
  const Config config = good(R"(
[[interface]]
driver = "af_packet"
name = "wan0"
address = ["192.0.2.1/24", "198.51.100.1/25"]
mtu = 1400
up = false
options = {iface = "veth0", queues = 2}
[[interface]]
driver = "memif"
address = "10.0.0.1/31"
)");
  ASSERT_EQ(config.interfaces.size(), 2u);
  const auto& wan = config.interfaces[0];
  EXPECT_EQ(wan.driver, "af_packet");
  EXPECT_EQ(wan.name, "wan0");
  EXPECT_EQ(wan.addresses, (std::vector<proto::IpPrefix>{{0xc0000201, 24}, {0xc6336401, 25}}));
  EXPECT_EQ(wan.mtu, 1400u);
  EXPECT_FALSE(wan.up);
  EXPECT_EQ(wan.options, (std::vector<std::pair<std::string, std::string>>{{"iface", "veth0"},
                                                                           {"queues", "2"}}));
  const auto& memif = config.interfaces[1];
  EXPECT_EQ(memif.name, "");
  EXPECT_EQ(memif.mtu, 0u);
  EXPECT_TRUE(memif.up);
  EXPECT_EQ(memif.addresses, (std::vector<proto::IpPrefix>{{0x0a000001, 31}}));
}

TEST_F(ConfigFile, ReadsTunnelsAndAssociations) {
  std::filesystem::create_directory(folder / "keys");
  folder.write("keys/in.key", kKey256);
  folder.write("keys/out.key", kKey128, 0640);
  const Config config = good(R"(
[[tunnel]]
name = "ipsec0"
local = "192.0.2.1"
remote = "192.0.2.2"
mtu = 1400
address = "10.255.0.1/30"
selectors = [{local = "10.1.0.0/16", remote = "10.2.0.0/16"}]
[[tunnel]]
name = "ipsec1"
local = "192.0.2.1"
remote = "192.0.2.3"
[[sa]]
tunnel = "ipsec0"
direction = "in"
spi = 0x1000
algorithm = "aes-gcm-256"
key_file = "keys/in.key"
replay_window = 1024
[[sa]]
tunnel = "ipsec0"
direction = "out"
spi = "0xfffffffe"
algorithm = "aes-gcm-128"
key_file = "keys/out.key"
)");
  ASSERT_EQ(config.tunnels.size(), 2u);
  EXPECT_EQ(config.tunnels[0].name, "ipsec0");
  EXPECT_EQ(config.tunnels[0].local, 0xc0000201u);
  EXPECT_EQ(config.tunnels[0].remote, 0xc0000202u);
  EXPECT_EQ(config.tunnels[0].mtu, 1400u);
  ASSERT_EQ(config.tunnels[0].selectors.size(), 1u);
  EXPECT_EQ(config.tunnels[0].selectors[0].local, (proto::Ip4Prefix{0x0a010000, 16}));
  EXPECT_EQ(config.tunnels[0].selectors[0].remote, (proto::Ip4Prefix{0x0a020000, 16}));
  ASSERT_EQ(config.tunnels.size(), 2u);
  EXPECT_EQ(config.tunnels[0].addresses, (std::vector<proto::IpPrefix>{{0x0aff0001, 30}}));
  EXPECT_TRUE(config.tunnels[1].addresses.empty());
  ASSERT_EQ(config.sas.size(), 2u);
  EXPECT_EQ(config.sas[0].spi, 0x1000u);
  EXPECT_EQ(config.sas[0].direction, crypto::Direction::In);
  EXPECT_EQ(config.sas[0].replay_window, 1024u);
  EXPECT_EQ(config.sas[0].key.bytes().size(), 36u);
  EXPECT_EQ(config.sas[0].key.bytes()[35], 0x23);
  EXPECT_EQ(config.sas[1].spi, 0xfffffffeu);
  EXPECT_EQ(config.sas[1].direction, crypto::Direction::Out);
  EXPECT_EQ(config.sas[1].algorithm, crypto::Algorithm::AesGcm128);
  EXPECT_EQ(config.sas[1].key.bytes().size(), 20u);
}

TEST_F(ConfigFile, ReadsRoutesAndNeighbors) {
  const Config config = good(R"(
[[route]]
prefix = "default"
via = "192.0.2.254"
[[route]]
prefix = "10.2.0.0/16"
interface = "ipsec0"
[[route]]
prefix = "10.3.0.0/16"
kind = "blackhole"
[[route]]
prefix = "10.4.0.1"
kind = "prohibit"
[[neighbor]]
interface = "wan0"
address = "192.0.2.254"
mac = "02:00:00:00:00:FE"
)");
  ASSERT_EQ(config.routes.size(), 4u);
  EXPECT_EQ(config.routes[0].prefix, (proto::IpPrefix{proto::Ip4Prefix{}}));
  EXPECT_EQ(config.routes[0].gateway, 0xc00002feu);
  EXPECT_EQ(config.routes[1].interface, "ipsec0");
  EXPECT_FALSE(config.routes[1].gateway);
  EXPECT_EQ(config.routes[2].kind, polluxd::RouteSpec::Kind::Blackhole);
  EXPECT_EQ(config.routes[3].kind, polluxd::RouteSpec::Kind::Prohibit);
  EXPECT_EQ(config.routes[3].prefix.length, 32u);
  ASSERT_EQ(config.neighbors.size(), 1u);
  EXPECT_EQ(config.neighbors[0].interface, "wan0");
  EXPECT_EQ(config.neighbors[0].mac, (core::MacAddress{2, 0, 0, 0, 0, 0xfe}));
}

/// The documentation's full example stands between ```toml and ```.
TEST_F(ConfigFile, ReadsTheExampleOfTheDocumentation) {
  std::ifstream file{POLLUX_DOCS "/configuration.md"};
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const std::string fence = "```toml\n";
  const std::size_t begin = text.find(fence);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = text.find("```", begin + fence.size());
  std::filesystem::create_directory(folder / "keys");
  folder.write("keys/ipsec0-in.key", kKey256);
  folder.write("keys/ipsec0-out.key", kKey256);
  const Config config = good(text.substr(begin + fence.size(), end - begin - fence.size()));
  EXPECT_EQ(config.interfaces.size(), 2u);
  EXPECT_EQ(config.tunnels.size(), 1u);
  EXPECT_EQ(config.sas.size(), 2u);
  EXPECT_FALSE(config.routes.empty());
  EXPECT_FALSE(config.neighbors.empty());
  EXPECT_FALSE(config.sysctls.empty());
}

/// Every sysctl has its row in the documentation's table, with range and first value.
TEST(Documentation, HasEverySysctl) {
  std::ifstream file{POLLUX_DOCS "/configuration.md"};
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  for (const core::SysctlNode& n : polluxd::Manager::default_sysctl().list()) {
    const std::string row = fmt::format("| `{}` | {} to {} | {} | {} |", n.name, n.min, n.max,
                                        n.initial, n.description);
    EXPECT_NE(text.find(row + '\n'), std::string::npos) << "missing:\n" << row;
  }
}
}  // namespace
