// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/driver_registry.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {
using core::Errc;
using polluxd::DriverOptions;
using polluxd::DriverRegistry;
using testing::AllOf;
using testing::HasSubstr;

const std::string kFakes = FAKE_DRIVERS;

class Registry : public testing::Test {
protected:
  /// What load() says of a name it refuses.
  core::Error refused(const std::string& name) {
    auto driver = registry.load(name);
    if (driver) return {Errc::Full, "loaded"};
    return driver.error();
  }
  core::Error refused_text(const std::string& text) {
    auto parsed = registry.parse_device(text);
    if (parsed) return {Errc::Full, "parsed"};
    return parsed.error();
  }
  /// What the fake driver is given, or why it is not asked.
  core::Error open_fake(const DriverOptions& options) {
    auto driver = registry.load("fake_one");
    if (!driver) return driver.error();
    polluxd::PortRequest request;
    request.options = options;
    return registry.open(*driver, request).error();
  }
  DriverRegistry registry{{kFakes}};
};

bool is_mapped(const std::string& file) {
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);)
    if (line.find(file) != std::string::npos) return true;
  return false;
}

TEST_F(Registry, FindsByUniquePartAndByPath) {
  auto part = registry.load("e_one");
  ASSERT_TRUE(part) << part.error().context;
  EXPECT_EQ(polluxd::driver_name(**part), "fake_one");
  auto path = registry.load(kFakes + "/pollux-fake_two.so");
  ASSERT_TRUE(path) << path.error().context;
  EXPECT_EQ(polluxd::driver_name(**path), "fake_two");
}

TEST_F(Registry, WholeNameBeatsPart) {
  // "af_packet" and "af_xdp" are there as well; "memif" names one of them whole.
  auto driver = registry.load("memif");
  ASSERT_TRUE(driver) << driver.error().context;
  EXPECT_EQ(polluxd::driver_name(**driver), "memif");
}

TEST_F(Registry, ListsWhatThereIs) {
  EXPECT_THAT(registry.available(),
              testing::IsSupersetOf({"af_packet", "af_xdp", "dpdk", "fake_one", "fake_two", "memif",
                                     "no_entry", "other_abi", "vlan"}));
}

TEST_F(Registry, UnknownNameTellsTheNames) {
  const auto error = refused("nosuch");
  EXPECT_EQ(error.code, Errc::NotFound);
  EXPECT_THAT(error.context,
              AllOf(HasSubstr("nosuch"), HasSubstr("af_packet, af_xdp, bond, dpdk")));
  EXPECT_EQ(refused("").code, Errc::NotFound);
  EXPECT_EQ(refused("/nowhere/pollux-x.so").code, Errc::NotFound);
}

TEST_F(Registry, AmbiguousNameTellsTheMatches) {
  const auto error = refused("fake");
  EXPECT_EQ(error.code, Errc::Invalid);
  EXPECT_THAT(error.context, HasSubstr("fake_one, fake_two"));
}

TEST_F(Registry, RefusesObjectWithoutEntry) {
  const auto error = refused("no_entry");
  EXPECT_EQ(error.code, Errc::Invalid);
  EXPECT_THAT(error.context, HasSubstr("pollux_driver_entry"));
}

TEST_F(Registry, RefusesOtherAbiWithBothVersions) {
  const auto error = refused("other_abi");
  EXPECT_EQ(error.code, Errc::Invalid);
  EXPECT_THAT(error.context, AllOf(HasSubstr("77"), HasSubstr("version 2")));
}

TEST_F(Registry, RefusesWhatIsNoObject) {
  EXPECT_EQ(refused("/proc/self/status").code, Errc::Invalid);
}

TEST_F(Registry, SearchesTheEnvironmentFirst) {
  ASSERT_EQ(setenv("POLLUX_DRIVER_PATH", ("/nowhere:" + kFakes).c_str(), 1), 0);
  const DriverRegistry with{{}};
  ASSERT_EQ(unsetenv("POLLUX_DRIVER_PATH"), 0);
  const DriverRegistry without{{}};
  EXPECT_TRUE(with.load("fake_one"));
  EXPECT_FALSE(without.load("fake_one"));
}

