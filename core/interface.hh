// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/driver.h"
#include "core/mac_address.hh"

namespace core {
/// Index of an interface in InterfaceTable and in every counter array. 0-based.
using InterfaceId = std::uint16_t;
inline constexpr InterfaceId kNoInterface = 0xffff;

/// Which interface takes the frames with a tag, by VLAN identifier; kNoInterface: none.
struct VlanTable {
  using ById = std::array<InterfaceId, 4096>;
  VlanTable() noexcept {
    c_tag.fill(kNoInterface);
    s_tag.fill(kNoInterface);
  }
  ById c_tag;  ///< TPID 0x8100, IEEE 802.1Q
  ById s_tag;  ///< TPID 0x88a8, IEEE 802.1ad
};

/// The part of an interface that workers read. Published; never changed in place.
struct Interface {
  enum class Kind : std::uint8_t {
    None,      ///< an unused slot of the table
    Ethernet,  ///< a port of a driver
    Tunnel,    ///< ipsecN: has no port, packets leave through ESP
    Vlan,      ///< frames of another interface that carry a tag (IEEE 802.1Q)
  };
  /// Which worker sends for a given worker, and on which of the port's queues.
  struct TxQueue {
    std::uint16_t owner = 0;  ///< worker index; another worker hands its packets over
    std::uint16_t queue = 0;
  };

  /// How the source of what arrives is checked against the routes (RFC 3704).
  enum class Urpf : std::uint8_t {
    Off,
    Loose,   ///< some route leads there
    Strict,  ///< a route leads there by this interface
  };

  /// Bytes between the source address and the EtherType of every frame sent here: VLAN tags, at
  /// most two (IEEE 802.1ad).
  struct Encapsulation {
    std::array<std::uint8_t, 8> bytes{};
    std::uint8_t length = 0;  ///< 0, 4 or 8
  };

  InterfaceId id = kNoInterface;
  InterfaceId port_id = kNoInterface;  ///< whose port frames leave by: itself, or a VLAN's carrier
  Kind kind = Kind::None;
  bool up = false;      ///< switched on, and its device is there
  bool spread = false;  ///< software RSS: what arrives is shared out to all workers by flow
  Urpf urpf = Urpf::Off;
  std::uint16_t vrf = 0;  ///< whose routes what arrives here follows; 0: the default one
  MacAddress mac{};
  Encapsulation encapsulation;
  std::uint16_t mtu = 0;  ///< bytes of IP packet
  void* port = nullptr;   ///< first argument of rx and tx
  pollux_burst_fn rx = nullptr, tx = nullptr;
  bool rx_checksum = false;                ///< the device marks bad IPv4 checksums
  bool tx_chained = false;                 ///< the device sends packets of several segments
  std::vector<TxQueue> tx_queues;          ///< by worker index
  std::shared_ptr<const VlanTable> vlans;  ///< interfaces on top; null: none
  std::string name;                        ///< for the manager
};

/// By InterfaceId; slots of Kind::None are free.
using InterfaceTable = std::vector<Interface>;

/// One receive queue on a worker's poll list.
struct RxQueue {
  InterfaceId interface;
  std::uint16_t queue;
};
}  // namespace core
