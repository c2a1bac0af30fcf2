// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>

#include "core/drop_reason.hh"
#include "proto/wire/bytes.hh"

namespace proto {
/// Why a header's options do not pass, and which byte of the header it is (RFC 792 page 8).
struct Ip4OptionFault {
  core::DropReason reason;
  std::uint8_t pointer;
};

/// Walks the options of a header (RFC 791 section 3.1). Source routes are refused (RFC 7126
/// sections 4.3 and 4.4), silently; a router passes what it does not know (RFC 1812
/// section 5.2.4.1).
/// @param header  whole, its length a multiple of 4. @return Ip4SourceRoute | Ip4BadOption: a
/// length that runs past the header; a record route or timestamp option that is malformed, or whose
/// count of those who found no room is full.
[[nodiscard]] std::optional<Ip4OptionFault> judge_options(Bytes header) noexcept;

/// What a router writes into the options of a packet that it forwards: its address into a record
/// route (RFC 1812 section 5.2.4.3), address and time into a timestamp (section 5.2.4.4), where
/// there is room; the checksum follows. The time is the worker's clock in milliseconds with the
/// high bit set: not since midnight (RFC 791 page 22).
/// @param address  of the interface that it leaves by. @pre judge_options() has let it pass.
void record_hop(MutBytes header, std::uint32_t address, std::uint64_t now_us) noexcept;
}  // namespace proto
