// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/stream_file.hh"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "apps/gen/options.hh"
#include "apps/gen/units.hh"

namespace gen {
namespace {
const std::string kPorts =
    "[[port]]\nname = \"a\"\ndevice = \"null\"\n[[port]]\nname = \"b\"\ndevice = \"null\"\n";
const std::string kStream =
    kPorts + "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"10.1.0.2\"\ndst = \"10.2.0.2\"\n";

std::string error_of(const std::string& text) {
  const auto plan = parse_streams("f.toml", text, {});
  return plan ? "" : plan.error().context;
}

TEST(StreamFile, ReadsAStream) {
  const auto plan = parse_streams(
      "f",
      kStream +
          "vlan = [{id = 7, pcp = 2, proto = \"802.1ad\"}, 8]\nsize = [[128, 3], 256]\n"
          "src_port = {min = 1, max = 9, step = 2}\nrate = \"2.5 Mpps\"\n",
      {});
  ASSERT_TRUE(plan) << plan.error().context;
  const StreamPlan& s = plan->streams[0];
  EXPECT_EQ(s.name, "stream0");
  EXPECT_EQ(s.to, 1u);
  ASSERT_EQ(s.vlans.size(), 2u);
  EXPECT_EQ(s.vlans[0].tpid, 0x88a8);
  EXPECT_TRUE(s.vlans[1].id.min == 8);
  EXPECT_EQ(s.size.mix[0].weight, 3u);
  EXPECT_TRUE(s.src_port.max == 9 && s.src_port.step == 2);
  EXPECT_EQ(s.rate.value, 2.5e6);
}

TEST(StreamFile, AddressesMayBeAPrefix) {
  const auto plan =
      parse_streams("f",
                    kPorts +
                        "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"2001:db8::1\""
                        "\ndst = {prefix = \"2001:db8:1::/48\", random = true}\nsize = 84\n",
                    {});
  ASSERT_TRUE(plan) << plan.error().context;
  const FieldPlan& dst = plan->streams[0].dst;
  EXPECT_TRUE(plan->streams[0].is_ip6);
  EXPECT_TRUE(dst.min == Wide{0x20010db80001} << 80);
  EXPECT_TRUE(dst.max == dst.min + (Wide{1} << 80) - 1);
  EXPECT_EQ(dst.kind, FieldPlan::Kind::Random);
}

TEST(StreamFile, DevicesOfTheCommandLine) {
  const auto plan = parse_streams("f", "[[port]]\nname = \"left\"\naddress = \"10.1.0.2/24\"\n",
                                  {{"null,name=left", "left"}, {"null", ""}});
  ASSERT_TRUE(plan) << plan.error().context;
  ASSERT_EQ(plan->ports.size(), 2u);
  EXPECT_EQ(plan->ports[0].device, "null,name=left");
  EXPECT_EQ(plan->ports[1].name, "port1");
}

TEST(StreamFile, ErrorsSayWhereAndWhatWasExpected) {
  struct Case {
    std::string text, expected;
  };
  const Case cases[] = {
      {kStream + "size = 63\n", "f.toml:12:8: size is out of range, expected 64 to 9600"},
      {kStream + "protocol = \"tcp\"\n",
       "f.toml:8:8: stream stream0: a frame of 64 bytes has no room for headers and signature, "
       "expected 76 or more"},
      {kStream + "vlan = 3\nsize = \"imix\"\n",
       "f.toml:13:8: stream stream0: a frame of 64 bytes has no room for headers and signature, "
       "expected 68 or more"},
      {kStream + "rate = \"fast\"\n",
       "f.toml:12:8: rate: \"fast\" is not a rate, expected \"max\", \"50%\", \"2 Mpps\" or \"1.5 "
       "Gbit/s\""},
      {kStream + "sizes = 64\n", "f.toml:12:1: unknown key \"sizes\" in [[stream]]"},
      {kPorts + "[[stream]]\nfrom = \"c\"\n",
       "f.toml:8:8: from: there is no port \"c\", expected one of: a, b"},
      {kStream + "vlan = 4095\n", "f.toml:12:8: vlan is out of range, expected 1 to 4094"},
      {kStream + "src_port = {min = 9, max = 3}\n",
       "f.toml:12:28: max is below min, expected min to max"},
      {"[[port]]\nname = \"a\"\n",
       "f.toml:2:8: port a has no device, expected \"device\" here or -d DRIVER,...,name=a"},
      {"[[port]]\nname = \"a\"\ndevice = \"x\"\ngateway = \"10.0.0.1\"\n",
       "f.toml:4:11: gateway 10.0.0.1: the port has no address of its family"},
      {"[[stream]\n", "f.toml:1:"},
  };
  for (const Case& c : cases) {
    const std::string said = error_of(c.text);
    EXPECT_TRUE(said.starts_with(c.expected)) << said << "\nexpected " << c.expected;
  }
}

TEST(StreamFile, FamiliesDoNotMix) {
  EXPECT_NE(error_of(kPorts + "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"10.1.0.2\"\ndst = "
                              "\"2001:db8::1\"\nsize = 100\n")
                .find("expected an IPv6 address"),
            std::string::npos);
}

// What stands in the documentation is read by the reader that it documents.
TEST(StreamFile, TheExamplesOfTheDocumentationAreRead) {
  std::ifstream in{POLLUX_DOCS "/gen.md"};
  std::ostringstream text;
  text << in.rdbuf();
  const std::string all = text.str();
  int examples = 0;
  for (std::size_t at = 0; (at = all.find("```toml\n", at)) != std::string::npos; ++examples) {
    at += 8;
    const std::string example = all.substr(at, all.find("```", at) - at);
    const auto plan = parse_streams("gen.md", example, {});
    EXPECT_TRUE(plan) << plan.error().context;
    if (plan) { EXPECT_FALSE(plan->streams.empty()); }
  }
  EXPECT_GE(examples, 1);
  const auto file = read_streams(POLLUX_DOCS "/gen.example.toml",
                                 {{"null,name=left", "left"}, {"null,name=right", "right"}});
  ASSERT_TRUE(file) << file.error().context;
}

TEST(Units, Rates) {
  EXPECT_EQ(parse_rate("max")->unit, RatePlan::Unit::Max);
  EXPECT_EQ(parse_rate("50%")->value, 50);
  EXPECT_EQ(parse_rate("10Gbit/s")->value, 10e9);
  EXPECT_EQ(parse_rate("10 kpps")->value, 10e3);
  for (const char* bad :
       {"", "0 pps", "101%", "-1 pps", "1 mpps", "pps", "0x10 pps", "1e999 pps", "10", "nan pps"})
    EXPECT_FALSE(parse_rate(bad)) << bad;
  EXPECT_EQ(*parse_ratio("0.5%"), 0.005);
  EXPECT_FALSE(parse_ratio("100%"));
  EXPECT_FALSE(parse_line_rate("10 Mpps"));
}

TEST(Options, CommandLines) {
  const auto parse = [](std::vector<const char*> argv) {
    argv.insert(argv.begin(), "pollux-gen");
    return parse_options(static_cast<int>(argv.size()), argv.data());
  };
  const auto run = parse({"-d", "null,name=a", "-c", "f.toml", "--duration", "3"});
  ASSERT_TRUE(std::holds_alternative<Options>(run));
  EXPECT_EQ(std::get<Options>(run).duration_s, 3);
  const auto bench = parse({"-c", "f", "rfc2544", "--sizes", "64,128", "--pdr", "0.5%", "-q"});
  ASSERT_TRUE(std::holds_alternative<Options>(bench)) << std::get<Leave>(bench).text;
  EXPECT_EQ(std::get<Options>(bench).benchmark.sizes.size(), 2u);
  EXPECT_EQ(std::get<Options>(bench).benchmark.pdr, 0.005);
  EXPECT_TRUE(std::get<Options>(bench).quiet);
  const auto replay = parse({"-d", "null", "replay", "x.pcap", "--rate", "max", "--loops", "3"});
  ASSERT_TRUE(std::holds_alternative<Options>(replay)) << std::get<Leave>(replay).text;
  EXPECT_EQ(std::get<Options>(replay).replay_loops, 3u);
  for (const auto& bad : std::vector<std::vector<const char*>>{{},
                                                               {"run"},
                                                               {"-c", "f", "rfc2544", "--pdr", "x"},
                                                               {"-c", "f", "--line-rate", "5 pps"},
                                                               {"-c", "f", "fly"},
                                                               {"-d", "null", "replay"}})
    EXPECT_EQ(std::get<Leave>(parse(bad)).status, 2);
  EXPECT_EQ(std::get<Leave>(parse({"--version"})).status, 0);
}
}  // namespace
}  // namespace gen
