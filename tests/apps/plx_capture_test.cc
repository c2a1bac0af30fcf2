// SPDX-License-Identifier: BSD-3-Clause
// plx capture and plx trace: words to calls, what comes to text.
#include <gtest/gtest.h>

#include "apps/plx/capture.hh"
#include "core/pcapng.hh"

namespace {
using namespace plx;

TEST(PlxCapture, WordsBecomeOneCall) {
  const Call call = capture_call({.interfaces = {"lan0", "wan0"},
                                  .filter = {"udp", "and", "port 53"},
                                  .drops = true,
                                  .file = "x",
                                  .count = 5,
                                  .snaplen = 96});
  EXPECT_EQ(call.method, "capture.start");
  EXPECT_EQ(call.params, (Json{{"format", "pcapng"},
                               {"drops", true},
                               {"ipsec", false},
                               {"interfaces", {"lan0", "wan0"}},
                               {"filter", "udp and port 53"},
                               {"count", 5},
                               {"snaplen", 96}}));
  EXPECT_EQ(capture_call({.ipsec = true}).params.at("format"), "json");
  EXPECT_THROW(capture_call({}), UsageError);
}

TEST(PlxCapture, LineOfAPacket) {
  Json packet{{"time", "2026-01-02T03:04:05.000000006Z"},
              {"interface", "lan0"},
              {"direction", "in"},
              {"packet", "a > b, length 60"}};
  EXPECT_EQ(capture_line(packet), "03:04:05.000000006Z lan0 in a > b, length 60");
  packet["interface"] = nullptr;
  packet["drop"] = {{"reason", "X"}, {"text", "why"}, {"layer", "ip4"}};
  EXPECT_EQ(capture_line(packet), "03:04:05.000000006Z - in a > b, length 60, dropped: X: why");
}

TEST(PlxCapture, CountsBlocksInPiecesOfAnySize) {
  const std::vector<std::uint8_t> data(77);
  std::string file;
  core::pcapng::append_section(file, "x");
  core::pcapng::append_interface(file, {.name = "a", .description = ""});
  for (int i = 0; i < 5; ++i)
    core::pcapng::append_packet(file, {.length = 77, .bytes = data, .comment = "c"});
  core::pcapng::append_statistics(file, 0, 1, 9, 4);
  core::pcapng::append_statistics(file, 0, 1, 9, 3);
  for (std::size_t piece = 1; piece < 200; piece += 7) {
    BlockCounter counter;
    for (std::size_t at = 0; at < file.size(); at += piece)
      counter.take(std::string_view{file}.substr(at, piece));
    EXPECT_EQ(counter.packets(), 5u);
    EXPECT_EQ(counter.lost(), 7u);
  }
}

TEST(PlxTrace, TreeOfSteps) {
  const Json way{{"number", 3},
                 {"ended", true},
                 {"steps",
                  {{{"ns", 1000},
                    {"time", "T"},
                    {"worker", 0},
                    {"what", "received on lan0"},
                    {"packet", "frame"}},
                   {{"ns", 3500}, {"worker", 1}, {"what", "stage"}, {"packet", "frame"}},
                   {{"ns", 4000}, {"worker", 1}, {"what", "sent"}, {"packet", "other"}}}}};
  EXPECT_EQ(trace_text(way),
            "packet 3  T\n"
            "       0.000 us  worker 0  received on lan0\n"
            "                           frame\n"
            "       2.500 us  worker 1  stage\n"
            "       3.000 us  worker 1  sent\n"
            "                           other\n");
}
}  // namespace
