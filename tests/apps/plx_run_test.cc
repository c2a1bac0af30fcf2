// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/plx/command_line.hh"
#include "core/control_server.hh"
#include "tests/apps/temporary_folder.hh"

/// The whole program against a server that says what a test tells it.
namespace {
using nlohmann::json;
using testing::HasSubstr;

class PlxRun : public testing::Test {
protected:
  ~PlxRun() override { stop(); }

  /// Answers every request with `answer`, the request's id put in.
  void serve(const json& answer) {
    serve_with([answer](const json& request) {
      json reply = answer;
      reply["id"] = request["id"];
      return reply.dump();
    });
  }
  void serve_with(std::function<std::string(const json&)> answer) {
    auto made = core::ControlServer::listen(
        {.path = folder / "0.sock"},
        [this, answer = std::move(answer)](auto token, std::string& line, bool) {
          requests.push_back(json::parse(line));
          server->answer(token, answer(requests.back()));
        });
    ASSERT_TRUE(made);
    server = *std::move(made);
    thread = std::thread{[this] {
      while (!stopping) {
        pollfd waiting{server->descriptor(), POLLIN, 0};
        ::poll(&waiting, 1, 10);
        server->poll();
      }
    }};
  }
  void stop() {
    stopping = true;
    if (thread.joinable()) thread.join();
    server.reset();
  }
  struct Ran {
    int status;
    std::string out, error;
  };
  Ran run(std::vector<std::string> words) {
    std::vector<const char*> argv{"plx", "--socket-dir", directory.c_str()};
    for (const std::string& word : words) argv.push_back(word.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = plx::run(static_cast<int>(argv.size()), argv.data());
    std::fflush(stdout);
    return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }

  test::TemporaryFolder folder;
  std::string directory = folder / ".";
  std::unique_ptr<core::ControlServer> server;
  std::vector<json> requests;  ///< read after stop()
  std::atomic<bool> stopping{false};
  std::thread thread;
};

const json kDone{{"jsonrpc", "2.0"}, {"result", json::object()}};

TEST_F(PlxRun, SaysNothingWhenItIsDone) {
  serve(kDone);
  const Ran ran = run({"route", "add", "default", "via", "10.0.0.1"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out + ran.error, "");
  stop();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0]["jsonrpc"], "2.0");
  EXPECT_EQ(requests[0]["method"], "route.add");
}

TEST_F(PlxRun, PrintsWhatTheDaemonRefused) {
  serve(
      {{"jsonrpc", "2.0"},
       {"error", {{"code", -32002}, {"message", "route exists"}, {"data", {{"code", "Exists"}}}}}});
  const Ran ran = run({"route", "add", "default", "via", "10.0.0.1"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.error, "plx: route exists\n");
}

TEST_F(PlxRun, StopsAtTheFirstRefusal) {
  serve({{"error", {{"code", -32001}, {"message", "no interface"}}}});
  EXPECT_EQ(run({"ifconfig", "wan0", "inet", "10.0.0.1/24", "up"}).status, 1);
  stop();
  EXPECT_EQ(requests.size(), 1u);
}

TEST_F(PlxRun, PrintsResultsAsJson) {
  serve({{"result", {{{"name", "wan0"}}}}});
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"-j", "ifconfig"}, {"ifconfig", "-j"}}) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.status, 0) << ran.error;
    EXPECT_EQ(json::parse(ran.out), (json{{{"name", "wan0"}}}));
  }
}

