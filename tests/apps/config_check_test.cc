// SPDX-License-Identifier: BSD-3-Clause
// What a file's values mean to each other, looked at without a device.
#include "apps/polluxd/config_check.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kInterfaces = R"([[interface]]
driver = "idle"
name = "lan0"
options = {device = "a"}
address = "10.1.0.1/24"
[[tunnel]]
name = "t0"
local = "192.0.2.1"
remote = "192.0.2.2"
)";

/// @param text  behind kInterfaces, from line 10 on.
std::vector<std::string> complaints(const std::string& text) {
  auto file = polluxd::parse_config("f", kInterfaces + text, {});
  EXPECT_TRUE(file) << file.error().context;
  if (!file) return {};
  return polluxd::complete_config(*file, polluxd::DriverRegistry{{POLLUX_TEST_DRIVERS}});
}

struct Case {
  const char* name;
  const char* text;
  const char* says;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}
class ConfigCheck : public testing::TestWithParam<Case> {};

TEST_P(ConfigCheck, NamesThePlaceAndTheReason) {
  EXPECT_THAT(complaints(GetParam().text), ElementsAre(StartsWith(GetParam().says)));
}

constexpr const char* kSa = "tunnel = \"t0\"\nalgorithm = \"aes-gcm-128\"\nkey_file = \"k\"\n";
const std::string kTwoInbound = std::string{"[[sa]]\ndirection = \"in\"\nspi = 300\n"} + kSa +
                                "[[sa]]\ndirection = \"in\"\nspi = 300\n" + kSa;

