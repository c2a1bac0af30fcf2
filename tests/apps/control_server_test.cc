// SPDX-License-Identifier: BSD-3-Clause
#include "core/control_server.hh"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <random>
#include <thread>

#include "tests/apps/temporary_folder.hh"
#include "tests/apps/unix_client.hh"

namespace {
using core::ControlServer;
using test::UnixClient;
using testing::HasSubstr;

/// A server that answers each line with "echo LINE", "long" for an oversized one, and keeps the
/// token of "later".
struct Server : testing::Test {
  test::TemporaryFolder folder;
  std::string path = folder / "0.sock";
  ControlServer::Options options{
      .path = path, .max_request = 1000, .max_pending = 100'000, .max_clients = 8};
  std::unique_ptr<ControlServer> server;
  std::vector<std::string> lines;
  std::vector<ControlServer::Token> later, subscribers;
  std::size_t oversized = 0;

  void SetUp() override { start(); }
  void start() {
    auto made =
        ControlServer::listen(options, [this](auto token, std::string& line, bool too_long) {
          on_request(token, line, too_long);
        });
    ASSERT_TRUE(made) << made.error().context;
    server = *std::move(made);
  }
  void on_request(ControlServer::Token token, const std::string& line, bool too_long) {
    lines.push_back(line);
    if (too_long) ++oversized;
    if (line == "later") return later.push_back(token);
    if (line == "subscribe") {
      server->subscribe(token);
      subscribers.push_back(token);
    }
    if (line == "quiet") return server->answer(token, "");
    server->answer(token, too_long ? "long" : "echo " + line);
  }

  /// Lets the server work until `done` holds. The limit is only there to end a failing test.
  ::testing::AssertionResult until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return ::testing::AssertionFailure() << "never";
      pollfd waiting{server->descriptor(), POLLIN, 0};
      ::poll(&waiting, 1, 10);
      server->poll();
    }
    return ::testing::AssertionSuccess();
  }
  ::testing::AssertionResult answered(UnixClient& client, std::string_view expected) {
    std::optional<std::string> line;
    const auto came = until([&] {
      client.read();
      return (line = client.line()).has_value();
    });
    if (!came) return came;
    if (*line == expected) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << *line;
  }
};

TEST_F(Server, AnswersALine) {
  UnixClient client{path};
  client.send("hello\n");
  EXPECT_TRUE(answered(client, "echo hello"));
}

TEST_F(Server, WaitsForTheRestOfALine) {
  UnixClient client{path};
  for (const char c : std::string{"hello\n"}) {
    EXPECT_TRUE(lines.empty());
    client.send({&c, 1});
    server->poll();
  }
  EXPECT_TRUE(answered(client, "echo hello"));
  EXPECT_EQ(lines.size(), 1u);
}

TEST_F(Server, TakesSeveralLinesOfOneRead) {
  UnixClient client{path};
  client.send("a\nb\r\n\n\nc\nrest");
  EXPECT_TRUE(answered(client, "echo a"));
  EXPECT_TRUE(answered(client, "echo b"));
  EXPECT_TRUE(answered(client, "echo c"));
  client.send(" of it\n");
  EXPECT_TRUE(answered(client, "echo rest of it"));
}

TEST_F(Server, TakesALineAsLongAsAllowed) {
  UnixClient client{path};
  const std::string line(options.max_request, 'x');
  client.send(line + '\n');
  EXPECT_TRUE(answered(client, "echo " + line));
}

TEST_F(Server, RefusesALongerLineOnceAndGoesOnAfterIt) {
  UnixClient client{path};
  client.send(std::string(options.max_request + 1, 'x'));
  EXPECT_TRUE(answered(client, "long"));  // before its end has come
  client.send(std::string(5000, 'y'));
  client.send("tail\nnext\n");
  EXPECT_TRUE(answered(client, "echo next"));
  EXPECT_EQ(oversized, 1u);
  EXPECT_EQ(lines, (std::vector<std::string>{"", "next"}));
}

TEST_F(Server, GivesBinaryLinesAsTheyAre) {
  UnixClient client{path};
  std::mt19937 random{7};
  std::string bytes(500, '\0');
  for (char& c : bytes) {
    do c = static_cast<char>(random());
    while (c == '\n' || c == '\r');
  }
  client.send(bytes + '\n');
  EXPECT_TRUE(answered(client, "echo " + bytes));
}