TEST_F(PlxRun, SaysThatNobodyListens) {
  const Ran ran = run({"-i", "7", "version"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.error, HasSubstr("7.sock"));
  EXPECT_THAT(ran.error, HasSubstr("is polluxd running?"));
}

TEST_F(PlxRun, RefusesAnAnswerThatIsNone) {
  serve_with([](const json&) { return std::string{"hello"}; });
  const Ran ran = run({"version"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.error, HasSubstr("not JSON-RPC"));
}

TEST_F(PlxRun, UsageErrorsLeaveWithTwoBeforeTheDaemonIsAsked) {
  for (const auto& words : std::vector<std::vector<std::string>>{{},
                                                                 {"nonsense"},
                                                                 {"ifconfig", "wan0", "sideways"},
                                                                 {"route", "add"},
                                                                 {"ipsec"},
                                                                 {"ipsec", "sa", "add"},
                                                                 {"stats", "--nonsense"},
                                                                 {"stats", "--drops", "--stages"},
                                                                 {"sysctl", "a=x"},
                                                                 {"ping"},
                                                                 {"ping", "-c", "0", "10.0.0.1"},
                                                                 {"-i", "x", "version"},
                                                                 {"version", "more"}}) {
    const Ran ran = run(words);
    EXPECT_EQ(ran.status, 2) << (words.empty() ? "" : words.back());
    EXPECT_THAT(ran.error, HasSubstr("plx: "));
  }
}

TEST_F(PlxRun, NamesACommandThatThereIsNot) {
  EXPECT_THAT(run({"ifcfg", "wan0"}).error, HasSubstr("no command \"ifcfg\""));
  EXPECT_THAT(run({}).error, HasSubstr("subcommand is required"));
}

TEST_F(PlxRun, HelpAndVersionLeaveWithZero) {
  EXPECT_THAT(run({"--help"}).out, HasSubstr("ifconfig"));
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_EQ(run({"ifconfig", "--help"}).status, 0);
  EXPECT_THAT(run({"--version"}).out, HasSubstr("plx "));
}

TEST_F(PlxRun, SendsTheKeyAndNeverShowsIt) {
  serve(kDone);
  const std::string key(72, 'a');
  const std::string file = folder.write("k", "  " + key + "\n");
  const Ran ran = run({"ipsec", "sa", "add", "ipsec0", "in", "0x1000", "aes-gcm-256", "--key-file",
                       file, "--replay-window", "64"});
  EXPECT_EQ(ran.status, 0) << ran.error;
  EXPECT_EQ(ran.out + ran.error, "");
  stop();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0]["params"], (json{{"tunnel", "ipsec0"},
                                         {"direction", "in"},
                                         {"spi", "0x1000"},
                                         {"algorithm", "aes-gcm-256"},
                                         {"replay_window", 64},
                                         {"key", key}}));
}

TEST_F(PlxRun, RefusesKeyFilesThatAreNotFit) {
  serve(kDone);
  const std::string key(72, 'a');
  const std::pair<std::string, const char*> cases[] = {
      {folder.write("open", key, 0644), "other users may read it"},
      {folder.write("empty", "\n"), "hexadecimal"},
      {folder.write("text", key + "\" , \"x"), "hexadecimal"},
      {folder.write("long", std::string(5000, 'a')), "longer than any key"},
      {folder / "none", "cannot read"},
      {folder / ".", "cannot be read"},
  };
  for (const auto& [file, says] : cases) {
    const Ran ran =
        run({"ipsec", "sa", "add", "t", "in", "256", "aes-gcm-256", "--key-file", file});
    EXPECT_EQ(ran.status, 1) << file;
    EXPECT_THAT(ran.error, HasSubstr(says)) << file;
    EXPECT_THAT(ran.error, testing::Not(HasSubstr("aaaa")));
  }
  stop();
  EXPECT_TRUE(requests.empty());
}

