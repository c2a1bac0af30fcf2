// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Private to api*.cc: json.hpp is slow to compile.
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/polluxd/api_events.hh"
#include "apps/polluxd/api_observe.hh"
#include "apps/polluxd/manager.hh"
#include "core/error.hh"

namespace polluxd {
class Configuration;

using Json = nlohmann::json;  // not ordered_json: that takes quadratic time for many members

/// Why a call is not answered with a result. Thrown by parameters and methods, caught around each
/// call.
struct CallError {
  static constexpr int kParseError = -32700, kInvalidRequest = -32600, kMethodNotFound = -32601,
                       kInvalidParams = -32602, kInternalError = -32603;
  int code;
  std::string message;
  Json data = nullptr;  ///< null: none
};
/// The refusal of the manager: code -32000 less the Errc, data {"code": "NotFound"}.
[[nodiscard]] CallError refusal(const core::Error& error);
[[noreturn]] void bad_params(std::string text);

/// The value of a request that was done. @throws CallError
template <class T>
T done_or_throw(core::Expected<T> result) {
  if (!result) throw refusal(result.error());
  return *std::move(result);
}

/// A key, taken out of the request's text before the JSON parser sees it.
using Keys = std::vector<core::Expected<crypto::Secret>>;
/// Moves the string of every member "key" of `line` into a Secret, and puts the number of it in
/// its place. Also refuses nesting without end.
/// @return the keys | Invalid: nested too deep.
[[nodiscard]] core::Expected<Keys> take_keys(std::string& line);

/// The named parameters of one call. Every function throws CallError, with the parameter's name and
/// what was expected.
class Params {
public:
  /// @param keys  of the request line.
  Params(const Json* object, Keys& keys);

  [[nodiscard]] bool has(std::string_view name);
  [[nodiscard]] std::string text(std::string_view name);
  [[nodiscard]] std::string text(std::string_view name, std::string otherwise);
  [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t min, std::uint32_t max);
  [[nodiscard]] std::uint32_t number(std::string_view name, std::uint32_t min, std::uint32_t max,
                                     std::uint32_t otherwise);
  [[nodiscard]] std::int64_t integer(std::string_view name);
  [[nodiscard]] bool boolean(std::string_view name);
  [[nodiscard]] bool boolean(std::string_view name, bool otherwise);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);
  /// An object whose values are strings or integers (given as text).
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> options(std::string_view name);
  /// An object whose values are integers.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> integers(std::string_view name);
  /// An array of objects, each read by `read`.
  void objects(std::string_view name, const std::function<void(Params&)>& read);
  /// A security parameter index: an integer or a string such as "0x1000".
  [[nodiscard]] std::uint32_t spi(std::string_view name);
  [[nodiscard]] crypto::Secret key(std::string_view name);

  /// A text that `parse` (spec_syntax.hh) turns into a value of its own.
  template <class T>
  [[nodiscard]] T parsed(std::string_view name, core::Expected<T> (*parse)(std::string_view)) {
    return convert(name, text(name), parse);
  }
  template <class T>
  [[nodiscard]] std::vector<T> all_parsed(std::string_view name,
                                          core::Expected<T> (*parse)(std::string_view)) {
    std::vector<T> values;
    for (const std::string& item : texts(name)) values.push_back(convert(name, item, parse));
    return values;
  }

  /// Refuses the parameters that were not asked for. Called before anything is done.
  void done() const;

private:
  [[nodiscard]] const Json* find(std::string_view name);
  [[nodiscard]] const Json& need(std::string_view name, std::string_view expected);
  template <class T>
  static T convert(std::string_view name, const std::string& value,
                   core::Expected<T> (*parse)(std::string_view)) {
    auto result = parse(value);
    if (!result) bad_params(std::string{name} + ": " + result.error().context);
    return *std::move(result);
  }

  const Json* object_;
  Keys& keys_;
  std::vector<std::string> known_;
};

/// Gives the answer of a call that comes later; called once.
using Reply = std::function<void(const core::Expected<Json>&)>;

/// Who calls, for methods whose effect lasts as long as the connection.
struct Caller {
  core::ControlServer* server;  ///< null: there is none
  core::ControlServer::Token token;
  Subscriptions& subscriptions;
  Watchers& watchers;
  bool batch;  ///< one call of several: its answer may come late
};

/// What JSON-RPC knows as a method. One of the functions is set.
struct Method {
  std::string_view name;
  Json (*call)(Manager&, Params&) = nullptr;
  void (*call_later)(Manager&, Params&, Reply) = nullptr;
  Json (*call_from)(Manager&, Params&, const Caller&) = nullptr;
  Json (*configure)(Configuration&, Params&) = nullptr;
};
[[nodiscard]] std::span<const Method> interface_methods();
[[nodiscard]] std::span<const Method> driver_methods();
[[nodiscard]] std::span<const Method> event_methods();
[[nodiscard]] std::span<const Method> observe_methods();
[[nodiscard]] std::span<const Method> route_methods();
[[nodiscard]] std::span<const Method> vrf_methods();
[[nodiscard]] std::span<const Method> ipsec_methods();
[[nodiscard]] std::span<const Method> stats_methods();
[[nodiscard]] std::span<const Method> config_methods();
}  // namespace polluxd