TEST_F(Server, BearsAnyBytesInAnyPortions) {
  std::mt19937 random{11};
  for (int round = 0; round < 50; ++round) {
    UnixClient client{path};
    for (int i = 0; i < 20; ++i) {
      std::string bytes(random() % 3000, '\0');
      for (char& c : bytes) c = static_cast<char>(random());
      client.send(bytes);
      server->poll();
      client.read();
    }
  }
  EXPECT_TRUE(until([&] { return server->clients() == 0; }));
  UnixClient client{path};
  client.send("alive\n");
  EXPECT_TRUE(answered(client, "echo alive"));
}

TEST_F(Server, AnswersLater) {
  UnixClient client{path};
  client.send("later\n");
  ASSERT_TRUE(until([&] { return later.size() == 1; }));
  client.send("now\n");
  EXPECT_TRUE(answered(client, "echo now"));
  server->answer(later[0], "at last");
  EXPECT_TRUE(answered(client, "at last"));
}

TEST_F(Server, ForgetsTheAnswerOfAClientThatHasGone) {
  UnixClient client{path};
  client.send("later\n");
  ASSERT_TRUE(until([&] { return later.size() == 1; }));
  client.close();
  ASSERT_TRUE(until([&] { return server->clients() == 0; }));
  UnixClient other{path};
  ASSERT_TRUE(until([&] { return server->clients() == 1; }));
  server->answer(later[0], "secret of the first client");
  other.send("mine\n");
  EXPECT_TRUE(answered(other, "echo mine"));
  EXPECT_TRUE(other.received().empty());
}

TEST_F(Server, AnswersAClientThatOnlyStoppedSending) {
  UnixClient client{path};
  client.send("now\nlater\nunfinished");
  client.shut_down_sending();
  ASSERT_TRUE(until([&] { return later.size() == 1; }));
  EXPECT_TRUE(answered(client, "echo now"));
  server->poll();
  EXPECT_EQ(server->clients(), 1u);  // an answer is still due
  server->answer(later[0], "at last");
  EXPECT_TRUE(until([&] { return !client.read(); }));
  EXPECT_EQ(client.line(), "at last");
  EXPECT_EQ(lines.size(), 2u);
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(Server, ClosesWhenNothingIsDue) {
  UnixClient client{path};
  client.send("quiet\n");
  client.shut_down_sending();
  EXPECT_TRUE(until([&] { return !client.read(); }));
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(server->clients(), 0u);
}

TEST_F(Server, ClosesAReaderThatIsTooSlow) {
  UnixClient slow{path}, other{path};
  const std::string request = std::string(900, 'x') + '\n';
  ASSERT_TRUE(until([&] { return server->clients() == 2; }));
  // It asks and never reads: what the socket holds, then max_pending, then it is closed.
  ASSERT_TRUE(until([&] {
    for (int i = 0; i < 50; ++i) slow.send(request);
    return server->clients() == 1;
  }));
  other.send("alive\n");
  EXPECT_TRUE(answered(other, "echo alive"));
}

TEST_F(Server, SendsAnAnswerThatIsLargerThanTheSocketHolds) {
  UnixClient client{path};
  client.send("later\n");
  ASSERT_TRUE(until([&] { return later.size() == 1; }));
  const std::string large(3'000'000, 'z');
  server->answer(later[0], large);
  EXPECT_TRUE(answered(client, large));
}

TEST_F(Server, SendsWhatNobodyAskedForBehindTheAnswers) {
  UnixClient client{path};
  client.send("subscribe\n");
  ASSERT_TRUE(answered(client, "echo subscribe"));
  EXPECT_TRUE(server->send(subscribers[0], "first\nsec"));
  EXPECT_TRUE(server->send(subscribers[0], "ond\n"));
  client.send("more\n");
  EXPECT_TRUE(answered(client, "first"));
  EXPECT_TRUE(answered(client, "second"));
  EXPECT_TRUE(answered(client, "echo more"));
}

TEST_F(Server, KeepsASubscriberThatOnlyStoppedSending) {
  UnixClient client{path};
  client.send("subscribe\n");
  client.shut_down_sending();
  ASSERT_TRUE(answered(client, "echo subscribe"));
  server->poll();
  ASSERT_EQ(server->clients(), 1u);
  EXPECT_TRUE(server->send(subscribers[0], "news\n"));
  EXPECT_TRUE(answered(client, "news"));
  client.close();
  EXPECT_TRUE(until([&] { return server->clients() == 0; }));
  EXPECT_FALSE(server->send(subscribers[0], "too late\n"));
}

TEST_F(Server, TellsOnceThatAClientHasGone) {
  std::vector<ControlServer::Token> gone;
  server->on_close([&](ControlServer::Token token) { gone.push_back(token); });
  UnixClient client{path}, other{path};
  client.send("subscribe\n");
  ASSERT_TRUE(answered(client, "echo subscribe"));
  EXPECT_TRUE(gone.empty());
  client.close();
  EXPECT_TRUE(until([&] { return server->clients() == 1; }));
  EXPECT_EQ(gone, subscribers);
}

TEST_F(Server, ClosesASubscriberThatDoesNotRead) {
  UnixClient slow{path}, other{path};
  slow.send("subscribe\n");
  other.send("subscribe\n");
  ASSERT_TRUE(until([&] { return subscribers.size() == 2; }));
  const std::string news = std::string(900, 'x') + '\n';
  std::size_t sent = 0;
  while (server->send(subscribers[0], news)) ++sent;
  EXPECT_GT(sent * news.size(), options.max_pending);
  EXPECT_EQ(server->clients(), 1u);
  EXPECT_EQ(server->pending(subscribers[0]), 0u);
  EXPECT_TRUE(server->send(subscribers[1], "news\n"));
  EXPECT_TRUE(answered(other, "echo subscribe"));
  EXPECT_TRUE(answered(other, "news"));
}

TEST_F(Server, TurnsAwayMoreClientsThanAllowed) {
  std::vector<UnixClient> clients;
  for (std::size_t i = 0; i < options.max_clients; ++i) clients.emplace_back(path);
  ASSERT_TRUE(until([&] { return server->clients() == options.max_clients; }));
  UnixClient extra{path};
  EXPECT_TRUE(until([&] { return !extra.read(); }));
  clients[3].send("alive\n");
  EXPECT_TRUE(answered(clients[3], "echo alive"));
  clients.pop_back();
  ASSERT_TRUE(until([&] { return server->clients() == options.max_clients - 1; }));
  UnixClient next{path};
  next.send("in\n");
  EXPECT_TRUE(answered(next, "echo in"));
}

TEST_F(Server, BearsClientsThatComeAndGo) {
  for (int i = 0; i < 500; ++i) {
    UnixClient client{path};
    client.send(i % 2 == 0 ? "half a line" : "a\nb\nlater\n");
    if (i % 7 == 0) server->poll();
  }
  EXPECT_TRUE(until([&] { return server->clients() == 0; }));
  for (const auto token : later) server->answer(token, "too late");
}

TEST_F(Server, SetsTheModeWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0177}}) {
    server.reset();
    const mode_t before = ::umask(mask);
    start();
    ::umask(before);
    struct stat found {};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0660u);
  }
}

