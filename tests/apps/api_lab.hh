// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/polluxd/api.hh"
#include "apps/polluxd/manager.hh"
#include "apps/polluxd/worker_loop.hh"
#include "core/control_server.hh"
#include "tests/apps/temporary_folder.hh"
#include "tests/apps/unix_client.hh"
#include "tests/support/memory_port.hh"
#include "tests/support/packet_pool.hh"

namespace test {
using Json = nlohmann::json;

/// The API as a client meets it: a real socket, server, manager and shard, one port in memory, one
/// thread, virtual time.
class ApiLab : public testing::Test {
protected:
  ApiLab() {
    api.serve(server.get());
    polluxd::InterfaceSpec spec;
    spec.name = "lan0";
    spec.addresses = {{0x0a000001, 24}};  // 10.0.0.1/24
    polluxd::OpenPort open;
    open.port.port = &port;
    open.port.rx = MemoryPort::rx;
    open.port.tx = MemoryPort::tx;
    std::copy_n(kOurMac.begin(), kOurMac.size(), open.port.mac);
    open.port.mtu = 1500;
    open.port.rx_queues = open.port.tx_queues = 1;
    const auto attached = manager.attach_interface(spec, "memory", std::move(open));
    EXPECT_TRUE(attached) << attached.error().context;
  }

  /// A line, and the line that answers it; null: none came.
  Json ask(const std::string& line) {
    say(line);
    return answer();
  }
  /// A line, in as many portions as the socket takes.
  void say(const std::string& line) {
    if (!client) client.emplace(path);
    const std::string text = line + '\n';
    for (std::string_view rest = text; !rest.empty();) {
      rest.remove_prefix(client->send(rest));
      server->poll();
    }
  }
  Json answer() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    for (;;) {
      server->poll();
      client->read();
      if (const auto text = client->line()) return Json::parse(*text);
      if (std::chrono::steady_clock::now() > limit) return nullptr;
    }
  }
  /// A call. @return the whole answer.
  Json call(const std::string& method, Json params = Json::object()) {
    return ask(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump());
  }
  /// The result of a call that is to be done.
  Json good(const std::string& method, Json params = Json::object()) {
    Json reply = call(method, std::move(params));
    EXPECT_TRUE(reply.contains("result")) << reply.dump();
    return reply.value("result", Json{});
  }
  /// The error of a call that is to be refused.
  Json bad(const std::string& method, Json params = Json::object()) {
    Json reply = call(method, std::move(params));
    EXPECT_TRUE(reply.contains("error")) << reply.dump();
    return reply.value("error", Json{});
  }
  static std::string message(const Json& error) { return error.value("message", ""); }
  static int code(const Json& error) { return error.value("code", 0); }

  /// Everything that a request can change.
  Json state() {
    Json all;
    for (const char* list : {"interface.list", "route.list", "arp.list", "ipsec.tunnel.list",
                             "ipsec.sa.list", "sysctl.list"})
      all[list] = good(list);
    return all;
  }

  TemporaryFolder folder;
  std::string path = folder / "0.sock";
  PacketPool pool;
  MemoryPort port{pool};
  core::Rcu rcu{1};
  polluxd::Limits limits{.interfaces = 8,
                         .routes = 256,
                         .route_groups = 32,
                         .next_hops = 64,
                         .neighbors = 16,
                         .tunnels = 2,
                         .sas = 8};
  polluxd::Shard shard{0, {limits.interfaces, limits.next_hops, limits.sas}, pool.get()};
  std::array<polluxd::Shard*, 1> shards{&shard};
  polluxd::DriverRegistry drivers{{}};
  polluxd::Manager manager{limits, {rcu, shards, {0}, pool.get(), "api_test"}, drivers};
  polluxd::Api api{manager};
  std::unique_ptr<core::ControlServer> server = listen();
  std::optional<UnixClient> client;

private:
  std::unique_ptr<core::ControlServer> listen() {
    auto made = core::ControlServer::listen(
        {.path = path}, [this](auto token, std::string& line, bool oversized) {
          api.request(token, line, oversized);
          EXPECT_EQ(line, std::string(line.size(), '\0')) << "not wiped";
        });
    EXPECT_TRUE(made);
    return *std::move(made);
  }
};
}  // namespace test
