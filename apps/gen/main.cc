// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "apps/gen/engine.hh"
#include "apps/gen/engine_bench.hh"
#include "apps/gen/options.hh"
#include "apps/gen/replay.hh"
#include "apps/gen/report.hh"
#include "apps/gen/stream_file.hh"
#include "core/log.hh"

namespace {
using gen::Options;

/// For the signal handler.
std::atomic<gen::Engine*> running{nullptr};

extern "C" void on_signal(int /*number*/) {
  if (gen::Engine* engine = running.load()) engine->interrupt();
}

int refuse(const std::string& why) {
  fmt::print(stderr, "pollux-gen: {}\n", why);
  return 1;
}

/// The result as a table on standard output, as JSON where it was asked for.
int publish(const Options& o, const std::string& table, const std::string& json) {
  if (o.json != "-") fmt::print("{}", table);
  if (o.json == "-") fmt::print("{}", json);
  std::fflush(stdout);
  if (o.json.empty() || o.json == "-") return 0;
  std::ofstream out{o.json};
  out << json;
  out.close();
  return out ? 0 : refuse(fmt::format("{}: cannot be written", o.json));
}

/// The names are found by eye: drivers can be asked once DPDK is up, and not before.
std::vector<gen::GivenDevice> given_devices(const Options& o) {
  constexpr std::string_view kName = ",name=";
  std::vector<gen::GivenDevice> devices;
  for (const std::string& text : o.devices) {
    gen::GivenDevice& d = devices.emplace_back(gen::GivenDevice{text, {}});
    if (const auto at = text.rfind(kName); at != std::string::npos) {
      d.name = text.substr(at + kName.size());
      d.name = d.name.substr(0, d.name.find(','));
    }
  }
  return devices;
}

int run_streams(gen::Engine& engine, const Options& o, gen::RunRequest request) {
  gen::LiveView view;
  if (!o.quiet)
    request.each_second = [&view](const gen::RunResult& now) {
      fmt::print(stderr, "{}", view.update(now));
    };
  request.duration_s = o.duration_s;
  request.settle_s = o.settle_s;
  const auto result = engine.run(request);
  if (!result) return refuse(result.error().context);
  return publish(o, table_of(*result), json_of(*result));
}

int run_replay(gen::Engine& engine, const Options& o, const gen::Recording& recording) {
  const auto& ports = engine.plan().ports;
  const auto at = o.replay_port.empty()
                      ? ports.begin()
                      : std::ranges::find(ports, o.replay_port, &gen::PortPlan::name);
  if (at == ports.end()) return refuse(fmt::format("--port {}: no such port", o.replay_port));
  gen::RunRequest request;
  request.replay = &recording;
  request.replay_port = static_cast<std::size_t>(at - ports.begin());
  request.replay_loops = o.replay_loops;
  if (o.replay_rate) {
    request.replay_rate = *o.replay_rate;
    request.replay_flat_out = o.replay_rate->unit == gen::RatePlan::Unit::Max;
  }
  return run_streams(engine, o, std::move(request));
}

int run_rfc2544(gen::Engine& engine, Options o) {
  const auto& streams = engine.plan().streams;
  if (streams.empty()) return refuse(fmt::format("{}: there is no [[stream]]", o.config));
  std::uint16_t smallest = 64;
  bool ip6 = false;
  for (const auto& s : streams) {
    gen::StreamPlan tagged = s;
    if (tagged.vlans.empty()) tagged.vlans = engine.plan().ports[s.from].vlans;
    smallest = std::max(smallest, tagged.smallest_frame());
    ip6 = ip6 || s.is_ip6;
  }
  if (o.benchmark.sizes.empty()) o.benchmark.sizes = gen::standard_sizes(ip6, smallest);
  for (const std::uint16_t size : o.benchmark.sizes)
    if (size < smallest)
      return refuse(
          fmt::format("--sizes: a frame of {} bytes has no room for headers and "
                      "signature, expected {} or more",
                      size, smallest));
  gen::EngineBench bench{engine, o.settle_s};
  if (o.learn)
    if (const auto done = bench.learn(); !done) return refuse(done.error().context);
  std::function<void(const std::string&)> progress;
  if (!o.quiet) progress = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  const auto reports = gen::run_benchmarks(bench, o.benchmark, progress);
  if (!reports) return refuse(reports.error().context);
  return publish(o, table_of(*reports), json_of(*reports, o.benchmark));
}

/// The largest buffer that the command line asks for beside the file.
std::uint16_t largest_frame(const Options& o, const gen::Recording& recording) {
  std::size_t largest = 0;
  for (const std::uint16_t size : o.benchmark.sizes) largest = std::max<std::size_t>(largest, size);
  for (const auto& f : recording.frames) largest = std::max(largest, f.bytes.size() + 4);
  return static_cast<std::uint16_t>(std::min<std::size_t>(largest, 65000));
}

int run(Options o) {
  core::log::set_level(core::log::Level::Warning);
  const auto devices = given_devices(o);
  auto plan = o.config.empty() ? core::Expected<gen::Plan>{gen::ports_only(devices)}
                               : gen::read_streams(o.config, devices);
  if (!plan) return refuse(plan.error().context);
  if (plan->ports.empty()) return refuse(fmt::format("{}: there is no [[port]]", o.config));
  if (o.mode == Options::Mode::Run && plan->streams.empty())
    return refuse(fmt::format("{}: there is no [[stream]]", o.config));
  gen::Recording recording;
  if (o.mode == Options::Mode::Replay) {
    auto read = gen::read_recording(o.recording);
    if (!read) return refuse(read.error().context);
    recording = *std::move(read);
  }
  o.engine.largest_frame = largest_frame(o, recording);
  auto engine = gen::Engine::open(*plan, o.engine);
  if (!engine) return refuse(engine.error().context);
  running.store(engine->get());
  (void)signal(SIGINT, on_signal);
  (void)signal(SIGTERM, on_signal);
  int status = 1;
  if (const auto ready = (*engine)->prepare(); !ready) {
    status = refuse(ready.error().context);
  } else if (o.mode == Options::Mode::Run) {
    status = run_streams(**engine, o, {.streams = plan->streams});
  } else if (o.mode == Options::Mode::Replay) {
    status = run_replay(**engine, o, recording);
  } else {
    status = run_rfc2544(**engine, o);
  }
  running.store(nullptr);
  return status;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    auto options = gen::parse_options(argc, argv);
    if (const auto* leave = std::get_if<gen::Leave>(&options)) {
      fmt::print(leave->status == 0 ? stdout : stderr, "{}", leave->text);
      return leave->status;
    }
    return run(std::get<gen::Options>(std::move(options)));
  } catch (const std::exception& e) { return refuse(e.what()); }
}
