// SPDX-License-Identifier: BSD-3-Clause
#include "proto/router_discovery.hh"

#include <algorithm>

#include "proto/wire/nd.hh"

namespace proto {
namespace {
constexpr std::uint64_t kSecond_us = 1'000'000;
// RFC 4861 section 10.
constexpr std::uint32_t kSolicitations = 3;
constexpr std::uint64_t kSolicitationInterval_us = 4 * kSecond_us;
constexpr std::uint64_t kSolicitationDelay_us = kSecond_us;
constexpr std::uint64_t kTwoHours_us = 7200 * kSecond_us;

/// RFC 4191 section 2.2: the reserved value is medium.
std::int8_t preference_of(std::uint8_t flags) noexcept {
  switch (flags & nd::RouterAdvertisementView::kPreference) {
    case 0x08: return 1;
    case 0x18: return -1;
    default: return 0;
  }
}
}  // namespace

std::uint64_t RouterDiscovery::after(std::uint64_t now_us, std::uint32_t seconds) noexcept {
  return seconds == UINT32_MAX ? AdvertisedPrefix::kForEver : now_us + seconds * kSecond_us;
}

std::uint64_t RouterDiscovery::valid_until(std::uint64_t now_us, std::uint64_t until_us,
                                           std::uint32_t advertised_s) noexcept {
  const std::uint64_t wanted = after(now_us, advertised_s);
  if (wanted > now_us + kTwoHours_us || wanted > until_us) return wanted;
  return std::min(until_us, now_us + kTwoHours_us);
}

void RouterDiscovery::start(core::InterfaceId interface, std::uint64_t now_us) {
  std::uniform_int_distribution<std::uint64_t> delay{0, kSolicitationDelay_us};
  solicitations_[interface] = {kSolicitations, now_us + delay(random_)};
}

void RouterDiscovery::stop(core::InterfaceId interface) {
  solicitations_.erase(interface);
  const auto there = [&](const auto& x) { return x.interface == interface; };
  if (std::erase_if(routers_, there) + std::erase_if(prefixes_, there) != 0) env_.changed();
}

/// RFC 4861 section 6.3.4.
void RouterDiscovery::advertised(const core::Event& e, std::uint64_t now_us) {
  const auto asking = solicitations_.find(e.interface);
  if (asking == solicitations_.end()) return;
  if (e.lifetime_s != 0) asking->second.left = 0;  // one has answered (section 6.3.7)
  const auto at = std::ranges::find_if(routers_, [&](const DefaultRouter& r) {
    return r.interface == e.interface && r.address == e.address;
  });
  if (e.lifetime_s == 0) {
    if (at == routers_.end()) return;
    routers_.erase(at);
    return env_.changed();
  }
  const DefaultRouter router{e.interface, e.address, preference_of(e.flags), e.flags,
                             now_us + e.lifetime_s * kSecond_us};
  if (at != routers_.end()) {
    const bool same = at->preference == router.preference;
    *at = router;
    if (same) return;
  } else if (routers_.size() < kMaxRouters) {
    routers_.push_back(router);
  } else {
    return;
  }
  env_.changed();
}

/// RFC 4861 section 6.3.4 and RFC 4862 section 5.5.3 (a) to (c).
void RouterDiscovery::prefix_advertised(const core::Event& e, std::uint64_t now_us) {
  if (!solicitations_.contains(e.interface) || e.preferred_s > e.lifetime_s) return;
  const IpPrefix prefix =
      IpPrefix{e.other, static_cast<std::uint8_t>(std::min<std::uint16_t>(e.length, 128))}
          .network();
  const IpAddress& a = prefix.address;
  if (nd::is_link_local(a) || nd::is_multicast(a) || a.bytes()[0] == 0) return;
  AdvertisedPrefix p{.interface = e.interface,
                     .prefix = prefix,
                     .on_link = (e.flags & nd::PrefixInformation::kOnLink) != 0,
                     .autonomous = (e.flags & nd::PrefixInformation::kAutonomous) != 0,
                     .router = e.address,
                     .valid_until_us = after(now_us, e.lifetime_s),
                     .preferred_until_us = after(now_us, e.preferred_s)};
  const auto at = std::ranges::find_if(prefixes_, [&](const AdvertisedPrefix& other) {
    return other.interface == p.interface && other.prefix == p.prefix;
  });
  if (at == prefixes_.end()) {
    if (e.lifetime_s == 0 || prefixes_.size() >= kMaxPrefixes) return;
    prefixes_.push_back(p);
  } else if (e.lifetime_s == 0) {
    prefixes_.erase(at);
  } else {
    // A prefix that once was on-link stays it until its lifetime ends (RFC 4861 section 6.3.4).
    p.on_link = p.on_link || at->on_link;
    *at = p;
  }
  env_.changed();
}

void RouterDiscovery::no_router(core::InterfaceId interface, const IpAddress& address) {
  if (std::erase_if(routers_, [&](const DefaultRouter& r) {
        return r.interface == interface && r.address == address;
      }) != 0)
    env_.changed();
}

void RouterDiscovery::poll(std::uint64_t now_us) {
  for (auto& [id, s] : solicitations_) {
    if (s.left == 0 || now_us < s.next_us) continue;
    if (env_.solicit(id)) {
      --s.left;
      s.next_us = now_us + kSolicitationInterval_us;
    } else {
      s.next_us = now_us + kSecond_us / 4;
    }
  }
  const std::size_t gone =
      std::erase_if(routers_, [&](const DefaultRouter& r) { return now_us >= r.until_us; }) +
      std::erase_if(prefixes_,
                    [&](const AdvertisedPrefix& p) { return now_us >= p.valid_until_us; });
  if (gone != 0) env_.changed();
}
}  // namespace proto
