// SPDX-License-Identifier: BSD-3-Clause
#include "proto/address_detection.hh"

#include <vector>

namespace proto {
std::uint64_t AddressDetection::between_us(std::uint32_t min_ms, std::uint32_t max_ms) {
  std::uniform_int_distribution<std::uint64_t> any{std::uint64_t{min_ms} * 1000,
                                                   std::uint64_t{max_ms} * 1000};
  return any(random_);
}

void AddressDetection::start(core::InterfaceId interface, const IpAddress& address,
                             const Timing& timing, std::uint64_t now_us) {
  tests_[{interface, address}] = {timing, 0, now_us + between_us(0, timing.delay_ms)};
}

void AddressDetection::stop(core::InterfaceId interface, const IpAddress& address) {
  tests_.erase({interface, address});
}

void AddressDetection::stop_all(core::InterfaceId interface) {
  std::erase_if(tests_, [&](const auto& t) { return t.first.first == interface; });
}

bool AddressDetection::conflict(core::InterfaceId interface, const IpAddress& address) {
  return tests_.erase({interface, address}) != 0;
}

void AddressDetection::poll(std::uint64_t now_us) {
  std::vector<Key> due;  // what is called back may start and stop tests
  for (const auto& [key, test] : tests_)
    if (now_us >= test.next_us) due.push_back(key);
  for (const Key& key : due) {
    const auto at = tests_.find(key);
    if (at == tests_.end()) continue;
    Test& t = at->second;
    if (t.asked == t.timing.probes) {
      tests_.erase(at);
      env_.unique(key.first, key.second);
      continue;
    }
    ++t.asked;
    const bool last = t.asked == t.timing.probes;
    t.next_us = now_us + (last ? std::uint64_t{t.timing.wait_ms} * 1000
                               : between_us(t.timing.min_gap_ms, t.timing.max_gap_ms));
    env_.probe(key.first, key.second);
  }
}
}  // namespace proto
