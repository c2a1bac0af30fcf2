// SPDX-License-Identifier: BSD-3-Clause
// Cycles per packet of the whole pipeline and of its stages, beside a floor and a limit measured in
// the same run. Google Benchmark runs the cases, several rounds in random order.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/polluxd/eal.hh"
#include "core/packet_pool.hh"
#include "perf/bench_cases.hh"

namespace {
struct Settings {
  std::string json, only = "*";
  bool quick = false;
  int rounds = 9;
};

/// What all rounds of a case gave.
struct Measured {
  std::vector<double> p10, median;  ///< by round
  std::size_t samples = 0;
};

double middle(std::vector<double> v) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
}

/// The cases asked for, with the floors and limits that they name.
std::vector<perf::Case> choose(const std::string& only) {
  std::vector<perf::Case> all = perf::pipeline_cases();
  for (perf::Case& c : perf::stage_cases()) all.push_back(std::move(c));
  std::vector<std::string> wanted;
  for (const perf::Case& c : all)
    if (fnmatch(only.c_str(), c.name.c_str(), 0) == 0)
      wanted.insert(wanted.end(), {c.name, c.floor, c.limit});
  std::erase_if(all, [&](const perf::Case& c) {
    return std::find(wanted.begin(), wanted.end(), c.name) == wanted.end();
  });
  return all;
}

/// Keeps Google Benchmark's own table to itself: ours is printed at the end.
class Silent : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

std::map<std::string, Measured> measure(const std::vector<perf::Case>& cases, rte_mempool* pool,
                                        const Settings& settings) {
  std::map<std::string, Measured> results;
  for (const perf::Case& c : cases) {
    Measured& result = results[c.name];
    benchmark::RegisterBenchmark(c.name.c_str(),
                                 [&c, &result, pool](benchmark::State& state) {
                                   const auto window = c.make(pool);
                                   for (auto _ : state) {
                                     const perf::Samples samples = window();
                                     result.p10.push_back(quantile(samples, 0.1));
                                     result.median.push_back(middle(samples));
                                     result.samples += samples.size();
                                     state.SetIterationTime(1e-3);
                                   }
                                 })
        ->UseManualTime()
        ->Iterations(1);
  }
  const std::string repetitions = fmt::format("--benchmark_repetitions={}", settings.rounds);
  std::vector<std::string> words{"bench", repetitions,
                                 "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& w : words) argv.push_back(w.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  Silent silent;
  benchmark::RunSpecifiedBenchmarks(&silent);
  return results;
}

void print(const std::vector<perf::Case>& cases, const std::map<std::string, Measured>& results) {
  fmt::print("\n{:<26} {:>8} {:>8} {:>17} {:>8} {:>8} {:>9}  {}\n", "case", "p10", "median",
             "p10 of rounds", "floor", "limit", "to limit",
             "TSC cycles per packet, device excluded");
  for (const perf::Case& c : cases) {
    const Measured& m = results.at(c.name);
    const double p10 = middle(m.p10);
    const auto other = [&](const std::string& name) {
      return name.empty() ? std::string{"-"} : fmt::format("{:.1f}", middle(results.at(name).p10));
    };
    const std::string ratio =
        c.limit.empty() ? "-" : fmt::format("{:.2f}x", p10 / middle(results.at(c.limit).p10));
    fmt::print("{:<26} {:>8.1f} {:>8.1f} {:>17} {:>8} {:>8} {:>9}  {}\n", c.name, p10,
               middle(m.median),
               fmt::format("{:.1f}..{:.1f}", *std::min_element(m.p10.begin(), m.p10.end()),
                           *std::max_element(m.p10.begin(), m.p10.end())),
               other(c.floor), other(c.limit), ratio, c.what);
  }
}

void write_json(const std::string& path, const std::vector<perf::Case>& cases,
                const std::map<std::string, Measured>& results) {
  nlohmann::json list = nlohmann::json::array();
  for (const perf::Case& c : cases) {
    const Measured& m = results.at(c.name);
    nlohmann::json entry{{"case", c.name},
                         {"unit", "TSC cycles per packet"},
                         {"p10", middle(m.p10)},
                         {"median", middle(m.median)},
                         {"samples", m.samples}};
    if (!c.floor.empty()) entry["floor"] = middle(results.at(c.floor).p10);
    if (!c.limit.empty()) entry["limit"] = middle(results.at(c.limit).p10);
    list.push_back(std::move(entry));
  }
  std::ofstream{path} << list.dump(2) << '\n';
}

int run(const Settings& settings) {
  const std::vector<perf::Case> cases = choose(settings.only);
  if (cases.empty()) {
    fmt::print(stderr, "bench: no case matches '{}'\n", settings.only);
    return 2;
  }
  const auto eal = polluxd::eal_init({.instance = 200,
                                      .worker_cpus = polluxd::choose_cpus(1, {}),
                                      .memory_mib = 768,
                                      .extra = {}});
  if (!eal) {
    fmt::print(stderr, "bench: {}\n", eal.error().context);
    return 1;
  }
  fmt::print("{}\n{} cases, {} rounds in random order\n", eal->memory, cases.size(),
             settings.rounds);
  auto pool = core::create_packet_pool("bench", 16384, 512, 2048);
  if (!pool) {
    fmt::print(stderr, "bench: {}\n", pool.error().context);
    return 1;
  }
  const auto results = measure(cases, pool->get(), settings);
  print(cases, results);
  if (!settings.json.empty()) write_json(settings.json, cases, results);
  pool->reset();
  polluxd::eal_cleanup(200);
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    Settings settings;
    CLI::App app{"cycles per packet, beside a floor and a limit of the same run"};
    app.add_option("--json", settings.json, "write the results to FILE");
    app.add_option("--only", settings.only, "cases that match, as the shell's file names do");
    app.add_flag("--quick", settings.quick, "3 rounds instead of 9");
    CLI11_PARSE(app, argc, argv);
    if (settings.quick) settings.rounds = 3;
    return run(settings);
  } catch (const std::exception& e) { std::fputs(e.what(), stderr); } catch (...) {
    std::fputs("bench: unknown error", stderr);
  }
  return 1;
}
