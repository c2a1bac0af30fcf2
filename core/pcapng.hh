// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Blocks of a capture file as draft-ietf-opsawg-pcapng has them, in this machine's byte order,
/// with time stamps in nanoseconds. DPDK's own writer (rte_pcapng of 22.11) knows neither comments
/// of packets nor interfaces that are no ports. Each function appends one block. No state.
namespace core::pcapng {
enum class LinkType : std::uint16_t {
  Ethernet = 1,
  Raw = 101,    ///< begins with an IPv4 or IPv6 header
  User0 = 147,  ///< we cannot say with what it begins
};

struct Interface {
  std::string_view name = {}, description = {};  ///< empty: not said
  LinkType link = LinkType::Ethernet;
  std::uint32_t snaplen = 0;  ///< bytes; 0: no limit
};

struct Packet {
  enum class Direction : std::uint8_t { Unknown = 0, Inbound = 1, Outbound = 2 };
  std::uint32_t interface = 0;  ///< by the order of the file's interfaces, from 0
  std::uint64_t at_ns = 0;      ///< since 1970
  std::uint32_t length = 0;     ///< of the packet as it was
  std::span<const std::uint8_t> bytes = {};
  Direction direction = Direction::Unknown;
  std::string_view comment = {};  ///< empty: none
};

void append_section(std::string& out, std::string_view application);
void append_interface(std::string& out, const Interface& i);
void append_packet(std::string& out, const Packet& p);
/// @param received  packets that were to be captured. @param lost  those of them that are not here.
void append_statistics(std::string& out, std::uint32_t interface, std::uint64_t at_ns,
                       std::uint64_t received, std::uint64_t lost);
}  // namespace core::pcapng
