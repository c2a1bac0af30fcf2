// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "apps/polluxd/config_file.hh"
#include "tests/apps/temporary_folder.hh"

namespace {
using testing::HasSubstr;
using testing::StartsWith;

/// A file, and how the refusal goes on after the file's name.
struct Case {
  const char* name;
  const char* text;
  const char* position;  ///< "line:column: "
  const char* says;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class ConfigError : public testing::TestWithParam<Case> {};

TEST_P(ConfigError, NamesThePlaceAndWhatWasExpected) {
  const test::TemporaryFolder folder;
  folder.write("short.key", "00112233445566778899aabbccddeeff\n");
  folder.write("open.key", "000102030405060708090a0b0c0d0e0f10111213\n", 0644);
  const std::string path = folder.write("c.toml", GetParam().text);
  const auto config = polluxd::read_config(path);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, core::Errc::Invalid);
  EXPECT_THAT(config.error().context, StartsWith(path + ":" + GetParam().position));
  EXPECT_THAT(config.error().context, HasSubstr(GetParam().says));
}

constexpr Case kSyntax[] = {
    {"NoValue", "[workers]\ncount = \n", "2:9: ", "not valid TOML: missing value"},
    {"NoKey", "= 1\n", "1:1: ", "not valid TOML"},
    {"OpenTable", "[workers\n", "1:1: ", "invalid key"},
    {"OpenString", "[control]\nsocket_directory = \"abc\n", "2:20: ", "not a valid string"},
    {"TwiceAKey", "[workers]\ncount = 1\ncount = 2\n", "3:9: ", "already exists"},
    {"TwiceATable", "[workers]\n[workers]\n", "2:1: ", "already exists"},
    {"BadUtf8", "[control]\nsocket_directory = \"a\xff\"\n", "2:22: ", "not UTF-8"},
    {"Text", "hello, world\n", "1:", "not valid TOML"},
};

constexpr Case kKeys[] = {
    {"UnknownTable", "[worker]\ncount = 1\n",
     "1:2: ", "unknown key \"worker\" in the file, expected one of: workers, limits"},
    {"UnknownKey", "[workers]\ncount = 1\n  cuont = 2\n",
     "3:3: ", "unknown key \"cuont\" in [workers], expected one of: count, cpus, idle_sleep_us"},
    {"UnknownTopLevel", "forwarding = 1\n", "1:1: ", "unknown key \"forwarding\""},
    {"UnknownInTheMiddle", "[[interface]]\ndriver = \"x\"\nfoo = 1\nzoo = 2\n",
     "3:1: ", "unknown key \"foo\" in [[interface]]"},
    {"UnknownInline",
     "[[tunnel]]\nname = \"t\"\nlocal = \"1.2.3.4\"\nremote = \"1.2.3.5\"\n"
     "selectors = [{local = \"default\", remote = \"default\", port = 1}]\n",
     "5:54: ", "unknown key \"port\" in selectors"},
    {"UnknownLimit", "[limits]\nmbuf = 1\n", "2:1: ", "unknown key \"mbuf\" in [limits]"},
    {"InlineKey",
     "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\n"
     "algorithm = \"aes-gcm-128\"\nkey_file = \"x\"\nkey = \"0001\"\n",
     "7:1: ", "unknown key \"key\" in [[sa]]"},
    {"NoDriver", "[[interface]]\nname = \"a\"\n", "1:1: ", "[[interface]] has no \"driver\""},
    {"SecondHasNoDriver", "[[interface]]\ndriver = \"x\"\n[[interface]]\nname = \"a\"\n",
     "3:1: ", "has no \"driver\""},
    {"NoPrefix", "[[route]]\nvia = \"1.2.3.4\"\n", "1:1: ", "[[route]] has no \"prefix\""},
};

constexpr Case kTypes[] = {
    {"TextForNumber", "[workers]\ncount = \"2\"\n",
     "2:9: ", "count is a string, expected an integer, 1 to 64"},
    {"FloatForNumber", "[workers]\ncount = 2.0\n", "2:9: ", "a floating-point number"},
    {"NumberForText", "[[interface]]\ndriver = 3\n",
     "2:10: ", "driver is an integer, expected a string"},
    {"NumberForBool", "[[interface]]\ndriver = \"x\"\nup = 1\n",
     "3:6: ", "up is an integer, expected true or false"},
    {"NumberForTable", "workers = 3\n", "1:11: ", "[workers] is an integer, expected a table"},
    {"TableForTables", "[interface]\ndriver = \"x\"\n",
     "1:1: ", "expected tables, each under [[interface]]"},
    {"TextForArray", "[eal]\nargs = \"--no-huge\"\n",
     "2:8: ", "args is a string, expected an array"},
    {"NumberInArray", "[eal]\nargs = [\"a\",\n  7]\n",
     "3:3: ", "args is an integer, expected a string"},
    {"DateForText", "[control]\nsocket_directory = 2020-01-01\n", "2:20: ", "a date or time"},
    {"FloatForOption", "[[interface]]\ndriver = \"x\"\noptions = {a = 1.5}\n",
     "3:16: ", "expected a string or an integer"},
    {"NameAsOption", "[[interface]]\ndriver = \"x\"\noptions = {name = \"a\"}\n",
     "3:12: ", "the name is no option"},
    {"TextForSysctl", "[sysctl]\n\"net.inet.ip.ttl\" = \"64\"\n",
     "2:21: ", "expected an integer, true or false"},
    {"BareSysctl", "[sysctl]\nnet.inet.ip.ttl = 64\n",
     "2:1: ", "expected an integer, true or false"},
    {"TablesOfNumbers", "interface = [1]\n", "1:14: ", "[[interface]] is an integer"},
};

constexpr Case kRanges[] = {
    {"NoWorkers", "[workers]\ncount = 0\n", "2:9: ", "count is out of range, expected 1 to 64"},
    {"Negative", "[workers]\nidle_sleep_us = -1\n", "2:17: ", "expected 0 to 1000000"},
    {"HugeNumber", "[limits]\nmbufs = 99999999999999999999\n", "2:9: ", "mbufs is out of range"},
    {"Beyond32Bits", "[limits]\nroutes = 4294967297\n", "2:10: ", "routes is out of range"},
    {"SmallMbuf", "[limits]\nmbuf_size = 100\n", "2:13: ", "mbuf_size is out of range"},
    {"NextHops", "[limits]\nnext_hops = 1048577\n", "2:13: ", "expected 16 to 1048576"},
    {"Cpu", "[workers]\ncpus = [0, 5000]\n", "2:12: ", "cpus is out of range"},
    {"CpusPerWorker", "[workers]\ncount = 3\ncpus = [0, 1]\n",
     "3:8: ", "cpus has 2 entries, expected one per worker: 3"},
    {"Mtu", "[[interface]]\ndriver = \"x\"\nmtu = 67\n", "3:7: ", "mtu is out of range"},
    {"Spi", "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 255\n",
     "4:7: ", "spi is out of range, expected 256 to 4294967295"},
    {"SpiText", "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = \"0x100000000\"\n",
     "4:7: ", "\"0x100000000\" is not an SPI"},
    {"Window",
     "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = \"aes-gcm-128\"\n"
     "key_file = \"x\"\nreplay_window = 5000\n",
     "7:17: ", "replay_window is out of range, expected 0 to 4096"},
};

constexpr Case kValues[] = {
    {"Address", "[[interface]]\ndriver = \"x\"\naddress = [\"10.0.0.1/24\", \"10.0.0.256/24\"]\n",
     "3:27: ", "address: \"10.0.0.256/24\" is not an address with a prefix length"},
    {"Length", "[[interface]]\ndriver = \"x\"\naddress = \"10.0.0.1/33\"\n",
     "3:11: ", "\"10.0.0.1/33\" is not"},
    {"Via", "[[route]]\nprefix = \"10.0.0.0/8\"\nvia = \"10.0.0\"\n",
     "3:7: ", "via: \"10.0.0\" is not an IP address, expected a text like"},
    {"HostBits", "[[route]]\nprefix = \"10.0.0.1/8\"\nvia = \"10.0.0.1\"\n",
     "2:10: ", "bits below its length are set, expected \"10.0.0.0/8\""},
    {"Nowhere", "[[route]]\nprefix = \"10.0.0.0/8\"\n", "2:10: ", "leads nowhere"},
    {"BlackholeVia",
     "[[route]]\nprefix = \"10.0.0.0/8\"\nkind = \"blackhole\"\nvia = \"1.2.3.4\"\n",
     "2:10: ", "only a unicast route has \"via\", \"interface\" or \"nexthops\""},
    {"NextHopWeight",
     "[[route]]\nprefix = \"10.0.0.0/8\"\nnexthops = [{ via = \"1.2.3.4\", weight = 65536 }]\n",
     "3:41: ", "weight is out of range, expected 1 to 65535"},
    {"NextHopWord",
     "[[route]]\nprefix = \"10.0.0.0/8\"\nnexthops = [{ via = \"1.2.3.4\", metric = 1 }]\n",
     "3:", "metric"},
    {"Kind", "[[route]]\nprefix = \"10.0.0.0/8\"\nkind = \"drop\"\n",
     "3:8: ", "expected \"unicast\", \"blackhole\", \"prohibit\", \"unreachable\" or \"local\""},
    {"Name", "[[interface]]\ndriver = \"x\"\nname = \"0wan\"\n",
     "3:8: ", "is not an interface name"},
    {"LongName", "[[interface]]\ndriver = \"x\"\nname = \"abcdefghijklmnop\"\n",
     "3:8: ", "at most 15 characters"},
    {"Mac", "[[neighbor]]\ninterface = \"a\"\naddress = \"1.2.3.4\"\nmac = \"02-00\"\n",
     "4:7: ", "mac: \"02-00\" is not a MAC address"},
    {"Direction", "[[sa]]\ntunnel = \"t\"\ndirection = \"both\"\n", "3:13: ", "\"in\" or \"out\""},
    {"Algorithm", "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = \"3des\"\n",
     "5:13: ", "expected \"aes-gcm-128\" or \"aes-gcm-256\""},
    {"NoKeyFile",
     "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = \"aes-gcm-128\"\n"
     "key_file = \"none.key\"\n",
     "6:12: ", "none.key"},
    {"OpenKeyFile",
     "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = \"aes-gcm-128\"\n"
     "key_file = \"open.key\"\n",
     "6:12: ", "open.key"},
    {"ShortKey",
     "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = \"aes-gcm-128\"\n"
     "key_file = \"short.key\"\n",
     "6:12: ", "key_file holds 16 bytes, expected 20"},
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Syntax, ConfigError, testing::ValuesIn(kSyntax), name_of);
INSTANTIATE_TEST_SUITE_P(Keys, ConfigError, testing::ValuesIn(kKeys), name_of);
INSTANTIATE_TEST_SUITE_P(Types, ConfigError, testing::ValuesIn(kTypes), name_of);
INSTANTIATE_TEST_SUITE_P(Ranges, ConfigError, testing::ValuesIn(kRanges), name_of);
INSTANTIATE_TEST_SUITE_P(Values, ConfigError, testing::ValuesIn(kValues), name_of);

TEST(ConfigErrors, SaysWhichFileIsMissing) {
  const auto config = polluxd::read_config("/nonexistent/c.toml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().context, HasSubstr("/nonexistent/c.toml: cannot read"));
}

TEST(ConfigErrors, RefusesAFolder) {
  const test::TemporaryFolder folder;
  const auto config = polluxd::read_config(folder / ".");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().context, HasSubstr("cannot read"));
}

TEST(ConfigErrors, NeverShowsKeyMaterial) {
  const test::TemporaryFolder folder;
  folder.write("bad.key", "00112233445566778899aabbccddeeffzz\n");
  const auto config = polluxd::read_config(
      folder.write("c.toml",
                   "[[sa]]\ntunnel = \"t\"\ndirection = \"in\"\nspi = 256\nalgorithm = "
                   "\"aes-gcm-128\"\nkey_file = \"bad.key\"\n"));
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().context, testing::Not(HasSubstr("00112233")));
}

