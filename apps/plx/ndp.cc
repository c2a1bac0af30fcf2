// SPDX-License-Identifier: BSD-3-Clause
// IPv6 neighbours, default routers and prefixes, in the words of NetBSD's ndp.
#include <fmt/format.h>

#include <algorithm>

#include "apps/plx/plan.hh"
#include "apps/plx/table.hh"

namespace plx {
namespace {
bool is_link_local(const std::string& address) {
  const std::string head = address.substr(0, 4);
  return address.find(':') != std::string::npos && head >= "fe80" && head <= "febf";
}

/// "fe80::1%lan0": of a link-local address the link is a part (RFC 4007 section 11).
std::string with_zone(const Json& object, const char* address) {
  std::string text = text_of(object, address);
  if (is_link_local(text)) text += '%' + text_of(object, "interface");
  return text;
}

std::string seconds(const Json& object, const char* member) {
  if (!object.contains(member) || object[member].is_null()) return "permanent";
  return fmt::format("{}s", count_of(object, member));
}

/// When something will be done about a neighbour.
std::string expiry(const Json& n) {
  if (n.contains("expires_ms") && !n["expires_ms"].is_null())
    return fmt::format("{:.1f}s", static_cast<double>(count_of(n, "expires_ms")) / 1000);
  return n.value("state", "") == "permanent" ? std::string{"permanent"} : std::string{"-"};
}

std::string show_neighbors(const Json& neighbors) {
  Table table{{"Neighbor", "Linklayer Address", "Netif", ">Expire", "State", "Flags"}};
  for (const Json& n : neighbors) {
    if (n.value("address", "").find(':') == std::string::npos) continue;
    table.add({with_zone(n, "address"), n["mac"].is_null() ? "(incomplete)" : text_of(n, "mac"),
               text_of(n, "interface"), expiry(n), n.value("state", ""),
               n.value("router", false) ? "R" : ""});
  }
  return table.text();
}

std::string show_routers(const Json& routers) {
  Table table{{"Router", "Netif", ">Lifetime", "Preference", "State", "Flags"}};
  for (const Json& r : routers) {
    std::string flags;
    if (r.value("managed", false)) flags += 'M';
    if (r.value("other", false)) flags += 'O';
    if (r.value("used", false)) flags += '*';
    table.add({with_zone(r, "address"), text_of(r, "interface"), seconds(r, "lifetime_s"),
               text_of(r, "preference"), text_of(r, "state"), std::move(flags)});
  }
  return table.text();
}

std::string show_prefixes(const Json& prefixes) {
  Table table{{"Prefix", "Netif", ">Valid", ">Preferred", "Flags", "Router"}};
  for (const Json& p : prefixes) {
    std::string flags;
    if (p.value("on_link", false)) flags += 'L';
    if (p.value("autonomous", false)) flags += 'A';
    table.add({text_of(p, "prefix"), text_of(p, "interface"), seconds(p, "valid_s"),
               seconds(p, "preferred_s"), std::move(flags), with_zone(p, "router")});
  }
  return table.text();
}

/// "fe80::1%lan0", or "2001:db8::1" with the interface behind it as a word of its own.
Json neighbor_of(const std::string& text, const std::string& otherwise) {
  const auto percent = text.find('%');
  const std::string interface = percent == std::string::npos ? otherwise : text.substr(percent + 1);
  if (interface.empty()) throw UsageError{fmt::format("ndp: {}: expected ADDRESS%IF", text)};
  return {{"address", text.substr(0, percent)}, {"interface", interface}};
}
}  // namespace

Plan ndp(const Words& words, const NdpQuery& query) {
  const int asked = int{query.prefixes} + int{query.routers} + int{query.remove} + int{query.set};
  if (asked > 1) throw UsageError{"ndp: expected one of -a, -d, -s, -p and -r"};
  if (query.remove) {
    if (words.size() != 1) throw UsageError{"ndp -d: expected ADDRESS%IF"};
    return Plan{"neighbor.delete", neighbor_of(words[0], "")};
  }
  if (query.set) {
    if (words.size() != 2) throw UsageError{"ndp -s: expected ADDRESS%IF MAC"};
    Json params = neighbor_of(words[0], "");
    params["mac"] = words[1];
    return Plan{"neighbor.add", std::move(params)};
  }
  if (!words.empty())
    throw UsageError{fmt::format("ndp: \"{}\", expected no more words", words[0])};
  if (query.prefixes) return Plan{"prefix.list", Json::object(), show_prefixes};
  if (query.routers) return Plan{"router.list", Json::object(), show_routers};
  return Plan{"neighbor.list", Json::object(), show_neighbors};
}
}  // namespace plx
