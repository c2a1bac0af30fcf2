// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <map>
#include <string_view>

#include "apps/polluxd/manager.hh"
#include "core/control_server.hh"

namespace polluxd {
/// Whose connection carries a trace or a capture. From the answer to `trace.start` or
/// `capture.start` on, the connection is for that alone. Manager thread.
class Watchers {
public:
  using Token = core::ControlServer::Token;

  explicit Watchers(Manager& manager) : manager_{manager} {}
  void serve(core::ControlServer* server) noexcept { server_ = server; }

  /// The client watches, until one of the two ends it.
  void add(Token token, ObserverId id);
  [[nodiscard]] bool watches(Token token) const { return watchers_.contains(token); }
  /// The client has said something: it wants no more. What is left is sent, then the connection is
  /// closed.
  void stop(Token token);
  /// The client has gone.
  void forget(Token token);

  // For the sinks.
  /// @return false: the client is behind; nothing is sent.
  bool offer(Token token, std::string_view bytes);
  /// Sends in any case.
  void send(Token token, std::string_view bytes);
  void close(Token token);

private:
  /// Bytes that may wait for a client: far less than the server bears.
  static constexpr std::size_t kMaxPending = std::size_t{1} << 20;

  Manager& manager_;
  core::ControlServer* server_ = nullptr;
  std::map<Token, ObserverId> watchers_;
};
}  // namespace polluxd
