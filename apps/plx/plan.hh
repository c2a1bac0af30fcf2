// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// A command in three steps, so that the first and the last can be tested without a daemon:
/// words -> calls of the API, the calls, their result -> text.
namespace plx {
using Json = nlohmann::json;
using Words = std::vector<std::string>;

/// The command line cannot be understood: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The request was not done: exit status 1.
struct Refused : std::runtime_error {
  Refused(const std::string& text, std::string error_code = {})
      : std::runtime_error{text}, code{std::move(error_code)} {}
  std::string code;  ///< "NotFound", where the daemon gave one
};

struct Call {
  std::string method;
  Json params = Json::object();
};
/// The calls that a command makes, in this order; one that is refused ends it.
struct Plan {
  using Show = std::string (*)(const Json& result);

  Plan() = default;
  explicit Plan(std::string method, Json params = Json::object(), Show shown_by = nullptr)
      : show{shown_by} {
    calls.push_back({std::move(method), std::move(params)});
  }
  std::vector<Call> calls;
  Show show = nullptr;    ///< the last result as text; none: the command says nothing
  unsigned pause_ms = 0;  ///< between two calls
};

// Words to calls. Each throws UsageError.
/// @param groups  show multicast groups as well.
Plan ifconfig(const Words& words, bool groups = false);
/// `mount -T TYPE [-o OPTION,...]... DRIVER`
Plan mount(const std::string& type, const Words& options, const std::string& driver);
Plan driver(const Words& words);
Plan nicinfo(const Words& words);
Plan worker(const Words& words);
/// @param vrf  whose routes; empty: the default one's.
Plan route(Words words, bool all, std::string vrf = {});
Plan vrf(const Words& words);
Plan arp(const Words& words);
/// What of Neighbour Discovery `plx ndp` is asked for.
struct NdpQuery {
  bool prefixes = false, routers = false, remove = false, set = false;
};
Plan ndp(const Words& words, const NdpQuery& query);
Plan ipsec_tunnel(const Words& words);
Plan sysctl(const Words& words, bool describe);
Plan version();

/// What `plx stats` was asked for.
struct StatsQuery {
  bool drops = false, stages = false, workers = false, interfaces = false, usage = false,
       all = false;
};
Plan stats(const StatsQuery& query);

/// `plx ipsec sa`: where the key comes from is part of the plan, the key is not.
struct SaPlan {
  Plan plan;
  std::string key_file;  ///< "-": standard input; empty: the call has no key
};
SaPlan ipsec_sa(const Words& words, const std::string& key_file, const Json& replay_window);

/// A decimal number. @throws UsageError with what it is for.
unsigned long number(const std::string& text, const std::string& what);
}  // namespace plx
