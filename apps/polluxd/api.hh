// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>

#include "apps/polluxd/api_events.hh"
#include "apps/polluxd/api_observe.hh"
#include "apps/polluxd/manager.hh"
#include "core/control_server.hh"

namespace polluxd {
class Configuration;

/// JSON-RPC 2.0 over the control socket: names, checks and shapes of requests and answers
/// (docs/api.md). Each method is one call of the manager. Manager thread. Outlives the manager's
/// outstanding pings.
class Api {
public:
  explicit Api(Manager& manager);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  /// @param server  answers go there until it goes: then call with null, or drop the Api.
  void serve(core::ControlServer* server);
  /// What the methods config.* work on; without it they are refused.
  void configure(Configuration& configuration) noexcept { configuration_ = &configuration; }

  /// One request line (a single call or a batch). Never throws; always answers a request that has
  /// an id, through the server, now or later. Key material in `line` is wiped.
  void request(core::ControlServer::Token token, std::string& line, bool oversized) noexcept;

private:
  struct Request;  ///< one line and the answers to it so far

  void handle(core::ControlServer::Token token, std::string& line, bool oversized);
  void answer(core::ControlServer::Token token, std::string line) noexcept;

  Manager& manager_;
  core::ControlServer* server_ = nullptr;
  Subscriptions subscriptions_;
  Watchers watchers_;
  Configuration* configuration_ = nullptr;
};
}  // namespace polluxd
