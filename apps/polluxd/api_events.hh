// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "apps/polluxd/manager.hh"
#include "core/control_server.hh"

namespace polluxd {
/// Who hears of which events. What happens during a request is told when the request has been
/// answered, in the order in which it happened. Manager thread.
class Subscriptions {
public:
  using Token = core::ControlServer::Token;
  using Kinds = std::uint32_t;  ///< bit n: ManagerEvent::Kind n

  /// @param server  outlives this or is replaced before it goes; null: nobody is told.
  void serve(core::ControlServer* server) noexcept { server_ = server; }
  /// The client hears of these kinds too, from now on until it goes.
  void add(Token token, Kinds kinds);
  void forget(Token token) { kinds_.erase(token); }

  /// Holds back what is taken, while a request is being done.
  void hold(bool on);
  void take(const ManagerEvent& event);

private:
  struct Told {
    Kinds kind;
    std::string line;
  };
  void tell(const Told& what);

  core::ControlServer* server_ = nullptr;
  std::map<Token, Kinds> kinds_;
  std::vector<Told> held_;
  bool holding_ = false;
};

/// "link.up"
[[nodiscard]] std::string_view to_text(ManagerEvent::Kind kind) noexcept;
}  // namespace polluxd
