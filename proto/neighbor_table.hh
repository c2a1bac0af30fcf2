// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/error.hh"
#include "core/interface.hh"
#include "proto/next_hop.hh"

namespace proto {
/// States of a neighbour, in the words of RFC 4861 section 7.3.2 as far as ARP has them.
enum class NeighborState : std::uint8_t { Incomplete, Reachable, Probe, Failed, Permanent };
[[nodiscard]] std::string_view to_string(NeighborState s) noexcept;

/// What is shown of a neighbour.
struct NeighborInfo {
  core::InterfaceId interface = core::kNoInterface;
  std::uint32_t address = 0;
  core::MacAddress mac{};
  NeighborState state = NeighborState::Incomplete;
  std::uint64_t age_us = 0;  ///< since it was last confirmed
};
}  // namespace proto
