// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "core/observation.hh"

namespace polluxd {
/// The headers of a packet in one short line, as far as its bytes go:
/// "02:00:00:00:00:02 > 02:00:00:00:00:10, 10.1.0.2 > 10.2.0.2 UDP 1024 > 7, ttl 64, length 58".
/// @param layer   what it begins with.
/// @param bytes   its first ones.
/// @param length  bytes of the whole packet.
[[nodiscard]] std::string packet_text(core::Layer layer, std::span<const std::uint8_t> bytes,
                                      std::uint32_t length);
}  // namespace polluxd