const Case kCases[] = {
    {"NoDriver", "[[interface]]\ndriver = \"nonesuch\"\n",
     "f:11:10: interface nonesuch: no driver"},
    {"UnknownOption", "[[interface]]\ndriver = \"idle\"\noptions = {device = \"b\", colour = 1}\n",
     "f:12:11: interface idle0: driver idle has no option \"colour\""},
    {"MissingOption", "[[interface]]\ndriver = \"idle\"\nname = \"x\"\n",
     "f:10:1: interface x: driver idle needs device="},
    {"NameTwice", "[[interface]]\ndriver = \"idle\"\nname = \"lan0\"\noptions = {device = \"b\"}\n",
     "f:12:8: interface lan0: the name is given twice"},
    {"NameOfATunnel",
     "[[interface]]\ndriver = \"idle\"\nname = \"t0\"\noptions = {device = \"b\"}\n",
     "f:7:8: tunnel t0: the name is given twice"},
    {"AddressTwice",
     "[[interface]]\ndriver = \"idle\"\naddress = \"10.1.0.1/25\"\noptions = {device = \"b\"}\n",
     "f:12:11: interface idle0: 10.1.0.1 is already an address of interface lan0"},
    {"BadAddress",
     "[[interface]]\ndriver = \"idle\"\naddress = \"10.2.0.0/24\"\noptions = {device = \"b\"}\n",
     "f:12:11: interface idle0: 10.2.0.0/24 is the address of the subnet"},
    {"NoGroup",
     "[[interface]]\ndriver = \"idle\"\ngroups = [\"10.1.2.3\"]\noptions = {device = \"b\"}\n",
     "f:12:10: interface idle0: 10.1.2.3 is no multicast group"},
    {"GroupTwice",
     "[[interface]]\ndriver = \"idle\"\ngroups = [\"ff05::2\", \"ff05::2\"]\noptions = {device = "
     "\"b\"}\n",
     "f:12:10: interface idle0: ff05::2 is given twice"},
    {"NoParent", "[[interface]]\ndriver = \"vlan\"\noptions = {parent = \"eth9\", id = 5}\n",
     "f:12:11: interface vlan0: parent=eth9: no such interface"},
    {"ParentIsATunnel", "[[interface]]\ndriver = \"vlan\"\noptions = {parent = \"t0\", id = 5}\n",
     "f:12:11: interface vlan0: parent=t0: is a tunnel"},
    {"OwnParent",
     "[[interface]]\ndriver = \"vlan\"\nname = \"v\"\noptions = {parent = \"v\", id = 5}\n",
     "f:13:11: interface v: stands on itself in the end"},
    {"VlanId", "[[interface]]\ndriver = \"vlan\"\noptions = {parent = \"lan0\", id = 4095}\n",
     "f:12:11: interface vlan0: driver vlan: id=4095"},
    {"TunnelToItself", "[[tunnel]]\nname = \"t1\"\nlocal = \"192.0.2.1\"\nremote = \"192.0.2.1\"\n",
     "f:10:1: tunnel t1: local and remote must be two addresses"},
    {"RouteToNowhere", "[[route]]\nprefix = \"default\"\nvia = \"10.9.0.1\"\n",
     "f:12:7: route 0.0.0.0/0: gateway 10.9.0.1 is on no subnet of ours"},
    {"RouteToUs", "[[route]]\nprefix = \"default\"\nvia = \"10.1.0.1\"\n",
     "f:12:7: route 0.0.0.0/0: gateway 10.1.0.1 is our own address"},
    {"RouteOverNothing", "[[route]]\nprefix = \"default\"\ninterface = \"eth9\"\n",
     "f:12:13: route 0.0.0.0/0: no interface eth9"},
    {"RouteTwice",
     "[[route]]\nprefix = \"default\"\nkind = \"prohibit\"\n"
     "[[route]]\nprefix = \"default\"\nkind = \"blackhole\"\n",
     "f:14:10: route 0.0.0.0/0: the prefix is given twice"},
    {"NeighborElsewhere",
     "[[neighbor]]\ninterface = \"lan0\"\naddress = \"10.9.0.1\"\nmac = \"02:00:00:00:00:01\"\n",
     "f:12:11: neighbor 10.9.0.1 on lan0: 10.9.0.1 is on no subnet of lan0"},
    {"NeighborInATunnel",
     "[[neighbor]]\ninterface = \"t0\"\naddress = \"10.9.0.1\"\nmac = \"02:00:00:00:00:01\"\n",
     "f:11:13: neighbor 10.9.0.1 on t0: t0 is a tunnel"},
    {"SaOfNoTunnel",
     "[[sa]]\ntunnel = \"lan0\"\ndirection = \"in\"\nspi = 300\nalgorithm = \"aes-gcm-128\"\n"
     "key_file = \"k\"\n",
     "f:11:10: sa lan0 in 0x0000012c: no tunnel lan0"},
    {"SpiTwice", kTwoInbound.c_str(),
     "f:18:7: sa t0 in 0x0000012c: the inbound SPI is given twice"},
    {"UnknownSysctl", "[sysctl]\n\"net.inet.ip.tll\" = 3\n", "f:11:21: no sysctl"},
    {"SysctlOutOfRange", "[sysctl]\n\"net.inet.ip.ttl\" = 300\n", "f:11:21: "},
    {"TooManyTunnels",
     "[[tunnel]]\nname = \"t1\"\nlocal = \"192.0.2.1\"\nremote = \"192.0.2.3\"\n[limits]\ntunnels "
     "= "
     "1\n",
     "f:10:1: 2 tunnels, limits.tunnels is 1"},
};
INSTANTIATE_TEST_SUITE_P(All, ConfigCheck, testing::ValuesIn(kCases),
                         [](const auto& i) { return i.param.name; });

TEST(ConfigChecks, SayAllAtOnce) {
  EXPECT_EQ(complaints("[[route]]\nprefix = \"default\"\nvia = \"10.9.0.1\"\n"
                       "[[route]]\nprefix = \"10.0.0.0/8\"\nvia = \"10.1.0.1\"\n")
                .size(),
            2u);
}

TEST(ConfigChecks, FillInWhatIsLeftOpen) {
  auto file = polluxd::parse_config(
      "f",
      kInterfaces +
          std::string{"[[interface]]\ndriver = \"idle\"\noptions = {device = \"b\"}\n"
                      "[[interface]]\ndriver = \"idle\"\nname = \"idle0\"\noptions = {device = "
                      "\"c\"}\n[[route]]\nprefix = \"default\"\nvia = \"10.1.0.254\"\n"},
      {});
  ASSERT_TRUE(file) << file.error().context;
  EXPECT_THAT(polluxd::complete_config(*file, polluxd::DriverRegistry{{POLLUX_TEST_DRIVERS}}),
              IsEmpty());
  EXPECT_EQ(file->config.interfaces[1].name, "idle1") << "idle0 is somebody's";
  EXPECT_EQ(file->config.routes[0].interface, "lan0");
}
}  // namespace