TEST_F(Registry, UnloadsWithTheLastReference) {
  {
    auto first = registry.load("fake_two");
    auto second = registry.load("fake_two");
    ASSERT_TRUE(first && second);
    (*first).reset();
    EXPECT_TRUE(is_mapped("pollux-fake_two.so"));
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_TRUE(is_mapped("pollux-fake_two.so"));
#else
  EXPECT_FALSE(is_mapped("pollux-fake_two.so"));
#endif
}

TEST_F(Registry, UnloadsARealDriver) {
  { ASSERT_TRUE(registry.load("af_packet")); }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_FALSE(is_mapped("pollux-af_packet.so"));
#endif
}

TEST_F(Registry, FillsInDefaultsInDeclaredOrder) {
  const auto said = open_fake({{"size", "12"}, {"device", "x"}});
  EXPECT_EQ(said.code, Errc::DeviceFailed);
  EXPECT_THAT(said.context, HasSubstr("[device=x][size=12][note=][rest=]"));
  EXPECT_THAT(open_fake({{"device", "y"}}).context, HasSubstr("[device=y][size=7]"));
}

TEST_F(Registry, RefusesBadOptions) {
  const struct {
    const char* name;
    DriverOptions options;
    const char* text;
  } cases[] = {
      {"Unknown", {{"device", "x"}, {"speed", "1"}}, "device, size, note, rest, name"},
      {"Missing", {{"size", "1"}}, "needs device="},
      {"RequiredButEmpty", {{"device", ""}}, "device= is empty"},
      {"NotANumber", {{"device", "x"}, {"size", "12k"}}, "size=\"12k\" is not a number"},
      {"Negative", {{"device", "x"}, {"size", "-1"}}, "is not a number"},
      {"TooLarge", {{"device", "x"}, {"size", "4294967296"}}, "is not a number"},
      {"EmptyNumber", {{"device", "x"}, {"size", ""}}, "is not a number"},
      {"Comma", {{"device", "x,y=1"}}, "holds a comma"},
      {"Twice", {{"device", "x"}, {"device", "y"}}, "given twice"},
  };
  for (const auto& c : cases) {
    const auto error = open_fake(c.options);
    EXPECT_EQ(error.code, Errc::Invalid) << c.name;
    EXPECT_THAT(error.context, HasSubstr(c.text)) << c.name;
  }
}

TEST_F(Registry, ParsesDeviceTexts) {
  const struct {
    const char* text;
    const char* driver;
    DriverOptions options;
    const char* name;
  } cases[] = {
      {"fake_one", "fake_one", {}, ""},
      {"fake_one,name=wan0", "fake_one", {}, "wan0"},
      {"e_one,device=a,size=1,name=wan0", "e_one", {{"device", "a"}, {"size", "1"}}, "wan0"},
      {"fake_one,name=wan0,device=a", "fake_one", {{"device", "a"}}, "wan0"},
      {"fake_one,device=", "fake_one", {{"device", ""}}, ""},
      {"fake_one,device=a=b", "fake_one", {{"device", "a=b"}}, ""},
      {"fake_one,rest=x,y=1,z", "fake_one", {{"rest", "x,y=1,z"}}, ""},
      {"fake_one,rest=x,y=1,name=lan0", "fake_one", {{"rest", "x,y=1"}}, "lan0"},
      {"fake_one,rest=x,name=a,y=1", "fake_one", {{"rest", "x,name=a,y=1"}}, ""},
      {"fake_one,name=lan0,rest=x,y", "fake_one", {{"rest", "x,y"}}, "lan0"},
      {"dpdk,devargs=net_tap0,iface=x", "dpdk", {{"devargs", "net_tap0,iface=x"}}, ""},
      {"dpdk,devargs=0000:03:00.0,a=b,name=wan0",
       "dpdk",
       {{"devargs", "0000:03:00.0,a=b"}},
       "wan0"},
  };
  for (const auto& c : cases) {
    auto parsed = registry.parse_device(c.text);
    ASSERT_TRUE(parsed) << c.text << ": " << parsed.error().context;
    EXPECT_EQ(parsed->driver, c.driver) << c.text;
    EXPECT_EQ(parsed->options, c.options) << c.text;
    EXPECT_EQ(parsed->name, c.name) << c.text;
  }
}

TEST_F(Registry, RefusesBadDeviceTexts) {
  const struct {
    const char* text;
    Errc code;
    const char* says;
  } cases[] = {
      {"", Errc::NotFound, "no driver"},
      {",device=a", Errc::NotFound, "no driver"},
      {"nosuch,device=a", Errc::NotFound, "nosuch"},
      {"fake,device=a", Errc::Invalid, "fake_one, fake_two"},
      {"fake_one,speed=1", Errc::Invalid, "no option \"speed\""},
      {"fake_one,", Errc::Invalid, "no option \"\""},
      {"fake_one,device=a,,size=1", Errc::Invalid, "no option \"\""},
      {"fake_one,device", Errc::Invalid, "device has no value"},
      {"fake_one,device=a,device=b", Errc::Invalid, "given twice"},
      {"fake_one,name=a,name=b", Errc::Invalid, "given twice"},
      {"fake_one,name=", Errc::Invalid, "name= is empty"},
  };
  for (const auto& c : cases) {
    const auto error = refused_text(c.text);
    EXPECT_EQ(error.code, c.code) << c.text;
    EXPECT_THAT(error.context, HasSubstr(c.says)) << c.text;
  }
}

TEST_F(Registry, ListsTheOptionsOfADriver) {
  const auto all = registry.list();
  const auto fake = std::find_if(all.begin(), all.end(),
                                 [](const auto& driver) { return driver.name == "fake_one"; });
  ASSERT_NE(fake, all.end());
  EXPECT_EQ(fake->file, kFakes + "/pollux-fake_one.so");
  ASSERT_EQ(fake->options.size(), 4u);
  EXPECT_EQ(fake->options[0].name, "device");
  EXPECT_EQ(fake->options[0].default_value, std::nullopt);
  EXPECT_EQ(fake->options[0].help, "what to open");
  EXPECT_EQ(fake->options[1].type, POLLUX_OPTION_UINT);
  EXPECT_EQ(fake->options[1].default_value, "7");
  EXPECT_EQ(fake->options[2].default_value, "");
  EXPECT_EQ(fake->options[3].type, POLLUX_OPTION_REST);
}
}  // namespace
