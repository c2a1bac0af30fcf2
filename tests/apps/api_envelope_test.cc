// SPDX-License-Identifier: BSD-3-Clause
#include <random>

#include "tests/apps/api_lab.hh"

/// JSON-RPC 2.0 itself: what a request is, what an answer is.
namespace {
using test::Json;
using testing::HasSubstr;

struct Envelope : test::ApiLab {
  /// A request that is no request: its code, and nothing has changed.
  int refused(const std::string& line) {
    const Json reply = ask(line);
    EXPECT_EQ(reply.value("jsonrpc", ""), "2.0");
    EXPECT_TRUE(reply.contains("id") && reply["id"].is_null()) << reply;
    EXPECT_FALSE(reply.contains("result"));
    return code(reply.value("error", Json{}));
  }
};

TEST_F(Envelope, GivesTheIdBackAsItCame) {
  for (const char* id :
       {"1", "-7", "0", "2.5", "\"text\"", "\"\"", "null", "18446744073709551615"}) {
    const Json reply = ask(std::string{R"({"jsonrpc":"2.0","method":"version","id":)"} + id + "}");
    EXPECT_EQ(reply["id"], Json::parse(id));
    EXPECT_TRUE(reply.contains("result"));
  }
}

TEST_F(Envelope, GivesTheIdBackWithAnError) {
  const Json reply = ask(R"({"jsonrpc":"2.0","method":"nonsense","id":"a"})");
  EXPECT_EQ(reply["id"], "a");
  EXPECT_EQ(code(reply["error"]), -32601);
  EXPECT_THAT(message(reply["error"]), HasSubstr("nonsense"));
}

TEST_F(Envelope, RefusesWhatIsNoJson) {
  for (const char* line :
       {"hello", "{", "[", "{\"a\":}", "\x80\xff", "{\"jsonrpc\":\"2.0\"", "nul", "'a'", "{}{}"})
    EXPECT_EQ(refused(line), -32700) << line;
}

TEST_F(Envelope, RefusesWhatIsNoRequest) {
  for (const char* line :
       {"1", "null", "\"version\"", "{}", "[]", R"({"method":"version","id":null})",
        R"({"jsonrpc":"1.0","method":"version"})", R"({"jsonrpc":2.0,"method":"version"})",
        R"({"jsonrpc":"2.0","id":null})", R"({"jsonrpc":"2.0","method":7})",
        R"({"jsonrpc":"2.0","method":"version","id":[1]})",
        R"({"jsonrpc":"2.0","method":"version","id":{}})",
        R"({"jsonrpc":"2.0","method":"version","id":true})",
        R"({"jsonrpc":"2.0","method":"version","params":1})",
        R"({"jsonrpc":"2.0","method":"version","param":{}})"})
    EXPECT_EQ(refused(line), -32600) << line;
}

TEST_F(Envelope, RefusesPositionalParameters) {
  const Json reply = ask(R"({"jsonrpc":"2.0","method":"version","params":[1],"id":1})");
  EXPECT_EQ(code(reply["error"]), -32602);
  EXPECT_TRUE(good("version", Json::array()).contains("dpdk"));
}

TEST_F(Envelope, DoesNotAnswerNotifications) {
  client.emplace(path);
  client->send(
      R"({"jsonrpc":"2.0","method":"sysctl.set","params":{"values":{"net.inet.ip.ttl":9}}})"
      "\n");
  client->send(R"({"jsonrpc":"2.0","method":"nonsense"})"
               "\n");
  client->send(R"([{"jsonrpc":"2.0","method":"version"},{"jsonrpc":"2.0","method":"version"}])"
               "\n");
  EXPECT_EQ(good("sysctl.get", {{"name", "net.inet.ip.ttl"}})["value"], 9);  // the only answer
  EXPECT_TRUE(client->received().empty());
}

TEST_F(Envelope, AnswersABatchAsOne) {
  const Json reply =
      ask(R"([{"jsonrpc":"2.0","method":"version","id":1},{"jsonrpc":"2.0","method":"version"},7,)"
          R"({"jsonrpc":"2.0","method":"nonsense","id":2}])");
  ASSERT_TRUE(reply.is_array());
  ASSERT_EQ(reply.size(), 3u);
  EXPECT_EQ(reply[0]["id"], 1);
  EXPECT_EQ(code(reply[1]["error"]), -32600);
  EXPECT_EQ(code(reply[2]["error"]), -32601);
}

TEST_F(Envelope, RefusesABatchThatIsTooLarge) {
  std::string line = "[0";
  for (int i = 0; i < 256; ++i) line += ",0";
  EXPECT_EQ(refused(line + "]"), -32600);
}

TEST_F(Envelope, RefusesNestingWithoutEnd) {
  const std::string open(300'000, '['), objects = [] {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "{\"a\":";
    return text;
  }();
  EXPECT_EQ(refused(open), -32600);
  EXPECT_EQ(refused(objects), -32600);
  EXPECT_EQ(refused(R"({"jsonrpc":"2.0","method":"version","id":null,"params":{"a":)" + open),
            -32600);
  EXPECT_TRUE(good("version").contains("pollux"));
}

TEST_F(Envelope, RefusesALineThatIsTooLong) {
  client.emplace(path);
  const std::string part(100'000, ' ');
  for (std::size_t sent = 0; sent <= (1u << 20);) {
    sent += client->send(part);
    server->poll();
  }
  EXPECT_EQ(code(answer()["error"]), -32600);
  client->send("\n");
  EXPECT_TRUE(good("version").contains("pollux"));
}

TEST_F(Envelope, BearsAnObjectOfManyMembers) {
  std::string line = R"({"jsonrpc":"2.0","method":"version","id":1,"params":{"x":0)";
  for (int i = 0; i < 60'000; ++i) line += ",\"" + std::to_string(i) + "\":0";
  EXPECT_EQ(code(ask(line + "}}")["error"]), -32602);
}

TEST_F(Envelope, ChangesNothingWhateverComes) {
  const Json before = state();
  const std::string good_line =
      R"({"jsonrpc":"2.0","id":1,"method":"route.add","params":{"prefix":"10.9.0.0/16","via":"10.0.0.9"}})";
  std::mt19937 random{5};
  constexpr std::string_view kBytes = "{}[]\":,\\ \t0x-e\x01\x80\xff";
  for (int round = 0; round < 3000; ++round) {
    std::string line = good_line;
    // A hole in the method's name, so that no mutation is the good request again.
    line.erase(line.find("route.add") + random() % 9, 1);
    for (auto n = random() % 8; n > 0; --n)
      line[random() % line.size()] = kBytes[random() % kBytes.size()];
    client.reset();
    client.emplace(path);
    say(line);
    server->poll();
  }
  client.reset();
  EXPECT_EQ(state(), before);
}
}  // namespace
