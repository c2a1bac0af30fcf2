// SPDX-License-Identifier: BSD-3-Clause
#include "proto/router_advertiser.hh"

#include <algorithm>

namespace proto {
namespace {
// RFC 4861 section 10.
constexpr std::uint32_t kInitial = 3;                      // MAX_INITIAL_RTR_ADVERTISEMENTS
constexpr std::uint64_t kInitialInterval_us = 16'000'000;  // MAX_INITIAL_RTR_ADVERT_INTERVAL
constexpr std::uint64_t kBetween_us = 3'000'000;           // MIN_DELAY_BETWEEN_RAS
constexpr std::uint64_t kAnswerDelay_us = 500'000;         // MAX_RA_DELAY_TIME
constexpr std::uint64_t kRetry_us = 500'000;               // until there is an address to send from
}  // namespace

std::uint64_t RouterAdvertiser::between_us(std::uint64_t min_us, std::uint64_t max_us) {
  return std::uniform_int_distribution<std::uint64_t>{min_us, max_us}(random_);
}

void RouterAdvertiser::start(core::InterfaceId interface, const Interval& interval,
                             std::uint64_t now_us) {
  const auto [at, made] = links_.try_emplace(interface);
  Link& link = at->second;
  if (!made && link.interval == interval) return;
  link.interval = interval;
  link.initial = kInitial;
  link.next_us = now_us;
}

void RouterAdvertiser::stop(core::InterfaceId interface) {
  if (links_.erase(interface) != 0) (void)env_.send(interface, true);
}

void RouterAdvertiser::changed(core::InterfaceId interface, std::uint64_t now_us) {
  solicited(interface, now_us);
}

/// RFC 4861 section 6.2.6.
void RouterAdvertiser::solicited(core::InterfaceId interface, std::uint64_t now_us) {
  const auto at = links_.find(interface);
  if (at == links_.end()) return;
  Link& link = at->second;
  std::uint64_t answer_us = now_us + between_us(0, kAnswerDelay_us);
  if (link.last_us != 0) answer_us = std::max(answer_us, link.last_us + kBetween_us);
  link.next_us = std::min(link.next_us, answer_us);
}

void RouterAdvertiser::poll(std::uint64_t now_us) {
  for (auto& [id, link] : links_) {
    if (now_us < link.next_us) continue;
    if (!env_.send(id, false)) {
      link.next_us = now_us + kRetry_us;
      continue;
    }
    link.last_us = now_us;
    std::uint64_t wait_us = between_us(std::uint64_t{link.interval.min_s} * 1'000'000,
                                       std::uint64_t{link.interval.max_s} * 1'000'000);
    if (link.initial != 0 && --link.initial != 0) wait_us = std::min(wait_us, kInitialInterval_us);
    link.next_us = now_us + std::max(wait_us, kBetween_us);
  }
}
}  // namespace proto
