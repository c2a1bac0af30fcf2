// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/report.hh"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "apps/gen/units.hh"
#include "apps/gen/version.hh"

namespace gen {
namespace {
using Json = nlohmann::ordered_json;

std::string pps(double v) {
  return with_prefix(v) + "pps";
}
std::string time_of(std::uint64_t ns) {
  return time_text(static_cast<double>(ns));
}

Json to_json(const HistogramView& h) {
  Json j{{"count", h.count()}, {"min", h.min()}, {"mean", h.mean()}};
  for (const auto& [name, percent] : std::array<std::pair<const char*, double>, 4>{
           {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}}})
    j[name] = h.percentile(percent);
  j["max"] = h.max();
  return j;
}

Json to_json(const StreamResult& s) {
  const std::uint64_t least = s.delay.min();
  return {{"name", s.name},
          {"sent", s.sent},
          {"sent_bytes", s.sent_bytes},
          {"sent_pps", s.sent_pps()},
          {"received", s.received},
          {"received_bytes", s.received_bytes},
          {"received_pps", s.received_pps()},
          {"lost", s.lost()},
          {"loss_ratio", s.loss_ratio()},
          {"duplicates", s.duplicates},
          {"corrupt", s.corrupt},
          {"misdelivered", s.misdelivered},
          {"too_late", s.too_late},
          {"reordered", s.reordered},
          {"reordering_extent", {{"max", s.max_extent}, {"mean", s.mean_extent()}}},
          {"latency_ns", to_json(s.delay)},
          {"jitter_ns", s.jitter_ns},
          {"ipdv_ns", {{"mean", s.mean_ipdv_ns()}, {"pairs", s.ipdv_count}}},
          {"pdv_ns",
           {{"p50", s.delay.percentile(50) - least},
            {"p99", s.delay.percentile(99) - least},
            {"p99_9", s.delay.percentile(99.9) - least}}}};
}

Json to_json(const PortResult& p) {
  return {{"name", p.name},           {"device", p.device},
          {"sent", p.sent},           {"sent_bytes", p.sent_bytes},
          {"received", p.received},   {"received_bytes", p.received_bytes},
          {"foreign", p.foreign},     {"stale", p.stale},
          {"unknown", p.unknown},     {"refused", p.refused},
          {"rx_missed", p.rx_missed}, {"rx_errors", p.rx_errors},
          {"tx_errors", p.tx_errors}};
}

Json to_json(const Statistics& s) {
  return {{"trials", s.count},
          {"median", s.median},
          {"mean", s.mean},
          {"min", s.min},
          {"max", s.max},
          {"deviation", s.deviation},
          {"confidence95", s.confidence}};
}

Json to_json(const SoughtRate& r) {
  return {{"tolerance", r.tolerance},
          {"pps", to_json(r.pps)},
          {"line_share", to_json(r.line_share)},
          {"limited_by_generator", r.limited_by_generator}};
}

Json to_json(const SizeReport& r) {
  Json j{{"size", r.size},
         {"line_pps", r.line_pps},
         {"line_measured", r.line_measured},
         {"ndr", to_json(r.ndr)}};
  if (r.pdr) j["pdr"] = to_json(*r.pdr);
  j["latency"] = Json::array();
  for (const StreamResult& s : r.latency) j["latency"].push_back(to_json(s));
  j["loss"] = Json::array();
  for (const Trial& t : r.loss)
    j["loss"].push_back(
        {{"rate", t.rate}, {"sent_rate", t.sent_rate}, {"loss_ratio", t.loss_ratio}});
  if (r.burst)
    j["back_to_back"] = {{"frames", to_json(*r.burst)},
                         {"unbounded", r.burst_unbounded},
                         {"implied_buffer_s", r.implied_buffer_s},
                         {"corrected_buffer_s", r.corrected_buffer_s}};
  return j;
}

void append_stream(std::string& out, const StreamResult& s) {
  out += fmt::format("{:<12} {:>12} {:>10} {:>12} {:>10} {:>9} {:>9.4f} {:>7} {:>7} {:>7} {:>7}\n",
                     s.name, s.sent, pps(s.sent_pps()), s.received, pps(s.received_pps()), s.lost(),
                     100 * s.loss_ratio(), s.duplicates, s.reordered, s.corrupt, s.misdelivered);
}

void append_latency(std::string& out, const StreamResult& s) {
  const HistogramView& h = s.delay;
  out +=
      fmt::format("{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", s.name,
                  time_of(h.min()), time_text(h.mean()), time_of(h.percentile(50)),
                  time_of(h.percentile(90)), time_of(h.percentile(99)), time_of(h.percentile(99.9)),
                  time_of(h.max()), time_text(s.jitter_ns), time_text(s.mean_ipdv_ns()));
}
}  // namespace

