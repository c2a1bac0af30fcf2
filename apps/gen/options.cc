// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/options.hh"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "apps/gen/units.hh"
#include "apps/gen/version.hh"

namespace gen {
namespace {
/// What the options are read into before they are understood.
struct Raw {
  std::string line_rate, pdr, replay_rate;
  bool version = false, no_learning = false, live = false;
};

template <class T>
void read(const std::string& text, const char* option, core::Expected<T> (*parse)(std::string_view),
          T& to) {
  if (text.empty()) return;
  auto value = parse(text);
  if (!value) throw CLI::ValidationError{fmt::format("{}: {}", option, value.error().context)};
  to = *std::move(value);
}

void declare_common(CLI::App& app, Options& o, Raw& raw) {
  app.set_help_flag("-h,--help", "print this help and leave");
  app.add_option("-d,--device", o.devices, "driver and its options; repeatable")
      ->type_name("DRIVER[,OPTION=VALUE...][,name=PORT]")
      ->allow_extra_args(false);
  app.add_option("-c,--config", o.config, "ports and streams")->type_name("FILE.toml");
  app.add_option("--duration", o.duration_s, "seconds to send for (default 10)")
      ->type_name("S")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--settle", o.settle_s, "seconds to wait for what is missing (default 2)")
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--json", o.json, "where the result goes as JSON; \"-\": standard output")
      ->type_name("FILE");
  auto* quiet = app.add_flag("-q,--quiet", o.quiet, "no live view");
  app.add_flag("--live", raw.live, "a live view each second (the default)")->excludes(quiet);
  app.add_option("--workers", o.engine.workers, "threads, each with a queue of every port")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  app.add_option("--cpus", o.engine.cpus, "CPUs of the workers, in their order")
      ->type_name("N,N...")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--line-rate", raw.line_rate, "of every link, where devices do not know it")
      ->type_name("RATE");
  app.add_option("--wait", o.engine.wait_s, "seconds to wait for links and gateways (default 30)")
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--eal", o.engine.eal, "argument for DPDK's EAL; repeatable (--eal=ARG)")
      ->type_name("ARG")
      ->allow_extra_args(false);
  app.add_flag("--version", raw.version, "print the version and leave");
}

void declare_benchmark(CLI::App& app, Options& o, Raw& raw) {
  BenchmarkOptions& b = o.benchmark;
  app.set_help_flag("-h,--help", "print this help and leave");
  app.add_option("--sizes", b.sizes, "frame sizes, FCS included (default: those of the RFCs)")
      ->type_name("N,N...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(64, 9600));
  app.add_option("--trial", b.trial_s, "seconds of a trial (default 60)")
      ->type_name("S")
      ->check(CLI::Range(0.01, 3600.0));
  app.add_option("--trials", b.trials, "how often each search is made (default 3)")
      ->type_name("N")
      ->check(CLI::Range(1, 100));
  app.add_option("--resolution", b.resolution, "of the line's rate (default 0.005)")
      ->type_name("SHARE")
      ->check(CLI::Range(0.00001, 0.5));
  app.add_option("--pdr", raw.pdr, "seek also the rate at which so much is lost")
      ->type_name("0.5%");
  app.add_flag("--throughput-only", b.throughput_only, "no latency, frame loss, back-to-back");
  app.add_flag("--no-learning", raw.no_learning, "send nothing before the first trial");
}

void declare_replay(CLI::App& app, Options& o, Raw& raw) {
  app.set_help_flag("-h,--help", "print this help and leave");
  app.add_option("FILE", o.recording, "capture file, pcap or pcapng")->required();
  app.add_option("--port", o.replay_port, "which port sends (default: the first)");
  app.add_option("--rate", raw.replay_rate, "instead of the capture's own times")
      ->type_name("RATE");
  app.add_option("--loops", o.replay_loops, "how often (default 1)")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
}

void finish(Options& o, const Raw& raw) {
  read(raw.line_rate, "--line-rate", parse_line_rate, o.engine.line_rate);
  if (!raw.pdr.empty()) read(raw.pdr, "--pdr", parse_ratio, o.benchmark.pdr.emplace());
  if (!raw.replay_rate.empty())
    read(raw.replay_rate, "--rate", parse_rate, o.replay_rate.emplace());
  o.learn = !raw.no_learning;
  if (o.mode != Options::Mode::Replay && o.config.empty())
    throw CLI::ValidationError{"there are no streams, expected -c FILE.toml"};
  if (o.config.empty() && o.devices.empty())
    throw CLI::ValidationError{"there are no ports, expected -d DRIVER or -c FILE.toml"};
}
}  // namespace

std::variant<Options, Leave> parse_options(int argc, const char* const* argv) {
  CLI::App app{"traffic generator and analyser", "pollux-gen"};
  Options o;
  Raw raw;
  declare_common(app, o, raw);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.add_subcommand("run", "send the streams of the file (the default)");
  auto* benchmark = app.add_subcommand("rfc2544", "throughput, latency, frame loss, back-to-back");
  auto* replay = app.add_subcommand("replay", "send a capture file");
  declare_benchmark(*benchmark, o, raw);
  declare_replay(*replay, o, raw);
  for (CLI::App* mode : {benchmark, replay}) mode->fallthrough();
  app.get_subcommand("run")->fallthrough();
  try {
    app.parse(argc, argv);
    if (raw.version) return Leave{0, "pollux-gen " + version_text() + '\n'};
    if (benchmark->parsed()) o.mode = Options::Mode::Rfc2544;
    if (replay->parsed()) o.mode = Options::Mode::Replay;
    finish(o, raw);
    return o;
  } catch (const CLI::CallForHelp&) {
    return Leave{0, (benchmark->parsed() ? benchmark : replay->parsed() ? replay : &app)->help()};
  } catch (const CLI::Error& e) {
    return Leave{2, fmt::format("pollux-gen: {}\nTry \"pollux-gen --help\".\n", e.what())};
  }
}
}  // namespace gen
