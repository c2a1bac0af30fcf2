// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/ping.hh"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "apps/plx/client.hh"
#include "apps/plx/interrupt.hh"

namespace plx {
namespace {
using Clock = std::chrono::steady_clock;
void sleep_until(Clock::time_point when) {
  while (!interrupted() && Clock::now() < when) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when - Clock::now());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec time{seconds.count(), (left - seconds).count()};
    if (left.count() > 0) ::nanosleep(&time, nullptr);
  }
}

struct Series {
  std::uint32_t sent = 0, received = 0;
  double min_ms = 0, max_ms = 0, sum_ms = 0;
  Json replies = Json::array();

  void add(const Json& reply) {
    const double ms = reply.value("rtt_us", 0.0) / 1000;
    min_ms = received == 0 ? ms : std::min(min_ms, ms);
    max_ms = std::max(max_ms, ms);
    sum_ms += ms;
    ++received;
    replies.push_back(reply);
  }
};

void print_line(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void one_echo(Client& client, const PingOptions& o, const Json& params, Series& series) {
  constexpr std::chrono::milliseconds kAllowance{5000};  // for the daemon, beyond the echo's own
  constexpr unsigned kIcmpHeader = 8;                    // which ping counts in what it prints
  const std::uint32_t seq = ++series.sent;
  try {
    Json reply =
        client.call({"ping", params}, std::chrono::milliseconds{o.timeout_ms} + kAllowance);
    reply["seq"] = seq;
    series.add(reply);
    if (!o.json)
      print_line(fmt::format("{} bytes from {}: icmp_seq={} ttl={} time={:.3f} ms\n",
                             reply.value("bytes", 0u) + kIcmpHeader,
                             reply.value("source", o.destination), seq, reply.value("ttl", 0u),
                             reply.value("rtt_us", 0.0) / 1000));
  } catch (const Refused& refused) {
    if (refused.code == "Interrupted") {
      --series.sent;
      return;
    }
    if (refused.code != "Timeout") throw;
    if (!o.json) print_line(fmt::format("no answer to icmp_seq={}\n", seq));
  }
}

void print_statistics(const PingOptions& o, const Series& s) {
  const double loss = s.sent == 0 ? 0 : 100.0 * (s.sent - s.received) / s.sent;
  if (o.json) {
    const Json all{{"destination", o.destination},
                   {"transmitted", s.sent},
                   {"received", s.received},
                   {"replies", s.replies}};
    return print_line(all.dump(2) + '\n');
  }
  print_line(
      fmt::format("\n--- {} ping statistics ---\n{} packets transmitted, {} received, "
                  "{:.3g}% packet loss\n",
                  o.destination, s.sent, s.received, loss));
  if (s.received > 0)
    print_line(fmt::format("rtt min/avg/max = {:.3f}/{:.3f}/{:.3f} ms\n", s.min_ms,
                           s.sum_ms / s.received, s.max_ms));
}
}  // namespace

int ping(Client& client, const PingOptions& o) {
  catch_interrupts();
  Json params{{"destination", o.destination}, {"size", o.size}, {"timeout_ms", o.timeout_ms}};
  if (o.source) params["source"] = *o.source;
  if (!o.json) print_line(fmt::format("PING {}: {} data bytes\n", o.destination, o.size));
  Series series;
  const auto interval =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{o.interval_s});
  auto next = Clock::now();
  while (!interrupted() && (o.count == 0 || series.sent < o.count)) {
    if (series.sent > 0) sleep_until(next);
    if (interrupted()) break;
    next = Clock::now() + interval;
    one_echo(client, o, params, series);
  }
  print_statistics(o, series);
  return series.received > 0 ? 0 : 1;
}
}  // namespace plx
