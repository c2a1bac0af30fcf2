// SPDX-License-Identifier: BSD-3-Clause
#include "proto/vlan_input.hh"

#include <cstring>

#include "core/mbuf.hh"
#include "proto/wire/ether.hh"
#include "proto/wire/vlan.hh"

namespace proto {
namespace {
constexpr std::uint16_t kAddresses = 12;

core::InterfaceId find(const core::Interface& in, std::uint16_t tpid, std::uint16_t id) noexcept {
  if (id == 0) return in.id;
  if (in.vlans == nullptr) return core::kNoInterface;
  return (tpid == kTpidS ? in.vlans->s_tag : in.vlans->c_tag)[id];
}
}  // namespace

void vlan_input(core::Worker& w, const core::Interface& in, core::Burst& tagged,
                core::NotedBurst<core::InterfaceId>& untagged) noexcept {
  if (tagged.empty()) return;
  w.enter(core::Stage::VlanInput, tagged.packets());
  for (rte_mbuf* m : tagged.take()) {
    const auto tag = VlanTagView::parse(core::front_bytes(*m));
    if (!tag) {
      w.drop(m, tag.error());
      continue;
    }
    const auto header = core::room_before(*m, EtherView::kHeaderLen);
    const core::InterfaceId id = find(in, load_be16(header, kAddresses), tag->id());
    if (id == core::kNoInterface) {
      w.drop(m, DropReason::VlanUnknown);
      continue;
    }
    // The addresses move over the tag, up to the inner EtherType.
    std::memmove(header.data() + VlanTagView::kLen, header.data(), kAddresses);
    core::grow_front(*m, EtherView::kHeaderLen - VlanTagView::kLen);
    // A priority tag leaves the frame where it arrived, and it is counted there already.
    if (id != in.id) w.interface[id].rx.add(1, m->pkt_len);
    untagged.push(m, id);
  }
}
}  // namespace proto
