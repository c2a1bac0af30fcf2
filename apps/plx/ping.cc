// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/ping.hh"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <iterator>

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
  std::uint32_t sent = 0, received = 0, errors = 0, corrupt = 0;
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

/// @return what is printed of an answer.
std::string line_of(const Json& answer, const PingOptions& o, std::uint32_t seq, bool ip6) {
  constexpr unsigned kIcmpHeader = 8;  // which ping counts in what it prints
  const std::string source = answer.value("source", o.destination);
  if (answer.value("kind", "reply") != "reply")
    return fmt::format("From {}: icmp_seq={} {}\n", source, seq, error_text(answer, ip6));
  return fmt::format("{} bytes from {}: icmp_seq={} ttl={} time={:.3f} ms{}\n",
                     answer.value("bytes", 0u) + kIcmpHeader, source, seq, answer.value("ttl", 0u),
                     answer.value("rtt_us", 0.0) / 1000,
                     answer.value("intact", true) ? "" : " (DATA DIFFERS!)");
}

void one_echo(Client& client, const PingOptions& o, const Json& params, bool ip6, Series& series) {
  constexpr std::chrono::milliseconds kAllowance{5000};  // for the daemon, beyond the echo's own
  const std::uint32_t seq = ++series.sent;
  try {
    Json answer =
        client.call({"ping", params}, std::chrono::milliseconds{o.timeout_ms} + kAllowance);
    answer["seq"] = seq;
    if (!o.json) print_line(line_of(answer, o, seq, ip6));
    if (answer.value("kind", "reply") != "reply")
      ++series.errors;
    else if (!answer.value("intact", true))
      ++series.corrupt;
    else
      return series.add(answer);
    series.replies.push_back(answer);
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
    const Json all{{"destination", o.destination}, {"transmitted", s.sent},
                   {"received", s.received},       {"errors", s.errors},
                   {"corrupt", s.corrupt},         {"replies", s.replies}};
    return print_line(all.dump(2) + '\n');
  }
  print_line(fmt::format(
      "\n--- {} ping statistics ---\n{} packets transmitted, {} received, {}{}"
      "{:.3g}% packet loss\n",
      o.destination, s.sent, s.received, s.errors > 0 ? fmt::format("+{} errors, ", s.errors) : "",
      s.corrupt > 0 ? fmt::format("+{} corrupted, ", s.corrupt) : "", loss));
  if (s.received > 0)
    print_line(fmt::format("rtt min/avg/max = {:.3f}/{:.3f}/{:.3f} ms\n", s.min_ms,
                           s.sum_ms / s.received, s.max_ms));
}
}  // namespace

std::string error_text(const Json& answer, bool ip6) {
  constexpr const char* kUnreachable[] = {"Net Unreachable",      "Host Unreachable",
                                          "Protocol Unreachable", "Port Unreachable",
                                          "Fragmentation Needed", "Source Route Failed"};
  constexpr const char* kUnreachable6[] = {
      "No Route",         "Administratively Prohibited", "Beyond Scope", "Address Unreachable",
      "Port Unreachable", "Source Address Failed",       "Reject Route"};
  const std::string kind = answer.value("kind", "");
  const unsigned code = answer.value("code", 0u);
  if (kind == "too-big") return fmt::format("Packet Too Big, mtu={}", answer.value("mtu", 0u));
  if (kind == "time-exceeded")
    return code == 0 ? "Time to live exceeded" : "Fragment reassembly time exceeded";
  if (kind == "parameter-problem") return fmt::format("Parameter problem, code {}", code);
  if (!ip6 && code == 13) return "Destination Administratively Prohibited";
  if (ip6 && code < std::size(kUnreachable6))
    return fmt::format("Destination {}", kUnreachable6[code]);
  if (!ip6 && code < std::size(kUnreachable))
    return fmt::format("Destination {}", kUnreachable[code]);
  return fmt::format("Destination Unreachable, code {}", code);
}

int ping(Client& client, const PingOptions& o) {
  catch_interrupts();
  const Host host = find_host(o.destination, o.family);
  Json params{{"destination", host.address}, {"size", o.size}, {"timeout_ms", o.timeout_ms}};
  if (!host.interface.empty()) params["interface"] = host.interface;
  if (o.source) params["source"] = *o.source;
  if (o.vrf) params["vrf"] = *o.vrf;
  if (o.ttl != 0) params["ttl"] = o.ttl;
  if (o.dont_fragment) params["dont_fragment"] = true;
  if (!o.json)
    print_line(fmt::format("PING {} ({}): {} data bytes\n", host.name, host.address, o.size));
  Series series;
  const auto interval =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{o.interval_s});
  auto next = Clock::now();
  while (!interrupted() && (o.count == 0 || series.sent < o.count)) {
    if (series.sent > 0) sleep_until(next);
    if (interrupted()) break;
    next = Clock::now() + interval;
    one_echo(client, o, params, host.ip6, series);
  }
  print_statistics(o, series);
  return series.received > 0 ? 0 : 1;
}
}  // namespace plx
