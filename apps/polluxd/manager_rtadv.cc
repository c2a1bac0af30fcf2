// SPDX-License-Identifier: BSD-3-Clause
// As a router of a link: what it is told (RFC 4861 section 6.2).
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_inet6.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/nd.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::IpAddress;
using proto::IpPrefix;
namespace nd = proto::nd;

constexpr std::uint32_t kMinMtu6 = 1280;  // RFC 8200 section 5
}  // namespace

core::Expected<> Manager::check_rtadv(const RtadvSpec& spec) {
  const auto bad = [](std::string text) { return Error{Errc::Invalid, "rtadv: " + text}; };
  // RFC 4861 section 6.2.1.
  if (spec.interval_s < 4 || spec.interval_s > 1800)
    return bad(fmt::format("interval {}: expected 4 to 1800 seconds", spec.interval_s));
  if (spec.lifetime_s != 0 && (spec.lifetime_s < spec.interval_s || spec.lifetime_s > 9000))
    return bad(fmt::format("lifetime {}: expected 0, or {} (the interval) to 9000 seconds",
                           spec.lifetime_s, spec.interval_s));
  if (spec.mtu != 0 && (spec.mtu < kMinMtu6 || spec.mtu > 65535))
    return bad(fmt::format("mtu {}: expected 0 or 1280 to 65535 bytes", spec.mtu));
  if (spec.hop_limit > 255)
    return bad(fmt::format("hop_limit {}: expected 0 to 255", spec.hop_limit));
  if (spec.reachable_ms > 3'600'000)
    return bad(fmt::format("reachable_ms {}: expected 0 to 3600000", spec.reachable_ms));
  if (spec.prefixes.size() > RtadvSpec::kMaxPrefixes)
    return bad(fmt::format("{} prefixes: expected {} at most", spec.prefixes.size(),
                           RtadvSpec::kMaxPrefixes));
  for (const AdvertisedPrefixSpec& p : spec.prefixes) {
    const std::string text = proto::to_string(p.prefix);
    if (p.prefix.is_ip4() || proto::is_link_scoped(p.prefix.address) || p.prefix.length == 0)
      return bad(fmt::format("prefix {}: expected an IPv6 prefix of more than one link", text));
    if (p.prefix != p.prefix.network())
      return bad(fmt::format("prefix {} has bits below its length: did you mean {}?", text,
                             proto::to_string(p.prefix.network())));
    if (p.preferred_s > p.valid_s)
      return bad(fmt::format("prefix {}: preferred for {} seconds, valid for {} only", text,
                             p.preferred_s, p.valid_s));
  }
  return core::Done{};
}

core::Expected<> Manager::set_rtadv(const std::string& name, const RtadvSpec& spec) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  if (!impl_->has_neighbors(*id))
    return Error{Errc::Invalid, fmt::format("{} is no link with hosts on it", name)};
  if (auto good = check_rtadv(spec); !good) return good;
  impl_->managed[*id].spec.rtadv = spec;
  impl_->update_inet6(*id);
  impl_->publish();
  impl_->link_changed(*id);
  return core::Done{};
}

bool Manager::Impl::advertises(core::InterfaceId id) const {
  return is_router(id) && managed[id].spec.rtadv.enabled && master.interfaces[id].up;
}

/// Begins to advertise, goes on with what has changed, or stops, as advertises() says.
void Manager::Impl::update_advertiser(core::InterfaceId id) {
  if (!advertises(id)) return stop_advertising(id);
  const std::uint32_t most_s = managed[id].spec.rtadv.interval_s;
  const std::uint32_t least_s = most_s >= 9 ? most_s / 3 : std::max(most_s * 3 / 4, 3U);
  inet6->advertiser.start(id, {least_s, most_s}, now_us);
  inet6->advertiser.changed(id, now_us);
}

/// Hosts are told before the interface goes, and before workers send nothing there any more.
void Manager::Impl::stop_advertising(core::InterfaceId id) {
  if (!inet6->advertiser.running(id)) return;
  inet6->advertiser.stop(id);
  drain_handoff();
}

/// The prefixes that hosts of the link are told: those given, or those of our addresses there.
std::vector<nd::PrefixInformation> Manager::Impl::prefixes_to_tell(core::InterfaceId id,
                                                                   bool last) const {
  std::vector<AdvertisedPrefixSpec> all = managed[id].spec.rtadv.prefixes;
  const bool own = all.empty();
  for (std::size_t n = 0; own && n < managed[id].addresses.size(); ++n) {
    const IpPrefix& a = managed[id].addresses[n];
    const bool told = std::ranges::any_of(
        all, [&](const AdvertisedPrefixSpec& p) { return p.prefix == a.network(); });
    if (a.is_ip4() || a.is_host() || proto::is_link_local(a.address) || told ||
        managed[id].lives[n].origin != AddressOrigin::Manual ||
        all.size() == RtadvSpec::kMaxPrefixes)
      continue;
    all.push_back({.prefix = a.network(), .autonomous = a.length == 64});
  }
  std::vector<nd::PrefixInformation> out;
  if (last) return out;
  for (const AdvertisedPrefixSpec& p : all) {
    const auto flags =
        static_cast<std::uint8_t>((p.on_link ? nd::PrefixInformation::kOnLink : 0) |
                                  (p.autonomous ? nd::PrefixInformation::kAutonomous : 0));
    out.push_back({p.prefix, flags, p.valid_s, p.preferred_s});
  }
  return out;
}

/// RFC 4861 section 6.2.3. @return false: there is no link-local address yet to send it from.
bool Manager::Impl::send_router_advertisement(core::InterfaceId id, bool last) {
  const IpAddress source = choose_source(id, nd::kAllNodes);
  if (!proto::is_link_local(source)) return false;
  using View = nd::RouterAdvertisementView;
  const RtadvSpec& spec = managed[id].spec.rtadv;
  const auto prefixes = prefixes_to_tell(id, last);
  const nd::RouterAdvertisement message{
      .hop_limit = static_cast<std::uint8_t>(spec.hop_limit),
      .flags = static_cast<std::uint8_t>((spec.managed ? View::kManaged : 0) |
                                         (spec.other ? View::kOther : 0)),
      .lifetime_s = static_cast<std::uint16_t>(last ? 0 : spec.lifetime_s),
      .reachable_ms = spec.reachable_ms,
      .retrans_ms = spec.retrans_ms,
      .source_mac = master.interfaces[id].mac,
      .mtu = spec.mtu,
      .prefixes = prefixes};
  send_icmp6(id, {.src = source, .dst = nd::kAllNodes}, nd::group_mac(nd::kAllNodes),
             nd::length(message), [&](proto::MutBytes out) { return nd::emit(message, out); });
  return true;
}
}  // namespace polluxd
