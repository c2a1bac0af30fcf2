// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/gen/field.hh"
#include "apps/gen/frame_size.hh"
#include "core/ip_address.hh"
#include "core/mac_address.hh"
#include "proto/wire/ip_address.hh"

/// What the user asks for, as plain values: read from the file by stream_file.cc.
namespace gen {
/// How fast a stream is sent.
struct RatePlan {
  enum class Unit : std::uint8_t {
    Max,           ///< as fast as the device takes them
    PacketsPerS,   ///< frames
    BitsPerS,      ///< of the wire: frames with FCS, preamble and gap
    PercentOfLine  ///< of the link's speed
  };
  Unit unit = Unit::Max;
  double value = 0;  ///< above 0, unless Max
};

struct VlanPlan {
  std::uint16_t tpid = 0x8100;
  std::uint8_t pcp = 0;  ///< 0 to 7
  FieldPlan id = FieldPlan::fixed(1);
};

/// A port and what it is on its link.
struct PortPlan {
  std::string device;  ///< as given with -d
  std::string name;
  std::vector<proto::IpPrefix> addresses;  ///< answered for, and sent from when asking
  std::vector<core::IpAddress> gateways;   ///< at most one of each family
  std::vector<proto::IpPrefix> answers;    ///< answered for as well: the hosts behind the port
  std::vector<VlanPlan> vlans;  ///< tags of what it asks for; of streams, unless they say
};

/// A stream of packets from one port that is expected back on another.
struct StreamPlan {
  std::string name;
  std::size_t from = 0, to = 0;  ///< ports
  FieldPlan eth_src{};           ///< used where has_eth_src; else the port's own
  FieldPlan eth_dst{};           ///< used where has_eth_dst; else the gateway's, asked for
  bool has_eth_src = false, has_eth_dst = false;
  std::vector<VlanPlan> vlans{};  ///< the outer one first
  bool is_ip6 = false, is_tcp = false;
  FieldPlan src{}, dst{};  ///< addresses; IPv4 as a number of 32 bits
  FieldPlan src_port = FieldPlan::fixed(49152), dst_port = FieldPlan::fixed(49153);
  FieldPlan flow_label{};  ///< IPv6
  FieldPlan id{};          ///< IPv4
  std::uint8_t dscp = 0, ttl = 64;
  SizePlan size{};
  RatePlan rate{};
  std::uint32_t burst = 32;              ///< packets a late sender catches up with at once
  std::optional<std::uint64_t> packets;  ///< none: until the time is over
  std::uint64_t seed = 1;

  [[nodiscard]] std::size_t l3_offset() const noexcept { return 14 + 4 * vlans.size(); }
  [[nodiscard]] std::size_t l4_offset() const noexcept { return l3_offset() + (is_ip6 ? 40 : 20); }
  [[nodiscard]] std::size_t payload_offset() const noexcept {
    return l4_offset() + (is_tcp ? 20 : 8);
  }
  /// Bytes with FCS of the smallest frame that the signature fits in.
  [[nodiscard]] std::uint16_t smallest_frame() const noexcept;
};

struct Plan {
  std::vector<PortPlan> ports;
  std::vector<StreamPlan> streams;
  std::uint32_t window = 32768;  ///< packets that reordering is followed over
};
}  // namespace gen
