// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "apps/plx/client.hh"
#include "apps/plx/interrupt.hh"
#include "apps/plx/ping.hh"

namespace plx {
namespace {
/// What is behind the time of a probe that was refused: traceroute's marks.
std::string mark_of(const Json& answer, bool ip6) {
  const std::string kind = answer.value("kind", "");
  const unsigned code = answer.value("code", 0u);
  if (kind == "too-big") return fmt::format(" !F-{}", answer.value("mtu", 0u));
  if (kind != "unreachable") return "";
  if (code == (ip6 ? 4u : 3u)) return "";  // port unreachable: there
  if (code == 0) return " !N";
  if (code == (ip6 ? 3u : 1u)) return " !H";
  if (!ip6 && code == 2) return " !P";
  if (code == (ip6 ? 1u : 13u)) return " !X";
  return fmt::format(" !<{}>", code);
}

class Traceroute {
public:
  Traceroute(Client& client, const TracerouteOptions& o)
      : client_{client}, o_{o}, host_{find_host(o.destination, o.family)} {
    params_ = {{"destination", host_.address}, {"size", kSize}, {"timeout_ms", o.timeout_ms}};
    if (!host_.interface.empty()) params_["interface"] = host_.interface;
    if (o.source) params_["source"] = *o.source;
    if (o.vrf) params_["vrf"] = *o.vrf;
  }

  int run() {
    print(fmt::format("traceroute to {} ({}), {} hops max, {} byte packets\n", host_.name,
                      host_.address, o_.max_hops, kSize + 8 + (host_.ip6 ? 40 : 20)));
    for (std::uint32_t ttl = o_.first_hop; ttl <= o_.max_hops && !done_ && !interrupted(); ++ttl)
      hop(ttl);
    if (o_.json) {
      const Json all{{"destination", host_.address}, {"reached", reached_}, {"hops", hops_}};
      std::puts(all.dump(2).c_str());
    }
    return reached_ ? 0 : 1;
  }

private:
  static constexpr unsigned kSize = 32;  ///< bytes of data

  void print(const std::string& text) const {
    if (o_.json) return;
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  void hop(std::uint32_t ttl) {
    print(fmt::format("{:2} ", ttl));
    Json probes = Json::array();
    last_.clear();
    for (std::uint32_t n = 0; n < o_.probes && !interrupted(); ++n) probes.push_back(probe(ttl));
    print("\n");
    hops_.push_back({{"ttl", ttl}, {"probes", std::move(probes)}});
  }

  Json probe(std::uint32_t ttl) {
    constexpr std::chrono::milliseconds kAllowance{5000};  // for the daemon, beyond the probe's own
    params_["ttl"] = ttl;
    if (!o_.icmp) params_["port"] = o_.port + sent_++ % (65536 - o_.port);
    try {
      Json answer =
          client_.call({"ping", params_}, std::chrono::milliseconds{o_.timeout_ms} + kAllowance);
      show(answer);
      return answer;
    } catch (const Refused& refused) {
      if (refused.code != "Timeout" && refused.code != "Interrupted") throw;
      print(" *");
      return nullptr;
    }
  }

  void show(const Json& answer) {
    const std::string from = answer.value("source", "?");
    if (from != last_)
      print(o_.numeric ? fmt::format(" {}", from) : fmt::format(" {} ({})", name_of(from), from));
    last_ = from;
    print(fmt::format("  {:.3f} ms{}", answer.value("rtt_us", 0.0) / 1000,
                      mark_of(answer, host_.ip6)));
    if (answer.value("kind", "") == "time-exceeded") return;
    done_ = true;
    // An error other than "port unreachable" says that the way ends before.
    reached_ = reached_ || mark_of(answer, host_.ip6).empty();
  }

  Client& client_;
  const TracerouteOptions& o_;
  Host host_;
  Json params_, hops_ = Json::array();
  std::string last_;  ///< who answered the probe before, of the same hop
  std::uint32_t sent_ = 0;
  bool done_ = false, reached_ = false;
};
}  // namespace

int traceroute(Client& client, const TracerouteOptions& o) {
  catch_interrupts();
  return Traceroute{client, o}.run();
}
}  // namespace plx
