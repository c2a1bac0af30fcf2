// SPDX-License-Identifier: BSD-3-Clause
// The options of ping, ping6, traceroute and traceroute6.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "apps/plx/client.hh"
#include "apps/plx/command.hh"
#include "apps/plx/ping.hh"

namespace plx {
namespace {
/// What both kinds of command have in common.
template <class Options>
void add_host(CLI::App* command, const std::shared_ptr<Options>& o, Family family) {
  command->add_option("host", o->destination, "name or address; a link-local one with %IF")
      ->required()
      ->type_name("");
  o->family = family;
  if (family == Family::Any) {
    command->add_flag_callback(
        "-4", [o] { o->family = Family::Ip4; }, "IPv4");
    command->add_flag_callback(
        "-6", [o] { o->family = Family::Ip6; }, "IPv6");
  }
  command
      ->add_option_function<std::string>(
          "-V,--vrf", [o](const std::string& vrf) { o->vrf = vrf; }, "whose routes it follows")
      ->type_name("VRF");
  command->add_option("-W,-w,--timeout", o->timeout_ms, "for an answer")
      ->type_name("MS")
      ->check(CLI::Range(1u, 60'000u));
}

void add_ping(CLI::App& app, Session& session, const char* name, Family family) {
  const auto o = std::make_shared<PingOptions>();
  CLI::App* command =
      add_command(app, session, name, "send ICMP echo requests from the stack", [&session, o] {
        o->json = session.json;
        Client client{session.path()};
        return ping(client, *o);
      });
  add_host(command, o, family);
  command->add_option("-c,--count", o->count, "how many (default: until interrupted)")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{1}, ~std::uint32_t{0}));
  command->add_option("-s,--size", o->size, "bytes of data (56), 0 to 65507")
      ->type_name("BYTES")
      ->check(CLI::Range(0u, 65507u));
  command->add_option("-t,--ttl", o->ttl, "TTL or hop limit")
      ->type_name("N")
      ->check(CLI::Range(1u, 255u));
  command->add_flag("-D,--dont-fragment", o->dont_fragment, "in one packet, DF set");
  command->add_option("-i,--interval", o->interval_s, "between requests (1)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  command
      ->add_option_function<std::string>(
          "-I,-S,--source", [o](const std::string& source) { o->source = source; },
          "source address")
      ->type_name("ADDRESS");
}

void add_traceroute(CLI::App& app, Session& session, const char* name, Family family) {
  const auto o = std::make_shared<TracerouteOptions>();
  CLI::App* command =
      add_command(app, session, name, "show the routers on the way to a host", [&session, o] {
        o->json = session.json;
        Client client{session.path()};
        return traceroute(client, *o);
      });
  add_host(command, o, family);
  command->add_option("-f,--first", o->first_hop, "first TTL (1)")
      ->type_name("N")
      ->check(CLI::Range(1u, 255u));
  command->add_option("-m,--max", o->max_hops, "last TTL (30)")
      ->type_name("N")
      ->check(CLI::Range(1u, 255u));
  command->add_option("-q,--queries", o->probes, "probes of each TTL (3)")
      ->type_name("N")
      ->check(CLI::Range(1u, 10u));
  command->add_flag("-n", o->numeric, "addresses only, no names");
  command->add_flag_callback(
      "-U", [o] { o->icmp = false; }, "UDP datagrams (as without)");
  command->add_flag_callback(
      "-I", [o] { o->icmp = true; }, "ICMP echo requests");
  command->add_option("-p,--port", o->port, "UDP port of the first probe (33434)")
      ->type_name("PORT")
      ->check(CLI::Range(1u, 65535u));
  command
      ->add_option_function<std::string>(
          "--source", [o](const std::string& source) { o->source = source; }, "source address")
      ->type_name("ADDRESS");
}
}  // namespace

void declare_ping(CLI::App& app, Session& session) {
  add_ping(app, session, "ping", Family::Any);
  add_ping(app, session, "ping6", Family::Ip6);
  add_traceroute(app, session, "traceroute", Family::Any);
  add_traceroute(app, session, "traceroute6", Family::Ip6);
}
}  // namespace plx