TEST(ConfigErrors, RefusesNestingWithoutEnd) {
  const test::TemporaryFolder folder;
  const std::string deep(200'000, '['), braces = "a = " + std::string(200'000, '{');
  std::string dots = "a";
  for (int i = 0; i < 200'000; ++i) dots += ".a";
  for (const std::string& text :
       {"a = " + deep, deep, braces, dots + " = 1\n", "[" + dots + "]\n"}) {
    const auto config = polluxd::read_config(folder.write("c.toml", text));
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().context, testing::AnyOf(HasSubstr("nested"), HasSubstr("64 parts")));
  }
}

/// Whatever a file holds, there is an answer: mutations of a good one, under the sanitizers.
TEST(ConfigErrors, BearsMutations) {
  const test::TemporaryFolder folder;
  const std::string good =
      "[workers]\ncount = 2\ncpus = [0, 1]\n[sysctl]\n\"net.inet.ip.ttl\" = 3\n[[interface]]\n"
      "driver = \"x\"\noptions = {iface = 'veth0', n = 0x10}\naddress = [\"10.0.0.1/24\"]\n"
      "[[route]]\nprefix = \"default\"\nvia = \"1.2.3.4\"\n# comment\ntext = \"\"\"\na\\n\"\"\"\n";
  std::mt19937 random{3};
  constexpr std::string_view kBytes = "[]{}\"'=.,#\n\r\t \\0aZ-+:_\x80\xff";
  for (int round = 0; round < 1000; ++round) {
    std::string text = good;
    for (auto n = random() % 6 + 1; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = kBytes[random() % kBytes.size()]; break;
        case 1: text.erase(at, random() % 10); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 20));
      }
      if (text.empty()) text = "=";
    }
    const auto config = polluxd::read_config(folder.write("c.toml", text));
    EXPECT_TRUE(config || !config.error().context.empty());
  }
}
}  // namespace
