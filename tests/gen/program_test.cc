// SPDX-License-Identifier: BSD-3-Clause
// pollux-gen itself, over a wire that does to its frames what it is told to: what it reports must
// be that, to the packet.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/pcapng.hh"

namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

class Program : public testing::Test {
protected:
  Program() {
    std::string pattern = (fs::temp_directory_path() / "pollux-gen-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    (void)setenv("POLLUX_DRIVER_PATH", POLLUX_TEST_DRIVERS, 1);
  }
  ~Program() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  void write(const char* name, const std::string& text) const { std::ofstream{path(name)} << text; }
  [[nodiscard]] std::string read(const char* name) const {
    std::ostringstream text;
    text << std::ifstream{path(name)}.rdbuf();
    return text.str();
  }

  /// @return the exit status; what is said on standard error is in `said_`.
  int run(const std::string& arguments) {
    const std::string command = fmt::format("{} {} -q --json {} > /dev/null 2> {}", POLLUX_GEN,
                                            arguments, path("out.json"), path("err"));
    const int status = std::system(command.c_str());
    said_ = read("err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  Json result() { return Json::parse(read("out.json")); }

  /// One stream over a wire with these options at the sending end. @return what is said of it.
  Json stream_over(const std::string& wire, const std::string& stream,
                   const std::string& arguments = "") {
    write("f.toml", fmt::format("[[port]]\nname = \"a\"\ndevice = \"wire,wire=w{}\"\n"
                                "[[port]]\nname = \"b\"\ndevice = \"wire,wire=w{}\"\n"
                                "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"10.1.0.2\"\n"
                                "dst = \"10.2.0.2\"\nrate = \"{}\"\n{}\n",
                                wire, queues_, rate_, stream));
    const int status =
        run(fmt::format("-c {} --duration 60 --settle 0.3 {}", path("f.toml"), arguments));
    EXPECT_EQ(status, 0) << said_;
    return status == 0 ? result()["streams"][0] : Json{};
  }

  std::string queues_;  ///< ",queues=N" of the far end
  std::string rate_ = "100 kpps";
  std::string said_;
  fs::path folder_;
};

/// That every other figure of a stream is as if nothing had happened.
void expect_else_clean(const Json& s, const std::vector<std::string>& but) {
  for (const char* key : {"lost", "duplicates", "corrupt", "misdelivered", "too_late", "reordered"})
    if (std::ranges::find(but, key) == but.end()) { EXPECT_EQ(s[key], 0) << key; }
}

TEST_F(Program, AGoodWireLosesNothing) {
  const Json s = stream_over("", "packets = 5000\nsize = \"imix\"");
  EXPECT_EQ(s["sent"], 5000);
  EXPECT_EQ(s["received"], 5000);
  EXPECT_EQ(s["sent_bytes"], s["received_bytes"]);
  EXPECT_EQ(s["latency_ns"]["count"], 5000);
  expect_else_clean(s, {});
}

TEST_F(Program, LossIsCountedToThePacket) {
  const Json s = stream_over(",lose=10", "packets = 1005");
  EXPECT_EQ(s["sent"], 1005);
  EXPECT_EQ(s["lost"], 100);
  EXPECT_EQ(s["received"], 905);
  expect_else_clean(s, {"lost"});
}

TEST_F(Program, DuplicatesAreCountedToThePacket) {
  const Json s = stream_over(",duplicate=7", "packets = 1000");
  EXPECT_EQ(s["received"], 1000);
  EXPECT_EQ(s["duplicates"], 142);
  expect_else_clean(s, {"duplicates"});
}

TEST_F(Program, ReorderingIsCountedWithItsExtent) {
  const Json s = stream_over(",reorder=50,depth=4", "packets = 1010");
  EXPECT_EQ(s["reordered"], 20);
  EXPECT_EQ(s["reordering_extent"]["max"], 4);
  EXPECT_EQ(s["reordering_extent"]["mean"], 4);
  EXPECT_EQ(s["received"], 1010);
  expect_else_clean(s, {"reordered"});
}

TEST_F(Program, DamageIsCountedAndLostAsWell) {
  const Json s = stream_over(",corrupt=20", "packets = 1000");
  EXPECT_EQ(s["corrupt"], 50);
  EXPECT_EQ(s["lost"], 50);
  expect_else_clean(s, {"corrupt", "lost"});
}

TEST_F(Program, AllAtOnce) {
  // Of 1000: 100 are lost first; of the rest every multiple of 7 that is none of 10 is doubled.
  const Json s = stream_over(",lose=10,duplicate=7", "packets = 1000\nsize = 200");
  EXPECT_EQ(s["lost"], 100);
  EXPECT_EQ(s["duplicates"], 142 - 14);
}

TEST_F(Program, DelayIsMeasured) {
  const Json s = stream_over(",delay=20000,room=100000", "packets = 500");
  EXPECT_EQ(s["received"], 500);
  EXPECT_GE(s["latency_ns"]["min"], 20'000'000 - 200);  // to the clock's calibration
  EXPECT_GE(s["latency_ns"]["max"], s["latency_ns"]["p99"]);
  EXPECT_GE(s["latency_ns"]["p99"], s["latency_ns"]["p50"]);
}

TEST_F(Program, AFullDeviceLeavesNoHoles) {
  rate_ = "max";
  const Json s = stream_over(",room=4", "packets = 3000");
  EXPECT_EQ(s["sent"], 3000);
  EXPECT_EQ(s["received"], 3000);
  expect_else_clean(s, {});
  EXPECT_GT(result()["ports"][0]["refused"], 0);
}

TEST_F(Program, WorkersShareAStreamAndHandOver) {
  queues_ = ",queues=2";
  const Json s = stream_over(",queues=2,lose=10", "packets = 4001\nsrc_port = {min = 1, max = 64}",
                             "--workers 2");
  EXPECT_EQ(s["sent"], 4001);
  EXPECT_EQ(s["lost"], 400);
  expect_else_clean(s, {"lost", "reordered"});
}

TEST_F(Program, PacketsAtTheWrongPortAreAstray) {
  write("f.toml",
        "[[port]]\nname = \"a\"\ndevice = \"wire,wire=w\"\n"
        "[[port]]\nname = \"b\"\ndevice = \"wire,wire=w\"\n"
        "[[stream]]\nfrom = \"a\"\nto = \"a\"\nsrc = \"10.1.0.2\"\ndst = \"10.2.0.2\"\n"
        "rate = \"100 kpps\"\npackets = 50\n");
  ASSERT_EQ(run(fmt::format("-c {} --settle 0.3", path("f.toml"))), 0) << said_;
  const Json s = result()["streams"][0];
  EXPECT_EQ(s["misdelivered"], 50);
  EXPECT_EQ(s["lost"], 50);
}

TEST_F(Program, BothWaysWithVlansAndIp6) {
  write("f.toml", R"([[port]]
name = "a"
device = "wire,wire=w,lose=10"
address = ["10.0.0.1/24", "2001:db8::1/64"]
gateway = ["10.0.0.2", "2001:db8::2"]
vlan = 100
[[port]]
name = "b"
device = "wire,wire=w"
address = ["10.0.0.2/24", "2001:db8::2/64"]
[[stream]]
from = "a"
to = "b"
src = "2001:db8::1"
dst = {prefix = "2001:db8:1::/48", random = true}
protocol = "tcp"
size = {min = 104, max = 1518, random = true}
rate = "50 kpps"
packets = 1000
[[stream]]
from = "b"
to = "a"
src = "10.0.0.2"
dst = "10.0.0.1"
vlan = [{id = {min = 1, max = 20}, proto = "802.1ad"}, 5]
size = 72
rate = "50 kpps"
packets = 1000
)");
  ASSERT_EQ(run(fmt::format("-c {} --duration 60 --settle 0.3", path("f.toml"))), 0) << said_;
  const Json r = result();
  // The wire has counted the questions for the gateways as well.
  EXPECT_NEAR(r["streams"][0]["lost"].get<int>(), 100, 1);
  EXPECT_EQ(r["streams"][1]["received"], 1000);
  EXPECT_EQ(r["streams"][1]["lost"], 0);
}

TEST_F(Program, AGatewayThatDoesNotAnswerIsNamed) {
  write("f.toml",
        "[[port]]\nname = \"a\"\ndevice = \"wire,wire=w\"\naddress = \"10.0.0.1/24\"\n"
        "gateway = \"10.0.0.9\"\n[[port]]\nname = \"b\"\ndevice = \"wire,wire=w\"\n"
        "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"10.0.0.1\"\ndst = \"10.0.0.2\"\n");
  EXPECT_EQ(run(fmt::format("-c {} --wait 0.3", path("f.toml"))), 1);
  EXPECT_NE(said_.find("no answer from the gateway 10.0.0.9 on a"), std::string::npos) << said_;
}

TEST_F(Program, ACaptureIsReplayed) {
  std::string capture;
  core::pcapng::append_section(capture, "test");
  core::pcapng::append_interface(capture, {});
  for (std::uint32_t n = 0; n < 20; ++n) {
    const std::vector<std::uint8_t> frame(60 + n, static_cast<std::uint8_t>(n));
    core::pcapng::append_packet(
        capture, {.at_ns = 1'000'000'000 + n * 100'000, .length = 60 + n, .bytes = frame});
  }
  write("x.pcapng", capture);
  for (const char* how : {"", "--rate max", "--rate '20 kpps'", "--rate '10 Mbit/s'"}) {
    ASSERT_EQ(run(fmt::format("-d wire,wire=w -d wire,wire=w replay {} --loops 3 {} --settle 0.3",
                              path("x.pcapng"), how)),
              0)
        << said_;
    const Json r = result();
    EXPECT_EQ(r["ports"][0]["sent"], 60);
    EXPECT_EQ(r["ports"][1]["received"], 60) << how;
    EXPECT_EQ(r["ports"][1]["received_bytes"], 3 * (20 * 60 + 190));
    EXPECT_EQ(r["ports"][1]["foreign"], 60);
  }
  EXPECT_EQ(run(fmt::format("-d wire,wire=w -d wire,wire=w replay {}", path("none"))), 1);
  EXPECT_NE(said_.find("none"), std::string::npos);
}

TEST_F(Program, BenchmarksEndWithSaneFigures) {
  write("f.toml",
        "[[port]]\nname = \"a\"\ndevice = \"wire,wire=w,speed=1\"\n"
        "[[port]]\nname = \"b\"\ndevice = \"wire,wire=w,speed=1\"\n"
        "[[stream]]\nfrom = \"a\"\nto = \"b\"\nsrc = \"10.1.0.2\"\ndst = \"10.2.0.2\"\n");
  ASSERT_EQ(run(fmt::format("-c {} --settle 0.2 rfc2544 --sizes 64,256 --trial 0.1 --trials 2 "
                            "--resolution 0.1 --pdr 1%",
                            path("f.toml"))),
            0)
      << said_;
  const Json r = result();
  ASSERT_EQ(r["sizes"].size(), 2u);
  for (const Json& size : r["sizes"]) {
    EXPECT_NEAR(size["line_pps"].get<double>(), 1e6 / ((size["size"].get<double>() + 20) * 8), 1);
    EXPECT_EQ(size["ndr"]["pps"]["trials"], 2);
    EXPECT_EQ(size["latency"].size(), 2u);
    EXPECT_EQ(size["loss"].size(), 2u);  // nothing is lost, at 100 % and 90 %
    EXPECT_EQ(size["loss"][0]["loss_ratio"], 0);
    EXPECT_EQ(size["back_to_back"]["unbounded"], true);
  }
}
}  // namespace