TEST_F(PlxRun, PingPrintsRepliesAndStatistics) {
  serve({{"result", {{"source", "10.0.0.2"}, {"bytes", 56}, {"ttl", 63}, {"rtt_us", 1500}}}});
  const Ran ran = run({"ping", "-c", "2", "-i", "0", "-s", "56", "10.0.0.2"});
  EXPECT_EQ(ran.status, 0) << ran.error;
  EXPECT_THAT(ran.out, HasSubstr("64 bytes from 10.0.0.2: icmp_seq=2 ttl=63 time=1.500 ms\n"));
  EXPECT_THAT(ran.out, HasSubstr("2 packets transmitted, 2 received, 0% packet loss\n"));
  EXPECT_THAT(ran.out, HasSubstr("rtt min/avg/max = 1.500/1.500/1.500 ms\n"));
  stop();
  EXPECT_EQ(requests[0]["params"],
            (json{{"destination", "10.0.0.2"}, {"size", 56}, {"timeout_ms", 1000}}));
}

TEST_F(PlxRun, PingWithoutAReplyLeavesWithOne) {
  serve({{"error", {{"code", -32006}, {"message", "no reply"}, {"data", {{"code", "Timeout"}}}}}});
  const Ran ran = run({"ping", "-c", "2", "-i", "0", "-W", "10", "10.0.0.2"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr("2 packets transmitted, 0 received, 100% packet loss"));
}

TEST_F(PlxRun, PingShowsErrors) {
  serve({{"result",
          {{"kind", "time-exceeded"},
           {"code", 0},
           {"source", "10.0.0.9"},
           {"bytes", 64},
           {"ttl", 9},
           {"rtt_us", 700}}}});
  const Ran ran = run({"ping", "-c", "1", "-t", "1", "-D", "-I", "10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr("From 10.0.0.9: icmp_seq=1 Time to live exceeded\n"));
  EXPECT_THAT(ran.out, HasSubstr("1 packets transmitted, 0 received, +1 errors, 100% packet loss"));
  stop();
  EXPECT_EQ(requests[0]["params"], (json{{"destination", "10.0.0.2"},
                                         {"size", 56},
                                         {"timeout_ms", 1000},
                                         {"ttl", 1},
                                         {"dont_fragment", true},
                                         {"source", "10.0.0.1"}}));
}

TEST_F(PlxRun, PingSaysThatDataDiffers) {
  serve({{"result",
          {{"kind", "reply"},
           {"intact", false},
           {"source", "::1"},
           {"bytes", 56},
           {"ttl", 64},
           {"rtt_us", 700}}}});
  const Ran ran = run({"ping6", "-c", "1", "::1"});
  EXPECT_THAT(ran.out, HasSubstr("64 bytes from ::1: icmp_seq=1 ttl=64 time=0.700 ms (DATA DIFF"));
  EXPECT_THAT(ran.out, HasSubstr("0 received, +1 corrupted"));
}

TEST_F(PlxRun, TracerouteEndsAtAClosedPort) {
  serve({{"result",
          {{"kind", "unreachable"},
           {"code", 3},
           {"source", "10.0.0.2"},
           {"bytes", 64},
           {"ttl", 64},
           {"rtt_us", 1500}}}});
  const Ran ran = run({"traceroute", "-n", "-q", "2", "10.0.0.2"});
  EXPECT_EQ(ran.status, 0) << ran.error;
  EXPECT_EQ(ran.out,
            "traceroute to 10.0.0.2 (10.0.0.2), 30 hops max, 60 byte packets\n"
            " 1  10.0.0.2  1.500 ms  1.500 ms\n");
  stop();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1]["params"], (json{{"destination", "10.0.0.2"},
                                         {"size", 32},
                                         {"timeout_ms", 2000},
                                         {"ttl", 1},
                                         {"port", 33435}}));
}

TEST_F(PlxRun, TracerouteMarksWhereItEnds) {
  serve({{"result",
          {{"kind", "unreachable"},
           {"code", 13},
           {"source", "10.0.0.9"},
           {"bytes", 64},
           {"ttl", 64},
           {"rtt_us", 1500}}}});
  const Ran ran = run({"traceroute", "-n", "-I", "-q", "1", "10.0.0.2"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr(" 1  10.0.0.9  1.500 ms !X\n"));
}
}  // namespace
