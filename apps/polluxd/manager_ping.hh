// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>

#include "core/ip_address.hh"

namespace polluxd {
/// One question from the stack: is this address there, or who is so many hops away?
struct PingSpec {
  core::IpAddress destination{};
  std::string interface {};  ///< the link of a link-local destination; else empty
  core::IpAddress source{};  ///< none: chosen by the route
  std::uint16_t size = 56;   ///< bytes behind the ICMP or UDP header, 0 to 65507
  std::uint8_t ttl = 0;      ///< 0: sysctl's
  bool dont_fragment = false;
  std::uint16_t vrf = 0;
  std::uint16_t port = 0;  ///< a UDP datagram to it, 0: an ICMP echo request
  std::uint32_t timeout_ms = 1000;
};

/// What came back.
struct PingReply {
  enum class Kind : std::uint8_t {
    Reply,  ///< to the echo request
    Unreachable,
    TooBig,  ///< "packet too big", "fragmentation needed"
    TimeExceeded,
    ParameterProblem,
  };
  Kind kind = Kind::Reply;
  std::uint8_t code = 0;    ///< of the ICMP or ICMPv6 error
  core::IpAddress from{};   ///< not scoped
  std::uint16_t bytes = 0;  ///< of data that came back; of an error's message
  std::uint8_t ttl = 0;     ///< that was left
  bool intact = true;       ///< Reply: the data is what was sent
  std::uint32_t mtu = 0;    ///< TooBig
  std::uint64_t rtt_us = 0;
};
}  // namespace polluxd