TEST_F(Server, RemovesTheSocketAtTheEnd) {
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Server, LeavesAFileThatIsNotItsOwn) {
  std::filesystem::remove(path);
  folder.write("0.sock", "somebody else's");
  server.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Server, IsRefusedWhereAnotherListens) {
  const auto second = ControlServer::listen(options, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, core::Errc::Exists);
  UnixClient client{path};  // the first is unharmed
  client.send("hello\n");
  EXPECT_TRUE(answered(client, "echo hello"));
}

TEST_F(Server, ReplacesTheSocketOfADeadDaemon) {
  server.reset();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  ASSERT_EQ(::bind(fd, generic, sizeof address), 0);
  ::close(fd);  // the file stays, as after SIGKILL
  ASSERT_TRUE(std::filesystem::exists(path));
  start();
  UnixClient client{path};
  client.send("hello\n");
  EXPECT_TRUE(answered(client, "echo hello"));
}

TEST_F(Server, DoesNotReplaceWhatIsNoSocket) {
  server.reset();
  folder.write("0.sock", "precious");
  const auto made = ControlServer::listen(options, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, core::Errc::Invalid);
  EXPECT_THAT(made.error().context, HasSubstr("not a socket"));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Server, MakesItsFolder) {
  options.path = folder / "run/pollux/0.sock";
  start();
  EXPECT_TRUE(UnixClient{options.path}.connected());
}

TEST_F(Server, RefusesAPathThatIsTooLong) {
  options.path = folder / std::string(200, 'x');
  const auto made = ControlServer::listen(options, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, core::Errc::Invalid);
  EXPECT_THAT(made.error().context, HasSubstr("expected 1 to 107"));
}
}  // namespace
