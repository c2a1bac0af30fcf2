// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>

namespace proto {
// IANA protocol numbers: IPv4's Protocol, IPv6's Next Header (host headers stay out of the wire
// layer).
inline constexpr std::uint8_t kProtocolHopByHop = 0, kProtocolIcmp = 1, kProtocolIp4 = 4,
                              kProtocolTcp = 6, kProtocolUdp = 17, kProtocolIp6 = 41,
                              kProtocolRouting = 43, kProtocolFragment = 44, kProtocolEsp = 50,
                              kProtocolAh = 51, kProtocolIcmp6 = 58, kProtocolNone = 59,
                              kProtocolDestinationOptions = 60;
}  // namespace proto
