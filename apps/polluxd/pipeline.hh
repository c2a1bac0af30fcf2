// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <vector>

#include "core/interface.hh"
#include "core/worker.hh"
#include "crypto/ipsec.hh"
#include "proto/ip4_config.hh"
#include "proto/ip6_config.hh"
#include "proto/ip_shard.hh"
#include "proto/listener.hh"
#include "proto/loopback.hh"
#include "proto/reassembly.hh"

namespace polluxd {
/// What the manager publishes: one slice per layer, each defined by that layer.
struct StackConfig {
  core::InterfaceTable interfaces;
  std::vector<std::vector<core::RxQueue>> rx_queues;  ///< by worker index
  proto::Ip4Config ip4;
  proto::Ip6Config ip6;
  proto::ReassemblyLimits reassembly;
  proto::ListenerTable listeners;
  crypto::IpsecConfig ipsec;
  std::shared_ptr<const core::Observation> observation;  ///< null: nobody watches
};

/// All state of one worker.
struct Shard {
  struct Limits {
    std::size_t interfaces, next_hops, sas;
  };
  Shard(std::uint16_t index, const Limits& limits, rte_mempool* pool)
      : worker{index, limits.interfaces, pool}, ip{limits.next_hops}, esp{limits.sas} {}

  core::Worker worker;
  proto::IpShard ip;
  proto::Reassembler reassembler;
  proto::LoopQueue loop;
  crypto::EspShard esp;
};

/// A packet's whole way, from a burst received on `in` to the transmit buffers. `rx` is empty
/// after.
/// @param tags  VLAN tags that have been taken off already.
void input_path(Shard& s, const StackConfig& config, const core::Interface& in, core::Burst& rx,
                unsigned tags = 0) noexcept;

/// What other threads handed over: frames to send, packets of our own to route.
/// @return packets taken.
std::uint32_t handoff_path(Shard& s, const StackConfig& config) noexcept;

/// Packets that we have said to ourselves.
/// @return packets taken.
std::uint32_t loop_path(Shard& s, const StackConfig& config) noexcept;

/// Packets that wait for a neighbour: those whose next hop has changed go on, those of a neighbour
/// that failed are dropped and their source is told.
void held_path(Shard& s, const StackConfig& config) noexcept;

/// Datagrams that have waited for fragments too long: dropped, and their source is told.
void reassembly_path(Shard& s, const StackConfig& config) noexcept;
}  // namespace polluxd
