// SPDX-License-Identifier: BSD-3-Clause
// A run of the engine: from streams to workers, and back to results.
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "apps/gen/engine.hh"
#include "apps/gen/replay.hh"

namespace gen {
using core::Errc;
using core::Error;
using namespace std::chrono_literals;

/// What lives as long as one run.
struct Engine::Run {
  RunState state;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::string> stream_names;
  Schedule schedule;
  std::uint64_t ended = 0;  ///< cycles
};

core::Expected<RatePlan> Engine::rate_of(const StreamPlan& stream, std::size_t shares) const {
  RatePlan rate = stream.rate;
  if (rate.unit == RatePlan::Unit::PercentOfLine) {
    const double line = line_rate(stream.from);
    if (line <= 0)
      return Error{Errc::Invalid,
                   fmt::format("stream {}: {}% of a line, but port {} does not know how fast it "
                               "is; --line-rate says it",
                               stream.name, rate.value, plan_.ports[stream.from].name)};
    rate = {.unit = RatePlan::Unit::BitsPerS, .value = line * rate.value / 100};
  }
  rate.value /= static_cast<double>(shares);
  return rate;
}

void Engine::make_workers(Run& run) const {
  const std::size_t count = options_.workers;
  // Fewer cores than threads that spin, ours and the main one: whoever idles lets others run.
  run.state.yields = static_cast<long>(count) + 1 >= sysconf(_SC_NPROCESSORS_ONLN);
  for (std::size_t i = 0; i < count; ++i)
    run.workers.push_back(std::make_unique<Worker>(i, run.state, *pool_));
  for (std::size_t i = 0; i < count; ++i) {
    Worker& w = *run.workers[i];
    for (std::size_t k = 0; k < count; ++k) {
      w.others.push_back(run.workers[k].get());
      w.inbox.push_back(k == i ? nullptr : std::make_unique<ArrivalRing>());
    }
    for (std::size_t n = 0; n < ports_.size(); ++n) {
      auto p = std::make_unique<WorkerPort>();
      p->port = &ports_[n].open.port;
      p->speaker = ports_[n].speaker.get();
      for (std::size_t q = i; q < p->port->rx_queues; q += count)
        p->rx_queues.push_back(static_cast<std::uint16_t>(q));
      p->sends = i < senders(n);
      p->tx_queue = static_cast<std::uint16_t>(i);
      p->outbox = std::make_unique<Outbox>(*pool_);
      w.ports.push_back(std::move(p));
    }
  }
}

core::Expected<> Engine::add_streams(Run& run, const RunRequest& request) {
  const std::size_t workers = options_.workers;
  // Flow f is worker f % workers' share of stream f / workers.
  for (std::size_t n = 0; n < request.streams.size(); ++n) {
    const StreamPlan& s = request.streams[n];
    run.stream_names.push_back(s.name);
    const std::size_t shares = senders(s.from);
    auto rate = rate_of(s, shares);
    if (!rate) return rate.error();
    StreamPlan share = s;
    share.rate = *rate;
    if (share.vlans.empty()) share.vlans = plan_.ports[s.from].vlans;
    for (std::size_t w = 0; w < workers; ++w) {
      const auto number = static_cast<std::uint16_t>(n * workers + w);
      Flow& flow = *run.state.flows.emplace_back(
          std::make_unique<Flow>(n, static_cast<std::uint16_t>(s.to), plan_.window, 1e9 / hz_));
      if (w >= shares) continue;
      Schedule schedule = run.schedule;
      if (s.packets) schedule.packets = *s.packets / shares + (w < *s.packets % shares ? 1 : 0);
      const std::uint64_t seed = Random{s.seed + number}.next();
      run.workers[w]->ports[s.from]->sources.push_back(std::make_unique<FlowSource>(
          share, FrameTemplate{share, ports_[s.from].mac, destination(s), seed}, run.state.run,
          number, flow, schedule, hz_, seed));
    }
  }
  return core::Done{};
}

void Engine::add_replay(Run& run, const RunRequest& request) const {
  if (request.replay == nullptr) return;
  RatePlan rate = request.replay_rate;
  if (rate.unit == RatePlan::Unit::PercentOfLine)
    rate = {.unit = RatePlan::Unit::BitsPerS,
            .value = line_rate(request.replay_port) * rate.value / 100};
  run.workers[0]->ports[request.replay_port]->sources.push_back(std::make_unique<ReplaySource>(
      *request.replay, rate, request.replay_flat_out, request.replay_loops, run.schedule, hz_));
}

core::Expected<RunResult> Engine::run(const RunRequest& request) {
  Run run;
  run.state.run = ++run_number_;
  const auto cycles = [&](double s) { return static_cast<std::uint64_t>(s * hz_); };
  // All workers shall be at work when the first packet goes.
  run.schedule.start = rte_rdtsc() + cycles(0.02);
  run.schedule.stop = run.schedule.start + cycles(request.duration_s);
  run.schedule.packets = std::numeric_limits<std::uint64_t>::max();
  make_workers(run);
  if (const auto added = add_streams(run, request); !added) return added.error();
  add_replay(run, request);
  serve_ports();  // what came since the last run
  const auto life = [](void* worker) {
    static_cast<Worker*>(worker)->run();
    return 0;
  };
  for (std::size_t i = 0; i < run.workers.size(); ++i)
    (void)rte_eal_remote_launch(life, run.workers[i].get(), eal_.lcores[i]);
  supervise(run, request);
  run.state.stop.store(true);
  rte_eal_mp_wait_lcore();
  run.ended = rte_rdtsc();
  for (const auto& w : run.workers) (void)w->drain();
  return collect(run);
}

// Until all is sent and has come back, or has had its time to come.
void Engine::supervise(Run& run, const RunRequest& request) {
  constexpr double kQuiet_s = 0.1;  // nothing is missing: time for what may come twice
  const auto cycles = [&](double s) { return static_cast<std::uint64_t>(s * hz_); };
  std::uint64_t next_view = run.schedule.start + cycles(1), sent_at = 0;
  while (!interrupted()) {
    std::this_thread::sleep_for(5ms);
    const std::uint64_t now = rte_rdtsc();
    if (request.each_second && now >= next_view) {
      request.each_second(collect(run));
      next_view += cycles(1);
    }
    const bool all_sent =
        std::ranges::all_of(run.workers, [](const auto& w) { return w->done_sending(); });
    // A device that takes nothing any more does not keep us here.
    if (!all_sent && now < run.schedule.stop + cycles(request.settle_s + 5)) continue;
    if (sent_at == 0) sent_at = now;
    std::uint64_t last = sent_at;
    for (const auto& w : run.workers) last = std::max(last, w->last_arrival());
    const bool complete = std::ranges::all_of(run.state.flows, [](const auto& f) {
      return f->sequence.unique() == f->sent.packets.read();
    });
    if (now > last &&
        now - last > cycles(complete ? std::min(kQuiet_s, request.settle_s) : request.settle_s))
      return;
  }
}

RunResult Engine::collect(const Run& run) const {
  RunResult result;
  result.interrupted = interrupted();
  result.elapsed_s = seconds((run.ended != 0 ? run.ended : rte_rdtsc()) - run.schedule.start);
  for (const std::string& name : run.stream_names) result.streams.emplace_back().name = name;
  for (const auto& flow : run.state.flows) {
    StreamResult f;
    f.sent = flow->sent.packets.read();
    f.sent_bytes = flow->sent.bytes.read();
    f.received = flow->received.packets.read();
    f.received_bytes = flow->received.bytes.read();
    f.highest = flow->sequence.next_expected();
    f.duplicates = flow->sequence.duplicates();
    f.reordered = flow->sequence.reordered();
    f.too_late = flow->sequence.too_late();
    f.max_extent = flow->sequence.max_extent();
    f.extent_sum = flow->sequence.extent_sum();
    f.corrupt = flow->corrupt.read();
    f.misdelivered = flow->misdelivered.read();
    f.delay = flow->delay.delays().view();
    f.jitter_ns = flow->delay.jitter_ns();
    f.ipdv_sum_ns = flow->delay.ipdv_sum_ns();
    f.ipdv_count = flow->delay.ipdv_count();
    f.send_s = seconds(flow->last_sent.read() - flow->first_sent.read());
    f.receive_s = seconds(flow->last_received.read() - flow->first_received.read());
    result.streams[flow->stream].add(f);
  }
  for (std::size_t n = 0; n < ports_.size(); ++n) {
    PortResult& p = result.ports.emplace_back();
    p.name = plan_.ports[n].name;
    p.device = ports_[n].open.port.device;
    for (const auto& w : run.workers) {
      const PortCounters& c = w->ports[n]->counters;
      p.sent += c.tx.packets.read();
      p.sent_bytes += c.tx.bytes.read();
      p.received += c.rx.packets.read();
      p.received_bytes += c.rx.bytes.read();
      p.foreign += c.foreign.read();
      p.stale += c.stale.read();
      p.unknown += c.unknown.read();
      p.refused += c.refused.read();
    }
    if (const auto device = ports_[n].open.stats()) {
      p.rx_missed = device->rx_missed;
      p.rx_errors = device->rx_errors;
      p.tx_errors = device->tx_errors;
    }
  }
  return result;
}
}  // namespace gen
