// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "apps/gen/plan.hh"
#include "core/ip_address.hh"
#include "core/mac_address.hh"
#include "proto/wire/bytes.hh"

namespace gen {
/// What a port says as a host on its link: answers ARP requests (RFC 826) and Neighbour
/// Solicitations (RFC 4861) for itself and the hosts that it stands for, and asks for its gateways.
class NeighborSpeaker {
public:
  /// Room that every frame written here fits in, FCS not counted.
  static constexpr std::size_t kMaxFrame = 128;

  NeighborSpeaker(const PortPlan& port, const core::MacAddress& mac);

  /// The answer to a received frame, if it is a question for this port; tags are those of the
  /// question. Any thread.
  /// @param out  of kMaxFrame bytes. @return bytes written; 0: nothing to say.
  std::size_t answer(proto::Bytes frame, proto::MutBytes out) const noexcept;

  /// A question for one of the gateways. @param n  below gateways().size().
  /// @return bytes written into `out`, of kMaxFrame bytes; 0: the port has no address of that
  /// family to ask from, as the file's reader sees to.
  std::size_t question(std::size_t n, proto::MutBytes out) const noexcept;

  struct Gateway {
    core::IpAddress address;
    std::optional<core::MacAddress> mac{};
  };
  /// Takes from a received frame what a gateway answers. Management thread, no worker running.
  void learn(proto::Bytes frame) noexcept;
  [[nodiscard]] const std::vector<Gateway>& gateways() const noexcept { return gateways_; }
  /// Multicast groups that the port must hear: solicited-node addresses of its own.
  [[nodiscard]] std::vector<core::MacAddress> groups() const;

private:
  [[nodiscard]] bool answers_for(const core::IpAddress& a) const noexcept;
  [[nodiscard]] const core::IpAddress* source_for(const core::IpAddress& gateway) const noexcept;
  std::size_t ether(const core::MacAddress& dst, std::uint16_t type, proto::Bytes tags,
                    proto::MutBytes out) const noexcept;
  std::size_t answer_arp(proto::Bytes payload, proto::Bytes tags,
                         proto::MutBytes out) const noexcept;
  std::size_t answer_nd(proto::Bytes l3, proto::Bytes tags, proto::MutBytes out) const noexcept;
  void learn(const core::IpAddress& address, const core::MacAddress& mac) noexcept;

  core::MacAddress mac_;
  std::vector<core::IpAddress> own_;
  std::vector<proto::IpPrefix> subnets_, answers_;
  std::vector<Gateway> gateways_;
  std::vector<std::uint8_t> tags_;  ///< TPID and TCI of each
};
}  // namespace gen
