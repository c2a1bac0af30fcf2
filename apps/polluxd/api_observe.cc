// SPDX-License-Identifier: BSD-3-Clause
// trace.start, capture.start: packets as they pass, on the connection that asked.
#include "apps/polluxd/api_observe.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <memory>

#include "apps/polluxd/api_method.hh"
#include "apps/polluxd/api_packet_text.hh"
#include "apps/polluxd/version.hh"
#include "core/pcapng.hh"

namespace polluxd {
namespace {
namespace pcapng = core::pcapng;
using Kind = core::TraceRecord::Kind;

/// RFC 3339, UTC, nanoseconds.
std::string time_text(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(std::time_t{ns / kSecond}),
                     ns % kSecond);
}

std::string notification(std::string_view method, Json params) {
  const Json told{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
  return told.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json drop_json(core::DropReason why) {
  const core::DropInfo& reason = core::info(why);
  return {{"reason", reason.name}, {"layer", reason.layer}, {"text", reason.text}};
}

// ---- trace -------------------------------------------------------------------------------------
std::string_view to_text(Kind kind) noexcept {
  switch (kind) {
    case Kind::Received: return "received";
    case Kind::Own: return "own";
    case Kind::Stage: return "stage";
    case Kind::Opened: return "opened";
    case Kind::Held: return "held";
    case Kind::HandedOver: return "handed-over";
    case Kind::Sent: return "sent";
    case Kind::Delivered: return "delivered";
    case Kind::Dropped: return "dropped";
  }
  return "unknown";
}

/// What happens in words: "sent on wan0, queue 0".
std::string what_text(const TraceStep& step) {
  const core::TraceRecord& r = step.record;
  switch (r.kind) {
    case Kind::Received: return fmt::format("received on {}", step.interface);
    case Kind::Own: return "a packet of our own";
    case Kind::Stage: {
      const core::StageInfo& stage = core::kStageInfo[r.what];
      return fmt::format("{}: {}", stage.name, stage.what);
    }
    case Kind::Opened: return fmt::format("out of ESP on {}", step.interface);
    case Kind::Held: return "held for its neighbour";
    case Kind::HandedOver: return fmt::format("handed to worker {}", r.where);
    case Kind::Sent: return fmt::format("sent on {}, queue {}", step.interface, r.where);
    case Kind::Delivered: return "delivered to this host";
    case Kind::Dropped: {
      const core::DropInfo& why = core::info(static_cast<core::DropReason>(r.what));
      return fmt::format("dropped: {}: {} ({})", why.name, why.text, why.layer);
    }
  }
  return {};
}

Json step_json(const TraceStep& step) {
  const core::TraceRecord& r = step.record;
  Json json{{"time", time_text(step.at_ns)},
            {"ns", step.at_ns},
            {"worker", step.worker},
            {"kind", to_text(r.kind)},
            {"interface", step.interface.empty() ? Json(nullptr) : Json(step.interface)},
            {"what", what_text(step)},
            {"packet", packet_text(r.layer, std::span{r.bytes}.first(r.captured), r.length)}};
  if (r.kind == Kind::Stage) json["stage"] = core::kStageInfo[r.what].name;
  if (r.kind == Kind::Sent) json["queue"] = r.where;
  if (r.kind == Kind::HandedOver) json["to_worker"] = r.where;
  if (r.kind == Kind::Dropped) json["drop"] = drop_json(static_cast<core::DropReason>(r.what));
  return json;
}

/// One traced packet. `verdict` is its last step in words.
Json way_json(std::uint64_t number, std::span<const TraceStep> steps) {
  Json list = Json::array();
  for (const TraceStep& step : steps) list.push_back(step_json(step));
  const bool ended = !steps.empty() && steps.back().record.ends();
  return {{"number", number},
          {"steps", std::move(list)},
          {"ended", ended},
          {"verdict", steps.empty() ? "" : what_text(steps.back())}};
}

/// @throws CallError where a connection cannot be given away.
void need_connection(const Caller& caller, const char* method) {
  if (caller.batch || caller.server == nullptr)
    throw CallError{CallError::kInvalidRequest, fmt::format("{}: not within a batch", method)};
}

Json start_trace(Manager& manager, Params& params, const Caller& caller) {
  TraceSpec spec;
  spec.count = params.number("count", 1, TraceSpec::kMaxCount, spec.count);
  spec.filter = params.text("filter", "");
  params.done();
  need_connection(caller, "trace.start");
  struct State {
    std::uint64_t packets = 0, lost = 0;
  };
  const auto state = std::make_shared<State>();
  Watchers& watchers = caller.watchers;
  const auto token = caller.token;
  TraceSink sink{
      .packet =
          [&watchers, token, state](std::span<const TraceStep> steps) {
            const bool took = watchers.offer(
                token, notification("trace.packet", way_json(state->packets + 1, steps)));
            ++(took ? state->packets : state->lost);
          },
      .end =
          [&watchers, token, state](std::uint64_t lost) {
            watchers.send(token, notification("trace.end", {{"packets", state->packets},
                                                            {"lost_packets", state->lost},
                                                            {"lost_steps", lost}}));
            watchers.close(token);
          }};
  watchers.add(token, done_or_throw(manager.start_trace(spec, std::move(sink))));
  return {{"count", spec.count}};
}

// ---- capture -----------------------------------------------------------------------------------
/// A capture as a file on its way to a client.
class PcapngStream {
public:
  PcapngStream(Watchers& watchers, core::ControlServer::Token token, std::uint32_t snaplen,
               std::vector<CaptureTotals> known)
      : watchers_{watchers}, token_{token}, snaplen_{snaplen}, known_{std::move(known)} {}

  void begin() {
    std::string out;
    const Versions v = versions();
    pcapng::append_section(out, fmt::format("Pollux {}", v.pollux));
    for (const CaptureTotals& k : known_) (void)interface(out, k.interface, k.layer);
    watchers_.send(token_, out);
  }
  bool packet(const CapturedPacket& p) {
    std::string out;
    const std::size_t before = interfaces_.size();
    std::string comment;
    if (p.dropped) {
      const core::DropInfo& why = core::info(*p.dropped);
      comment = fmt::format("{}: {} ({})", why.name, why.text, why.layer);
    }
    const std::uint32_t number = interface(out, p.interface, p.layer);
    pcapng::append_packet(out, {.interface = number,
                                .at_ns = static_cast<std::uint64_t>(p.at_ns),
                                .length = p.length,
                                .bytes = p.bytes,
                                .direction = static_cast<pcapng::Packet::Direction>(p.direction),
                                .comment = comment});
    last_ns_ = static_cast<std::uint64_t>(p.at_ns);
    if (watchers_.offer(token_, out)) return true;
    interfaces_.resize(before);  // what was to introduce it was not sent either
    return false;
  }
  void end(std::span<const CaptureTotals> totals) {
    std::string out;
    for (const CaptureTotals& t : totals) {
      const std::uint32_t number = interface(out, t.interface, t.layer);
      pcapng::append_statistics(out, number, last_ns_, t.received, t.lost);
    }
    watchers_.send(token_, out);
    watchers_.close(token_);
  }

private:
  struct Known {
    std::string name;
    core::Layer layer;
  };
  /// Its number in the file; introduces it where it is new.
  std::uint32_t interface(std::string& out, std::string_view name, core::Layer layer) {
    for (std::size_t i = 0; i < interfaces_.size(); ++i)
      if (interfaces_[i].name == name && interfaces_[i].layer == layer)
        return static_cast<std::uint32_t>(i);
    pcapng::append_interface(out,
                             {.name = name,
                              .description = name.empty() ? "packets that came in nowhere" : "",
                              .link = layer == core::Layer::Ethernet ? pcapng::LinkType::Ethernet
                                      : layer == core::Layer::Ip     ? pcapng::LinkType::Raw
                                                                     : pcapng::LinkType::User0,
                              .snaplen = snaplen_});
    interfaces_.push_back({std::string{name}, layer});
    return static_cast<std::uint32_t>(interfaces_.size() - 1);
  }

  Watchers& watchers_;
  core::ControlServer::Token token_;
  std::uint32_t snaplen_;
  std::vector<CaptureTotals> known_;  ///< interfaces that are in the file in any case
  std::vector<Known> interfaces_;     ///< in the order of the file
  std::uint64_t last_ns_ = 0;
};

Json captured_json(const CapturedPacket& p) {
  constexpr std::array<std::string_view, 3> kDirections{"none", "in", "out"};
  Json json{{"time", time_text(p.at_ns)},
            {"ns", p.at_ns},
            {"interface", p.interface.empty() ? Json(nullptr) : Json(p.interface)},
            {"direction", kDirections[static_cast<std::size_t>(p.direction)]},
            {"length", p.length},
            {"packet", packet_text(p.layer, p.bytes, p.length)}};
  if (p.dropped) json["drop"] = drop_json(*p.dropped);
  return json;
}

CaptureSink lines_to(Watchers& watchers, core::ControlServer::Token token) {
  return {.begin = [] {},
          .packet =
              [&watchers, token](const CapturedPacket& p) {
                return watchers.offer(token, notification("capture.packet", captured_json(p)));
              },
          .end =
              [&watchers, token](std::span<const CaptureTotals> totals) {
                std::uint64_t received = 0, lost = 0;
                for (const CaptureTotals& t : totals) {
                  received += t.received;
                  lost += t.lost;
                }
                watchers.send(token, notification("capture.end",
                                                  {{"packets", received - lost}, {"lost", lost}}));
                watchers.close(token);
              }};
}

CaptureSink file_to(Watchers& watchers, const Manager& manager, core::ControlServer::Token token,
                    const CaptureSpec& spec) {
  std::vector<CaptureTotals> known;
  for (const InterfaceInfo& i : manager.interfaces())
    for (const std::string& name : spec.interfaces)
      if (i.name == name)
        known.push_back({.interface = name,
                         .layer = i.kind == core::Interface::Kind::Tunnel ? core::Layer::Ip
                                                                          : core::Layer::Ethernet});
  const auto file = std::make_shared<PcapngStream>(watchers, token, spec.snaplen, std::move(known));
  return {.begin = [file] { file->begin(); },
          .packet = [file](const CapturedPacket& p) { return file->packet(p); },
          .end = [file](std::span<const CaptureTotals> totals) { file->end(totals); }};
}

Json start_capture(Manager& manager, Params& params, const Caller& caller) {
  CaptureSpec spec;
  if (params.has("interfaces")) spec.interfaces = params.texts("interfaces");
  spec.drops = params.boolean("drops", false);
  spec.ipsec = params.boolean("ipsec", false);
  spec.snaplen = params.number("snaplen", 1, CaptureSpec::kMaxSnaplen, spec.snaplen);
  if (params.has("count")) spec.count = params.number("count", 1, ~std::uint32_t{0});
  spec.filter = params.text("filter", "");
  const std::string format = params.text("format", "pcapng");
  params.done();
  if (format != "pcapng" && format != "json")
    bad_params(
        fmt::format("format: \"{}\", expected \"pcapng\" or \"json\"", format.substr(0, 64)));
  need_connection(caller, "capture.start");
  CaptureSink sink = format == "json" ? lines_to(caller.watchers, caller.token)
                                      : file_to(caller.watchers, manager, caller.token, spec);
  caller.watchers.add(caller.token, done_or_throw(manager.start_capture(spec, std::move(sink))));
  return {{"format", format}};
}

constexpr std::array kMethods{
    Method{.name = "trace.start", .call_from = start_trace},
    Method{.name = "capture.start", .call_from = start_capture},
};
}  // namespace

void Watchers::add(Token token, ObserverId id) {
  watchers_[token] = id;
  if (server_ != nullptr) server_->subscribe(token);
}

void Watchers::stop(Token token) {
  if (const auto at = watchers_.find(token); at != watchers_.end())
    manager_.stop_observer(at->second);
}

void Watchers::forget(Token token) {
  stop(token);
  watchers_.erase(token);
}

bool Watchers::offer(Token token, std::string_view bytes) {
  if (server_ == nullptr || server_->pending(token) > kMaxPending) return false;
  return server_->send(token, bytes);
}

void Watchers::send(Token token, std::string_view bytes) {
  if (server_ != nullptr) server_->send(token, bytes);
}

void Watchers::close(Token token) {
  watchers_.erase(token);
  if (server_ != nullptr) server_->close(token);
}

std::span<const Method> observe_methods() {
  return kMethods;
}
}  // namespace polluxd
