// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
std::string show_tunnels(const Json& tunnels) {
  Table table{{"Tunnel", "Local", "Remote", ">MTU", "Outbound SPI", "Selectors"}};
  for (const Json& t : tunnels) {
    std::string selectors;
    for (const Json& s : t.value("selectors", Json::array())) {
      if (!selectors.empty()) selectors += ", ";
      selectors += fmt::format("{} <-> {}", text_of(s, "local"), text_of(s, "remote"));
    }
    table.add({text_of(t, "name"), text_of(t, "local"), text_of(t, "remote"), text_of(t, "mtu"),
               text_of(t, "outbound_spi"), selectors.empty() ? "any" : selectors});
  }
  return table.text();
}

std::string show_sas(const Json& sas) {
  Table table{{"Tunnel", "Dir", "SPI", "Source", "Destination", "Algorithm", ">Window", ">Sequence",
               ">Packets", ">Bytes", ">Replayed", ">BadICV", ">Malformed", ">Selector"}};
  for (const Json& s : sas) {
    const Json rejected = s.value("rejected", Json::object());
    table.add({text_of(s, "tunnel"), text_of(s, "direction"), text_of(s, "spi"),
               text_of(s, "source"), text_of(s, "destination"), text_of(s, "algorithm"),
               text_of(s, "replay_window"), text_of(s, "sequence"), text_of(s, "packets"),
               text_of(s, "bytes"), text_of(rejected, "replayed"), text_of(rejected, "bad_icv"),
               text_of(rejected, "malformed"), text_of(rejected, "selector_mismatch")});
  }
  return table.text();
}

Plan add_tunnel(const Words& words) {
  Json params{{"name", words[1]}};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::size_t left = words.size() - i - 1;
    if ((word == "local" || word == "remote" || word == "vrf") && left >= 1) {
      params[word] = words[++i];
    } else if (word == "mtu" && left >= 1) {
      params["mtu"] = number(words[++i], "mtu");
    } else if (word == "selector" && left >= 2) {
      params["selectors"].push_back({{"local", words[i + 1]}, {"remote", words[i + 2]}});
      i += 2;
    } else {
      throw UsageError{
          fmt::format("ipsec tunnel add: \"{}\", expected local ADDRESS, remote ADDRESS, vrf NAME "
                      "(of the outer "
                      "packets), mtu N or selector "
                      "LOCAL-PREFIX REMOTE-PREFIX",
                      word)};
    }
  }
  if (!params.contains("local") || !params.contains("remote"))
    throw UsageError{"ipsec tunnel add: expected local ADDRESS and remote ADDRESS"};
  return Plan{"ipsec.tunnel.add", std::move(params)};
}
}  // namespace

Plan ipsec_tunnel(const Words& words) {
  const std::string verb = words.empty() ? "show" : words[0];
  if (verb == "show" && words.size() <= 1)
    return Plan{"ipsec.tunnel.list", Json::object(), show_tunnels};
  if (verb == "add" && words.size() >= 2) return add_tunnel(words);
  if ((verb == "del" || verb == "delete") && words.size() == 2)
    return Plan{"ipsec.tunnel.delete", {{"name", words[1]}}};
  throw UsageError{
      "ipsec tunnel: expected show, add NAME local ADDRESS remote ADDRESS [mtu N] [selector LOCAL "
      "REMOTE]... or del NAME"};
}

SaPlan ipsec_sa(const Words& words, const std::string& key_file, const Json& replay_window) {
  const std::string verb = words.empty() ? "show" : words[0];
  const bool adds = verb == "add";
  if (!adds && (!key_file.empty() || !replay_window.is_null()))
    throw UsageError{"ipsec sa: --key-file and --replay-window belong to add"};
  if (verb == "show" && words.size() <= 1)
    return {Plan{"ipsec.sa.list", Json::object(), show_sas}, ""};
  if ((verb == "del" || verb == "delete") && words.size() == 4)
    return {
        Plan{"ipsec.sa.delete", {{"tunnel", words[1]}, {"direction", words[2]}, {"spi", words[3]}}},
        ""};
  const bool from_stdin = words.size() == 6 && words[5] == "-";
  if (!adds || (words.size() != 5 && !from_stdin))
    throw UsageError{
        "ipsec sa: expected show, add TUNNEL in|out SPI ALGORITHM (--key-file FILE | -) "
        "[--replay-window N] or del TUNNEL in|out SPI"};
  if (from_stdin == !key_file.empty())
    throw UsageError{
        "ipsec sa add: the key comes from --key-file FILE or, with \"-\", from standard input"};
  Json params{
      {"tunnel", words[1]}, {"direction", words[2]}, {"spi", words[3]}, {"algorithm", words[4]}};
  if (!replay_window.is_null()) params["replay_window"] = replay_window;
  return {Plan{"ipsec.sa.add", std::move(params)}, from_stdin ? "-" : key_file};
}
}  // namespace plx
