// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"

namespace proto {
/// Takes the outer VLAN tag off and finds the interface that it stands for (IEEE 802.1Q
/// clause 6.9). A priority tag (identifier 0) leaves the frame on `in`.
/// In:    data behind the TPID; the Ethernet header is still in front of it.
/// Out:   untagged frames, data at the Ethernet header, each with its interface, where it counts as
///        received.
/// Drops: VlanTruncated, VlanUnknown.
void vlan_input(core::Worker& w, const core::Interface& in, core::Burst& tagged,
                core::NotedBurst<core::InterfaceId>& untagged) noexcept;
}  // namespace proto
