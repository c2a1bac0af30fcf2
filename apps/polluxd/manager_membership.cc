// SPDX-License-Identifier: BSD-3-Clause
// Multicast groups that the stack listens to: the routes that bring their packets in, the device's
// filter, and what the link's multicast routers are told (MLD, IGMP).
#include <fmt/format.h>

#include <algorithm>

#include "apps/polluxd/manager_impl.hh"
#include "core/inet6.hh"
#include "core/log.hh"
#include "core/mbuf.hh"
#include "proto/ip6_scope.hh"
#include "proto/link_header.hh"
#include "proto/wire/igmp.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;
using core::IpAddress;
using proto::GroupMembership;
using proto::GroupRecord;
using proto::IpPrefix;
using proto::RouteOrigin;
namespace igmp = proto::igmp;
namespace nd = proto::nd;

bool is_group(const IpAddress& a) noexcept {
  return a.is_ip4() ? igmp::is_group(a.ip4()) : proto::is_ip6_multicast(a);
}
/// RFC 3810 section 6, RFC 3376 section 5: every node has these, and those of the node itself
/// concern nobody else.
bool is_reported(const IpAddress& group) noexcept {
  if (group.is_ip4()) return group.ip4() != igmp::kAllHosts;
  return group != nd::kAllNodes && (group.bytes()[1] & 0x0f) >= 2;
}
core::MacAddress mac_of(const IpAddress& group) noexcept {
  return group.is_ip4() ? igmp::group_mac(group.ip4()) : nd::group_mac(group);
}
}  // namespace

std::set<IpAddress> Manager::Impl::wanted_groups(core::InterfaceId id) const {
  const ManagedInterface& i = managed[id];
  std::set<IpAddress> wanted = i.asked_groups;
  for (std::size_t n = 0; n < i.addresses.size(); ++n) {
    if (!has_neighbors(id)) break;
    if (is_loopback(i.addresses[n].address)) continue;
    if (i.addresses[n].is_ip4()) wanted.insert(igmp::kAllHosts);
  }
  add_inet6_groups(id, wanted);
  return wanted;
}

/// Joins and leaves what has changed. @return Full: what there was no room for is not joined.
core::Expected<> Manager::Impl::update_memberships(core::InterfaceId id) {
  std::set<IpAddress>& joined = managed[id].groups;
  const std::set<IpAddress> wanted = wanted_groups(id);
  core::Expected<> done = core::Done{};
  bool changed = false;
  for (const IpAddress& group : std::set<IpAddress>{joined}) {
    if (wanted.contains(group)) continue;
    remove_group_route(id, group);
    joined.erase(group);
    memberships.leave(id, group, now_us);
    changed = true;
  }
  for (const IpAddress& group : wanted) {
    if (joined.contains(group)) continue;
    if (auto added = add_group_route(id, group); !added) {
      done = Error{added.error().code, fmt::format("cannot join {}: {}", proto::to_string(group),
                                                   added.error().context)};
      continue;
    }
    joined.insert(group);
    if (is_reported(group)) memberships.join(id, group, now_us);
    changed = true;
  }
  if (changed) set_multicast_filter(id);
  return done;
}

/// Groups of a link have a route for each, all others one for all interfaces of the VRF: packets of
/// the group are taken wherever they come in, those of IPv4 as those of the limited broadcast.
core::Expected<> Manager::Impl::add_group_route(core::InterfaceId id, const IpAddress& group) {
  const IpPrefix host = IpPrefix::host(proto::scoped(group, id));
  const bool there = routes_of(id).find(host, RouteOrigin::Local) != nullptr;
  if (there) return core::Done{};
  if (!proto::is_link_scoped(group))
    return routes_of(id).add(
        host, RouteOrigin::Local,
        {group.is_ip4() ? any_broadcast : local_prefix, core::kNoInterface, std::nullopt});
  return routes_of(id).add(host, RouteOrigin::Local, {managed[id].local, id, std::nullopt});
}

void Manager::Impl::remove_group_route(core::InterfaceId id, const IpAddress& group) {
  const IpPrefix host = IpPrefix::host(proto::scoped(group, id));
  if (routes_of(id).find(host, RouteOrigin::Local) == nullptr) return;
  const bool shared = !proto::is_link_scoped(group);
  for (core::InterfaceId other = 0; shared && other < managed.size(); ++other)
    if (other != id && vrf_of(other) == vrf_of(id) && managed[other].groups.contains(group)) return;
  (void)routes_of(id).remove(host, RouteOrigin::Local);
}

/// What a device with a filter lets in: the groups of its interface and of those on top of it.
void Manager::Impl::set_multicast_filter(core::InterfaceId id) {
  if (!has_neighbors(id)) return;
  const core::InterfaceId port_id = master.interfaces[id].port_id;
  if (port_id >= managed.size() || managed[port_id].port.driver == nullptr) return;
  std::set<core::MacAddress> macs;
  for (core::InterfaceId other = 0; other < managed.size(); ++other)
    if (has_neighbors(other) && master.interfaces[other].port_id == port_id)
      for (const IpAddress& group : managed[other].groups) macs.insert(mac_of(group));
  const std::vector<core::MacAddress> list{macs.begin(), macs.end()};
  if (auto set = managed[port_id].port.set_multicast(list); !set)
    core::log::warning("{}: {}", name_of(port_id), set.error().context);
}

