// SPDX-License-Identifier: BSD-3-Clause
#include "apps/polluxd/api.hh"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "apps/polluxd/api_method.hh"

namespace polluxd {
namespace {
/// A call of the batch as it came, understood as far as it can be.
struct Call {
  Json id;                    ///< null: none given, or none that can be told
  bool notification = false;  ///< no id: nothing is answered
  const Method* method = nullptr;
  const Json* params = nullptr;
};

const Method* find_method(std::string_view name) {
  for (const auto methods :
       {interface_methods(), driver_methods(), route_methods(), vrf_methods(), ipsec_methods(),
        stats_methods(), event_methods(), observe_methods(), config_methods()})
    for (const Method& method : methods)
      if (method.name == name) return &method;
  return nullptr;
}

bool is_id(const Json& value) {
  return value.is_string() || value.is_number() || value.is_null();
}

Json error_object(const Json& id, const CallError& error) {
  Json object{{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) object["data"] = error.data;
  return Json{{"jsonrpc", "2.0"}, {"error", std::move(object)}, {"id", id}};
}
Json result_object(const Json& id, Json result) {
  return Json{{"jsonrpc", "2.0"}, {"result", std::move(result)}, {"id", id}};
}

/// Text of an answer. Texts that came from outside may hold what is no UTF-8.
std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// JSON-RPC 2.0 section 4. `call.id` is set first, so that even an error carries it.
/// @throws CallError
void read_call(const Json& value, Call& call) {
  const auto refuse = [](std::string text) {
    throw CallError{CallError::kInvalidRequest, std::move(text)};
  };
  if (!value.is_object()) refuse("the request is no object");
  const auto id = value.find("id");
  if (id != value.end() && !is_id(*id)) refuse("id: expected a string, a number or null");
  if (id != value.end()) call.id = *id;
  const auto version = value.find("jsonrpc");
  if (version == value.end() || *version != "2.0") refuse("jsonrpc: expected \"2.0\"");
  const auto method = value.find("method");
  if (method == value.end() || !method->is_string()) refuse("method: expected a string");
  const auto params = value.find("params");
  if (params != value.end() && !params->is_structured())
    refuse("params: expected an object with named parameters");
  for (const auto& [name, member] : value.items())
    if (name != "jsonrpc" && name != "method" && name != "params" && name != "id")
      refuse(fmt::format("unknown member \"{}\" of the request", name.substr(0, 64)));
  call.notification = id == value.end();
  call.params = params == value.end() ? nullptr : &*params;
  const auto& name = method->get_ref<const std::string&>();
  call.method = find_method(name);
  if (call.method == nullptr)
    throw CallError{CallError::kMethodNotFound,
                    fmt::format("no method \"{}\"", name.substr(0, 64))};
}

/// Calls of one batch: their answers are kept until the last has come.
constexpr std::size_t kMaxBatch = 256;
}  // namespace

/// Lives until its last call is answered; deferred calls share it.
struct Api::Request {
  Api& api;
  core::ControlServer::Token token;
  Json document;
  Keys keys;
  bool batch = false;
  std::size_t outstanding = 0;
  Json answers = Json::array();

  void finish(Json answer) {
    if (!answer.is_null()) answers.push_back(std::move(answer));
    if (--outstanding > 0) return;
    if (answers.empty()) return api.answer(token, "");  // notifications only
    api.answer(token, dump(batch ? answers : answers.front()));
  }
  static void run(const std::shared_ptr<Request>& self, const Json& value);
  [[nodiscard]] Json do_now(const Method& method, Params& params) const {
    if (method.call != nullptr) return method.call(api.manager_, params);
    if (api.configuration_ == nullptr)
      throw refusal({core::Errc::Unsupported, "this process has no configuration as a whole"});
    return method.configure(*api.configuration_, params);
  }
};

void Api::Request::run(const std::shared_ptr<Request>& self, const Json& value) {
  Call call;
  const auto refuse = [&](const CallError& error) {
    self->finish(call.notification ? Json{} : error_object(call.id, error));
  };
  try {
    read_call(value, call);
    Params params{call.params, self->keys};
    if (call.method->call != nullptr || call.method->configure != nullptr) {
      Json result = self->do_now(*call.method, params);
      return self->finish(call.notification ? Json{} : result_object(call.id, std::move(result)));
    }
    if (call.method->call_from != nullptr) {
      Json result =
          call.method->call_from(self->api.manager_, params,
                                 {self->api.server_, self->token, self->api.subscriptions_,
                                  self->api.watchers_, self->batch});
      return self->finish(call.notification ? Json{} : result_object(call.id, std::move(result)));
    }
    call.method->call_later(
        self->api.manager_, params,
        [self, id = call.id, quiet = call.notification](const core::Expected<Json>& result) {
          if (quiet) return self->finish({});
          self->finish(result ? result_object(id, *result)
                              : error_object(id, refusal(result.error())));
        });
  } catch (const CallError& error) { refuse(error); } catch (const std::exception& e) {
    refuse({CallError::kInternalError, e.what()});
  }
}

Api::Api(Manager& manager) : manager_{manager}, watchers_{manager} {
  manager_.on_event([this](const ManagerEvent& event) { subscriptions_.take(event); });
}

Api::~Api() {
  manager_.on_event({});
}

void Api::serve(core::ControlServer* server) {
  server_ = server;
  subscriptions_.serve(server);
  watchers_.serve(server);
  if (server != nullptr)
    server->on_close([this](core::ControlServer::Token token) {
      subscriptions_.forget(token);
      watchers_.forget(token);
    });
}

void Api::answer(core::ControlServer::Token token, std::string line) noexcept {
  if (server_ != nullptr) server_->answer(token, std::move(line));
}

void Api::handle(core::ControlServer::Token token, std::string& line, bool oversized) {
  const auto refuse = [&](int code, std::string text) {
    answer(token, dump(error_object(nullptr, {code, std::move(text)})));
  };
  if (oversized) return refuse(CallError::kInvalidRequest, "the request is too long");
  auto keys = take_keys(line);
  if (!keys) return refuse(CallError::kInvalidRequest, keys.error().context);
  Json document = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return refuse(CallError::kParseError, "the request is not JSON");
  const bool batch = document.is_array();
  if (batch && (document.empty() || document.size() > kMaxBatch))
    return refuse(CallError::kInvalidRequest,
                  fmt::format("a batch of {} calls, expected 1 to {}", document.size(), kMaxBatch));
  auto request = std::make_shared<Request>(
      Request{*this, token, std::move(document), *std::move(keys), batch, 1});
  const Json& calls = request->document;
  // One more than there are calls, so that no early answer finishes the batch.
  request->outstanding = 1 + (batch ? calls.size() : 1);
  if (batch) {
    for (const Json& call : calls) Request::run(request, call);
  } else {
    Request::run(request, calls);
  }
  request->finish({});
}

void Api::request(core::ControlServer::Token token, std::string& line, bool oversized) noexcept {
  if (watchers_.watches(token)) {  // what the client says now is that it has seen enough
    watchers_.stop(token);
    crypto::wipe(line.data(), line.size());
    return answer(token, "");
  }
  subscriptions_.hold(true);
  try {
    handle(token, line, oversized);
  } catch (const std::exception&) {
    // Nothing is left to make a better answer of, and a call that was running has answered itself.
    answer(token,
           R"({"jsonrpc":"2.0","error":{"code":-32603,"message":"out of memory"},"id":null})");
  }
  crypto::wipe(line.data(), line.size());
  subscriptions_.hold(false);
}
}  // namespace polluxd
