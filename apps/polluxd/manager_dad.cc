// SPDX-License-Identifier: BSD-3-Clause
// What an address goes through before it is used, and what happens when another host has it.
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"
#include "core/log.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
namespace {
using proto::AddressDetection;
using proto::IpPrefix;
using proto::RouteOrigin;

constexpr std::uint64_t kDefendInterval_us = 10'000'000;  // RFC 5227 section 1.1
}  // namespace

std::optional<std::size_t> Manager::Impl::index_of(core::InterfaceId id,
                                                   const core::IpAddress& address) const {
  const auto& all = managed[id].addresses;
  const auto at = std::ranges::find(all, address, &IpPrefix::address);
  return at == all.end() ? std::nullopt : std::optional{static_cast<std::size_t>(at - all.begin())};
}

/// Looks for others that have the address, or lets it be used at once where that is switched off.
void Manager::Impl::detect(core::InterfaceId id, std::size_t index) {
  const IpPrefix address = managed[id].addresses[index];
  if (is_loopback(address.address)) return;  // no other host can have it
  const std::int64_t probes =
      sysctl.value(address.is_ip4() ? "net.inet.ip.dad_count" : "net.inet6.ip6.dad_count");
  if (probes == 0 || !has_neighbors(id)) return address_unique(id, address.address);
  set_address_state(id, index, AddressState::Tentative);
  const auto count = static_cast<std::uint32_t>(probes);
  const auto timing = address.is_ip4()
                          ? AddressDetection::ip4(count)
                          : AddressDetection::ip6(count, neighbors.link_timers(id).retrans_ms);
  detection.start(id, address.address, timing, now_us);
}

/// Whether packets find the address follows from its state: an address that is not ours yet is
/// nobody's, one that is another host's is found where that host is.
void Manager::Impl::set_address_state(core::InterfaceId id, std::size_t index, AddressState state) {
  AddressLife& life = managed[id].lives[index];
  life.state = state;
  const IpPrefix host = IpPrefix::host(proto::scoped(managed[id].addresses[index].address, id));
  (void)routes_of(id).remove(host, RouteOrigin::Local);
  if (state == AddressState::Duplicated) return;
  (void)routes_of(id).add(host, RouteOrigin::Local,
                          {life.usable() ? managed[id].local : martian, id, std::nullopt});
}

void Manager::Impl::address_unique(core::InterfaceId id, const core::IpAddress& address) {
  const auto index = index_of(id, address);
  if (!index) return;
  const bool old = managed[id].lives[*index].preferred_until_us <= now_us;
  set_address_state(id, *index, old ? AddressState::Deprecated : AddressState::Preferred);
  if (!has_neighbors(id)) return;
  announce(id, address);
  changed_links.insert(id);
}

/// Another host has one of our addresses, or is about to take it.
void Manager::Impl::address_conflict(const core::Event& e) {
  const core::InterfaceId id = e.interface;
  const core::IpAddress address = proto::unscoped(e.address);
  const auto index = index_of(id, address);
  // What a switch sends back to us is no other host's (RFC 4862 section 5.4.3, appendix A).
  if (!index || e.mac == master.interfaces[id].mac) return;
  const std::string text = fmt::format("{}: {} is also used by {}", name_of(id),
                                       proto::to_string(address), proto::to_string(e.mac));
  if (detection.conflict(id, address)) {
    set_address_state(id, *index, AddressState::Duplicated);
    changed_links.insert(id);
    core::log::warning("{}: duplicated, not used", text);
    tell(ManagerEvent::Kind::AddressDuplicated, name_of(id),
         proto::to_string(managed[id].addresses[*index]));
    return;
  }
  if (!managed[id].lives[*index].usable()) return;
  // Defended once in ten seconds, then borne (RFC 5227 section 2.4 (c)).
  std::uint64_t& last = defended_us[e.address];
  if (last != 0 && now_us - last < kDefendInterval_us) return;
  last = now_us;
  core::log::warning("{}", text);
  announce_once(id, address);
}

/// Those that were asked for, all of them, and groups.
void Manager::Impl::describe_addresses(core::InterfaceId id, InterfaceInfo& info) const {
  const ManagedInterface& i = managed[id];
  const auto left_s = [&](std::uint64_t until_us) -> std::optional<std::uint64_t> {
    if (until_us == AddressLife::kForEver) return std::nullopt;
    return until_us > now_us ? (until_us - now_us) / 1'000'000 : 0;
  };
  for (std::size_t n = 0; n < i.addresses.size(); ++n) {
    const AddressLife& life = i.lives[n];
    if (life.origin == AddressOrigin::Manual) info.addresses.push_back(i.addresses[n]);
    info.all_addresses.push_back({i.addresses[n], life.state, life.origin,
                                  left_s(life.preferred_until_us), left_s(life.valid_until_us)});
  }
  info.groups.assign(i.groups.begin(), i.groups.end());
  info.autoconf = i.spec.autoconf;
  info.rtadv = i.spec.rtadv.enabled;
}

/// What time brings: detection goes on, and what it found is published.
void Manager::Impl::run_addresses() {
  detection.poll(now_us);
  memberships.poll(now_us);
  run_inet6();
  if (changed_links.empty()) return;
  const auto changed = std::exchange(changed_links, {});
  for (const core::InterfaceId id : changed) (void)update_memberships(id);
  publish();
  for (const core::InterfaceId id : changed) link_changed(id);
}
}  // namespace polluxd