std::string Manager::bad_group(const IpAddress& group) {
  return is_group(group) ? std::string{}
                         : fmt::format("{} is no multicast group", proto::to_string(group));
}

core::Expected<> Manager::join_group(const std::string& name, const IpAddress& group) {
  const auto id = impl_->find(name);
  return id ? impl_->join(*id, group) : id.error();
}

core::Expected<> Manager::Impl::join(core::InterfaceId id, const IpAddress& group) {
  if (std::string why = bad_group(group); !why.empty()) return Error{Errc::Invalid, std::move(why)};
  if (!has_neighbors(id))
    return Error{Errc::Invalid,
                 fmt::format("{} has no groups: it is no link with other hosts", name_of(id))};
  auto& asked = managed[id].asked_groups;
  if (!asked.insert(group).second)
    return Error{Errc::Exists,
                 fmt::format("{} has joined {} already", name_of(id), proto::to_string(group))};
  auto joined = update_memberships(id);
  if (!joined && !managed[id].groups.contains(group)) {
    asked.erase(group);
    return joined;
  }
  return core::Done{};
}

core::Expected<> Manager::leave_group(const std::string& name, const IpAddress& group) {
  const auto id = impl_->find(name);
  if (!id) return id.error();
  if (impl_->managed[*id].asked_groups.erase(group) == 0)
    return Error{Errc::NotFound,
                 fmt::format("{} has not joined {}", name, proto::to_string(group))};
  return impl_->update_memberships(*id);
}

void Manager::Impl::listener_queried(const core::Event& e) {
  const bool ip4 = e.other.is_ip4();
  const std::uint8_t latest = ip4 ? 3 : 2;
  using Version = GroupMembership::Version;
  Version version = Version::Latest;
  if (e.flags < latest) version = ip4 && e.flags == 1 ? Version::Oldest : Version::Old;
  memberships.queried(e.interface,
                      {.version = version,
                       .ip4 = ip4,
                       .group = proto::unscoped(e.other),
                       .max_response_ms = e.retrans_ms},
                      now_us);
}

namespace {
/// A record as an older version says it: one message each. @return type and destination; none: it
/// has no way to say it.
struct OldMessage {
  std::uint8_t type;
  IpAddress to;
};
std::optional<OldMessage> old_message(GroupMembership::Version version, const GroupRecord& r) {
  const bool left = r.type == GroupRecord::Type::ToInclude;
  if (version != GroupMembership::Version::Oldest)
    return left ? OldMessage{igmp::kLeave2, IpAddress{igmp::kAllRouters}}
                : OldMessage{igmp::kReport2, r.group};
  if (left) return std::nullopt;
  return OldMessage{igmp::kReport1, r.group};
}
}  // namespace

/// Memberships have something to say on a link.
void Manager::Impl::report_groups(core::InterfaceId id, GroupMembership::Version version,
                                  const std::vector<GroupRecord>& records) {
  if (records.front().group.is_ip4())
    report_igmp(id, version, records);
  else if constexpr (core::kInet6)
    report_mld(id, version, records);
}

void Manager::Impl::report_igmp(core::InterfaceId id, GroupMembership::Version version,
                                const std::vector<GroupRecord>& records) {
  if (version != GroupMembership::Version::Latest) {
    for (const GroupRecord& r : records)
      if (const auto message = old_message(version, r))
        send_igmp(id, message->to, igmp::QueryView::kLen,
                  [&](proto::MutBytes out) { igmp::emit(message->type, r.group.ip4(), out); });
    return;
  }
  for (std::size_t first = 0; first < records.size(); first += kMaxGroupRecords) {
    const std::size_t n = std::min(kMaxGroupRecords, records.size() - first);
    std::vector<igmp::Record> report;
    for (const GroupRecord& r : std::span{records}.subspan(first, n))
      report.push_back({static_cast<std::uint8_t>(r.type), r.group.ip4()});
    send_igmp(id, IpAddress{igmp::kAllIgmp3Routers}, igmp::report_length(n),
              [&](proto::MutBytes out) { igmp::emit(report, out); });
  }
}

void Manager::Impl::send_igmp(core::InterfaceId id, const IpAddress& to, std::size_t length,
                              const std::function<void(proto::MutBytes)>& emit) {
  const core::Interface& out = master.interfaces[id];
  if (!has_neighbors(id) || !out.up) return;
  rte_mbuf* m = rte_pktmbuf_alloc(env.pool);
  if (m == nullptr) return;
  core::grow_back(*m, static_cast<std::uint16_t>(igmp::kHeaderLen + length));
  const proto::MutBytes packet = core::front_bytes_mut(*m);
  const IpAddress source = choose_source(id, to);
  emit(packet.subspan(igmp::kHeaderLen));
  igmp::emit_header(source.is_ip4() ? source.ip4() : 0, to.ip4(), packet);
  proto::push_link_header(*m, out, igmp::group_mac(to.ip4()), proto::kEtherTypeIp4);
  (void)hand_frame(id, m);
}
}  // namespace polluxd
