// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/interface.hh"
#include "core/rcu.hh"
#include "core/worker.hh"
#include "crypto/sa.hh"
#include "proto/wire/ip4_address.hh"

namespace crypto {
class MbEngine;
class SaTable;

/// Which inner packets a tunnel may carry: our side, their side (RFC 4301 section 4.4.1.1).
struct Selector {
  proto::Ip4Prefix local, remote;
};

/// A route-based tunnel: routes point to its interface, so that a route is the outbound policy; its
/// selectors are the inbound one.
struct TunnelSpec {
  std::string name;                     ///< "ipsec0"
  std::uint32_t local = 0, remote = 0;  ///< outer addresses, host order
  std::uint16_t mtu = 0;                ///< of inner packets, bytes; 0: 1500 less the ESP overhead
  std::vector<Selector> selectors;      ///< empty: any inner addresses
  std::string vrf = {};  ///< whose routes the outer packets follow; empty: the default one
};

/// The published part of a tunnel.
struct Tunnel {
  core::InterfaceId interface = core::kNoInterface;  ///< kNoInterface: an unused slot
  SaId outbound = kNoSa;
  std::uint32_t local = 0, remote = 0;
  std::vector<Selector> selectors;
  std::uint16_t underlay = 0;  ///< VRF of the outer packets
  std::uint16_t overlay = 0;   ///< VRF of the inner ones: the interface's
};

/// The IPsec slice of what the manager publishes. `sas` is changed in place under its own rule.
struct IpsecConfig {
  const SaTable* sas = nullptr;
  std::vector<Tunnel> tunnels;  ///< by the index that NextHop::tunnel and an SA carry
};

/// What the ESP stages of one worker keep: its own multi-buffer manager and counters.
struct EspShard {
  /// @param sas  capacity of the SA table.
  explicit EspShard(std::size_t sas);
  ~EspShard();
  EspShard(const EspShard&) = delete;
  EspShard& operator=(const EspShard&) = delete;

  std::unique_ptr<MbEngine> engine;
  std::vector<SaCounters> sa;  ///< by SaId
};

/// Where esp_input sends packets.
struct EspInputNext {
  core::Burst inner;                      ///< of tunnels whose overlay is the VRF they came in by
  core::NotedBurst<std::uint16_t> other;  ///< of other tunnels; beside each its VRF
};

/// Opens ESP tunnel-mode packets addressed to us (RFC 4303 section 3.4).
/// In:    data at the outer IPv4 header, lengths checked, unfragmented. Several segments are made
///        one, where the first has room.
/// Out:   `next`: data at the inner IPv4 header, padding cut; ol_flags cleared. The packet counts
///        as received on the tunnel's interface.
/// Drops: EspTruncated, EspChained, EspBadLength, EspNoSa, EspWrongEndpoint, EspReplayed,
/// EspBadIcv,
///        EspBadPadding, EspDummy, EspBadNextHeader, EspBadInner, EspSelectorMismatch.
/// @param vrf  that the packets came in by: an SA is for its tunnel's underlay only.
void esp_input(core::Worker& w, EspShard& shard, const IpsecConfig& config, std::uint16_t vrf,
               core::Burst& in, EspInputNext& next) noexcept;

/// Seals packets into ESP tunnel mode (RFC 4303 section 3.3).
/// In:    data at the inner IPv4 header, TTL already decremented; note = index of the tunnel.
///        Several segments are made one, where the first has room.
/// Out:   `outer`: data at the outer IPv4 header, to be routed as a packet of our own. DSCP copied,
///        ECN copied (RFC 6040 normal mode), DF set. Counts as sent on the tunnel's interface.
/// Drops: EspNoOutboundSa, EspChained, EspSequenceExhausted, EspNoRoom.
void esp_output(core::Worker& w, EspShard& shard, const IpsecConfig& config,
                core::NotedBurst<std::uint16_t>& in, core::Burst& outer) noexcept;

/// Bytes that ESP tunnel mode adds to the largest inner packet that fits: the default MTU of a
/// tunnel over a path of `outer_mtu` bytes.
[[nodiscard]] std::uint16_t tunnel_mtu(std::uint16_t outer_mtu) noexcept;
}  // namespace crypto
