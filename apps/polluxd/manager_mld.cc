// SPDX-License-Identifier: BSD-3-Clause
// The groups that IPv6 makes us listen to, and what the link's multicast routers are told (MLD).
#include <algorithm>
#include <span>

#include "apps/polluxd/manager_impl.hh"
#include "proto/ip6_scope.hh"
#include "proto/wire/icmp6.hh"
#include "proto/wire/mld.hh"

namespace polluxd {
namespace {
using core::IpAddress;
using proto::GroupMembership;
using proto::GroupRecord;
namespace mld = proto::mld;
namespace nd = proto::nd;
}  // namespace

void Manager::Impl::add_inet6_groups(core::InterfaceId id, std::set<IpAddress>& wanted) const {
  const ManagedInterface& i = managed[id];
  for (std::size_t n = 0; has_neighbors(id) && n < i.addresses.size(); ++n) {
    const IpAddress& address = i.addresses[n].address;
    if (!address.is_ip4() && !is_loopback(address) && i.lives[n].state != AddressState::Duplicated)
      wanted.insert(nd::solicited_node(address));
  }
  if (speaks_inet6(id)) wanted.insert(nd::kAllNodes);
  if (is_router(id)) wanted.insert(nd::kAllRouters);
}

void Manager::Impl::report_mld(core::InterfaceId id, GroupMembership::Version version,
                               const std::vector<GroupRecord>& records) {
  using Icmp6 = proto::Icmp6View;
  if (version != GroupMembership::Version::Latest) {  // MLDv1 has one message for each group
    for (const GroupRecord& r : records) {
      const bool left = r.type == GroupRecord::Type::ToInclude;
      send_mld(id, left ? mld::kAllRouters : r.group, mld::kMessageLen1, [&](proto::MutBytes out) {
        return mld::emit_v1(left ? Icmp6::kMldDone : Icmp6::kMldReport, r.group, out);
      });
    }
    return;
  }
  for (std::size_t first = 0; first < records.size(); first += kMaxGroupRecords) {
    const std::size_t n = std::min(kMaxGroupRecords, records.size() - first);
    std::vector<mld::Record> report;
    for (const GroupRecord& r : std::span{records}.subspan(first, n))
      report.push_back({mld::Record::Type{static_cast<std::uint8_t>(r.type)}, r.group});
    send_mld(id, mld::kAllMld2Routers, mld::report_length(n),
             [&](proto::MutBytes out) { return mld::emit(report, out); });
  }
}

/// From our link-local address, or from nobody while there is none yet (RFC 3590).
void Manager::Impl::send_mld(core::InterfaceId id, const IpAddress& to, std::size_t room,
                             const std::function<std::size_t(proto::MutBytes)>& emit) {
  const IpAddress source = choose_source(id, nd::kAllNodes);
  send_icmp6(id,
             {.src = proto::is_link_local(source) ? source : IpAddress{},
              .dst = to,
              .hop_limit = mld::kHopLimit,
              .router_alert = true},
             nd::group_mac(to), room, emit);
}

}  // namespace polluxd