std::string LiveView::update(const RunResult& now) {
  std::string out;
  for (std::size_t i = 0; i < now.streams.size(); ++i) {
    const StreamResult& s = now.streams[i];
    const StreamResult before = i < before_.streams.size() ? before_.streams[i] : StreamResult{};
    const HistogramView delay = s.delay.since(before.delay);
    // What is on the way is not lost: only numbers below one that came can be missing.
    const std::uint64_t missing = s.highest > s.received ? s.highest - s.received : 0;
    out += fmt::format(
        "{:>5.0f} s  {:<12} tx {:>9}  rx {:>9}  lost {:<8} p50 {:>8}  p99 {:>8}  "
        "max {:>8}\n",
        now.elapsed_s, s.name, pps(static_cast<double>(s.sent - before.sent)),
        pps(static_cast<double>(s.received - before.received)), missing,
        time_of(delay.percentile(50)), time_of(delay.percentile(99)), time_of(delay.max()));
  }
  for (std::size_t i = 0; i < now.ports.size() && now.streams.empty(); ++i) {
    const PortResult& p = now.ports[i];
    const PortResult before = i < before_.ports.size() ? before_.ports[i] : PortResult{};
    out += fmt::format("{:>5.0f} s  {:<12} tx {:>9}  rx {:>9}\n", now.elapsed_s, p.name,
                       pps(static_cast<double>(p.sent - before.sent)),
                       pps(static_cast<double>(p.received - before.received)));
  }
  before_ = now;
  return out;
}

std::string table_of(const RunResult& r) {
  std::string out;
  if (!r.streams.empty()) {
    out += fmt::format("{:<12} {:>12} {:>10} {:>12} {:>10} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7}\n",
                       "stream", "sent", "rate", "received", "rate", "lost", "lost %", "twice",
                       "reorder", "corrupt", "astray");
    for (const StreamResult& s : r.streams) append_stream(out, s);
    if (r.streams.size() > 1) append_stream(out, r.total());
    out +=
        fmt::format("\n{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "latency",
                    "min", "mean", "p50", "p90", "p99", "p99.9", "max", "jitter", "ipdv");
    for (const StreamResult& s : r.streams) append_latency(out, s);
    if (r.streams.size() > 1) append_latency(out, r.total());
    out += '\n';
  }
  out += fmt::format("{:<12} {:>12} {:>15} {:>12} {:>15} {:>9} {:>9} {:>9}\n", "port", "sent",
                     "bytes", "received", "bytes", "foreign", "refused", "missed");
  for (const PortResult& p : r.ports)
    out +=
        fmt::format("{:<12} {:>12} {:>15} {:>12} {:>15} {:>9} {:>9} {:>9}\n", p.name, p.sent,
                    p.sent_bytes, p.received, p.received_bytes, p.foreign, p.refused, p.rx_missed);
  return out;
}

std::string json_of(const RunResult& r) {
  Json j{{"program", "pollux-gen"},
         {"version", version_text()},
         {"mode", "run"},
         {"elapsed_s", r.elapsed_s},
         {"interrupted", r.interrupted}};
  j["streams"] = Json::array();
  for (const StreamResult& s : r.streams) j["streams"].push_back(to_json(s));
  j["total"] = to_json(r.total());
  j["ports"] = Json::array();
  for (const PortResult& p : r.ports) j["ports"].push_back(to_json(p));
  return j.dump(2) + '\n';
}

namespace {
void append_rate(std::string& out, const char* name, const SoughtRate& r) {
  out +=
      fmt::format("  {:<14} {:>11}  {:6.2f}% of the line  ({} to {}, mean +- {})  {}\n", name,
                  pps(r.pps.median), 100 * r.line_share.median, pps(r.pps.min), pps(r.pps.max),
                  pps(r.pps.confidence), r.limited_by_generator ? "limited by the generator" : "");
}
}  // namespace

std::string table_of(const std::vector<SizeReport>& reports) {
  std::string out;
  for (const SizeReport& r : reports) {
    out += fmt::format("{} bytes, line {}{}\n", r.size, pps(r.line_pps),
                       r.line_measured ? " (as measured: no rate is known)" : "");
    append_rate(out, "throughput", r.ndr);
    if (r.pdr) append_rate(out, fmt::format("PDR {:g}%", 100 * r.pdr->tolerance).c_str(), *r.pdr);
    for (const StreamResult& s : r.latency)
      out += fmt::format("  {:<14} min {}, mean {}, p50 {}, p99 {}, p99.9 {}, max {}, lost {}\n",
                         "latency", time_of(s.delay.min()), time_text(s.delay.mean()),
                         time_of(s.delay.percentile(50)), time_of(s.delay.percentile(99)),
                         time_of(s.delay.percentile(99.9)), time_of(s.delay.max()), s.lost());
    for (const Trial& t : r.loss)
      out += fmt::format("  {:<14} at {:3.0f}% (sent {:.2f}%): {:.4f}%\n", "frame loss",
                         100 * t.rate, 100 * t.sent_rate, 100 * t.loss_ratio);
    if (r.burst)
      out += fmt::format(
          "  {:<14} {:.0f} frames on average ({:.0f} to {:.0f}){}; buffer {}, "
          "corrected {}\n",
          "back-to-back", r.burst->mean, r.burst->min, r.burst->max,
          r.burst_unbounded ? ", the longest tried" : "", time_text(1e9 * r.implied_buffer_s),
          time_text(1e9 * r.corrected_buffer_s));
    out += '\n';
  }
  return out;
}

std::string json_of(const std::vector<SizeReport>& reports, const BenchmarkOptions& options) {
  Json j{{"program", "pollux-gen"},  {"version", version_text()},
         {"mode", "rfc2544"},        {"trial_s", options.trial_s},
         {"trials", options.trials}, {"resolution", options.resolution}};
  j["sizes"] = Json::array();
  for (const SizeReport& r : reports) j["sizes"].push_back(to_json(r));
  return j.dump(2) + '\n';
}
}  // namespace gen
