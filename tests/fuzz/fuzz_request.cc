// SPDX-License-Identifier: BSD-3-Clause
// Lines of a client on the control socket, one request each, to a configured gateway: whatever they
// ask for, the gateway goes on, and what they have made can be taken away again.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "apps/polluxd/api.hh"
#include "core/log.hh"
#include "tests/fuzz/fuzz.hh"
#include "tests/fuzz/gateway.hh"
#include "tests/support/eal.hh"

namespace {
using fuzz::Gateway;

/// Inputs reach no driver: a driver is any shared object that a path names, and opens real devices.
bool names_a_driver(const nlohmann::json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>() == "interface.create";
  if (!value.is_structured()) return false;
  for (const auto& member : value)
    if (names_a_driver(member)) return true;
  return false;
}
bool may_load_a_driver(const std::string& line) {
  if (line.find("interface.create") != std::string::npos) return true;
  if (line.find("\\u") == std::string::npos) return false;
  const auto value = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() || names_a_driver(value);
}

using Usage = std::vector<std::pair<std::string, std::uint64_t>>;
/// What the tables hold, but for the packet pool, which is counted apart.
Usage usage() {
  Usage all;
  for (const polluxd::UseAgainstLimit& u : fuzz::gateway().manager.usage())
    if (u.table != "mbufs") all.emplace_back(u.table, u.used);
  return all;
}

std::vector<std::pair<std::string, std::int64_t>>& default_sysctls() {
  static std::vector<std::pair<std::string, std::int64_t>> all;
  return all;
}
Usage& empty_usage() {
  static Usage usage;
  return usage;
}
}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  core::log::set_level(core::log::Level::Error);
  test::eal_up();
  for (const core::SysctlNode& n : fuzz::gateway().manager.sysctl().list())
    default_sysctls().emplace_back(n.name, n.value);
  empty_usage() = usage();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::uint64_t now_us = 1'000'000;
  Gateway& g = fuzz::gateway();
  g.configure();
  {
    polluxd::Api api{g.manager};
    std::string_view rest{static_cast<const char*>(static_cast<const void*>(data)), size};
    for (std::uint64_t token = 1; token <= 16 && !rest.empty(); ++token) {
      std::string line{rest.substr(0, rest.find('\n'))};
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (may_load_a_driver(line)) continue;
      api.request(token, line, /*oversized=*/false);
      fuzz::require(line.find_first_not_of('\0') == std::string::npos, "a request is wiped");
      g.iterate(now_us += 1000);
    }
    g.settle(now_us, 61);  // a ping waits a minute at most
  }
  g.clear();
  for (const auto& [name, value] : default_sysctls())
    fuzz::require(static_cast<bool>(g.manager.set_sysctl(name, value)), "a default is valid");
  fuzz::require(usage() == empty_usage(), "tables are empty when all is taken away");
  fuzz::require(g.pool.in_use() == 0, "every mbuf comes back");
  static_cast<void>(g.lan.take_sent());
  static_cast<void>(g.wan.take_sent());
  return 0;
}
