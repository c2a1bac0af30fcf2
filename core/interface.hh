// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/driver.h"
#include "core/mac_address.hh"

namespace core {
/// Index of an interface in InterfaceTable and in every counter array. 0-based.
using InterfaceId = std::uint16_t;
inline constexpr InterfaceId kNoInterface = 0xffff;

/// The part of an interface that workers read. Published; never changed in place.
struct Interface {
  enum class Kind : std::uint8_t {
    None,      ///< an unused slot of the table
    Ethernet,  ///< a port of a driver
    Tunnel,    ///< ipsecN: has no port, packets leave through ESP
  };
  /// Which worker sends for a given worker, and on which of the port's queues.
  struct TxQueue {
    std::uint16_t owner = 0;  ///< worker index; another worker hands its packets over
    std::uint16_t queue = 0;
  };

  InterfaceId id = kNoInterface;
  Kind kind = Kind::None;
  bool up = false;
  MacAddress mac{};
  std::uint16_t mtu = 0;  ///< bytes of IP packet
  void* port = nullptr;   ///< first argument of rx and tx
  pollux_burst_fn rx = nullptr, tx = nullptr;
  bool rx_checksum = false;        ///< the device marks bad IPv4 checksums
  std::vector<TxQueue> tx_queues;  ///< by worker index
  std::string name;                ///< for the manager
};

/// By InterfaceId; slots of Kind::None are free.
using InterfaceTable = std::vector<Interface>;

/// One receive queue on a worker's poll list.
struct RxQueue {
  InterfaceId interface;
  std::uint16_t queue;
};
}  // namespace core
