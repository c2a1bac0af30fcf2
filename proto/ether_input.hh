// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "core/worker.hh"

namespace proto {
/// Where ether_input sends packets, by who handles them next.
struct EtherInputNext {
  core::Burst arp;
  core::Burst ip4;        ///< addressed to this interface
  core::Burst ip4_group;  ///< link-layer broadcast or multicast: never forwarded
  core::Burst ip6;        ///< addressed to this interface
  core::Burst ip6_group;  ///< link-layer multicast or broadcast: never forwarded
  core::Burst vlan;       ///< with a tag
};

/// Splits frames by EtherType and by whom the link layer addresses.
/// In:    frames received on `in`, data at the Ethernet header; in any number of segments.
/// Out:   data at the Ethernet payload; headers are in the first segment (core::kHeaderRoom). `rx`
///        is empty. Counts what `in` has received.
/// Drops: InterfaceDown, RxChained, EtherTruncated, EtherNotForUs, EtherUnknownType.
/// @param counted  they are: a tag was taken off frames that arrived before.
void ether_input(core::Worker& w, const core::Interface& in, core::Burst& rx, EtherInputNext& next,
                 bool counted = false) noexcept;
}  // namespace proto
