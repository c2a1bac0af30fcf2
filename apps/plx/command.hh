// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <functional>
#include <string>

#include "apps/plx/plan.hh"

namespace CLI {
class App;
}

/// How a command joins plx: a function that declares it, named in the list of command_line.cc.
namespace plx {
/// What all commands share.
struct Session {
  unsigned instance = 0;
  std::string socket, socket_directory = "/run/pollux";
  bool json = false;
  std::function<int()> run;  ///< the command that was chosen; @return the exit status

  [[nodiscard]] std::string path() const;  ///< of the daemon's socket
};

/// Adds a command to `app`; when it is chosen, `run` is kept in the session. What `run` captures
/// holds the command's arguments.
CLI::App* add_command(CLI::App& app, Session& session, const char* name, const char* help,
                      std::function<int()> run);
/// The same for a command that makes calls and shows the last result, as JSON where asked for.
CLI::App* add_planned(CLI::App& app, Session& session, const char* name, const char* help,
                      std::function<Plan()> plan);

/// Makes the calls and prints. @return 0. @throws Refused
int carry_out(const Session& session, const Plan& plan);

void declare_config(CLI::App& app, Session& session);
void declare_routes(CLI::App& app, Session& session);
void declare_ping(CLI::App& app, Session& session);
void declare_events(CLI::App& app, Session& session);
void declare_trace(CLI::App& app, Session& session);
void declare_capture(CLI::App& app, Session& session);
void declare_doctor(CLI::App& app, Session& session);
}  // namespace plx
