// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "crypto/ipsec.hh"
#include "crypto/mb_engine.hh"
#include "crypto/sa_slot.hh"
#include "tests/support/packet.hh"
#include "tests/support/packet_pool.hh"

namespace core {
/// For failure messages.
inline void PrintTo(DropReason r, std::ostream* os) {
  *os << info(r).name;
}
}  // namespace core

namespace test {
/// Counters of a worker that are not 0, by drop reason.
using Drops = std::map<core::DropReason, std::uint64_t>;
[[nodiscard]] Drops drops_of(const core::Worker& w);

/// One tunnel with both its ends in one configuration:
///
///     left (192.0.2.1) ---- SPI 0x1000, AES-GCM ----> right (198.51.100.1)
///     10.1.0.0/16                                     10.2.0.0/16
///
/// `left` seals with the outbound SA of tunnel kLeft, `right` opens with the inbound one of kRight.
class EspLab : public testing::Test {
protected:
  static constexpr std::uint16_t kLeft = 0, kRight = 1;  // tunnels
  static constexpr core::InterfaceId kLeftInterface = 2, kRightInterface = 3;
  static constexpr std::uint32_t kSpi = 0x1000;
  static constexpr std::uint32_t kLeftIp = kPeerIp, kRightIp = kOurIp;
  static constexpr std::size_t kSas = 16;

  explicit EspLab(crypto::Algorithm algorithm = crypto::Algorithm::AesGcm256,
                  std::uint32_t window = 128);
  ~EspLab() override;

  /// An SA from left to right. @return its id.
  crypto::SaId add_sa(crypto::Direction direction, std::uint32_t spi, std::uint32_t window = 128);

  /// An inner packet from 10.1.0.1 to 10.2.0.1 of `length` bytes, 20 or more.
  [[nodiscard]] static Packet inner(std::size_t length, Ip4 header = inner_header());
  [[nodiscard]] static Ip4 inner_header();

  /// What the peer sends: an ESP packet of any content, authentic.
  struct Sealed {
    std::uint32_t spi = kSpi, sequence = 1;
    Packet payload = inner(60);
    std::optional<Packet> trailer = {};  ///< default: padding, pad length, next header
    std::uint8_t next_header = 4;
    Ip4 outer = {.dont_fragment = true, .protocol = 50, .src = kLeftIp, .dst = kRightIp};
  };
  [[nodiscard]] Packet seal(const Sealed& s);

  /// Runs packets through esp_input() of `right`, a burst at a time. @return what came out.
  std::vector<Packet> open(const std::vector<Packet>& packets);
  /// Runs packets through esp_output() of `left`.
  std::vector<Packet> send(const std::vector<Packet>& packets, std::uint16_t tunnel = kLeft);

  /// Asserts that on `right` (on `left`) these drops were counted and no other.
  void right_dropped(const Drops& expected) { EXPECT_EQ(drops_of(right), expected); }
  void left_dropped(const Drops& expected) { EXPECT_EQ(drops_of(left), expected); }
  [[nodiscard]] const crypto::SaCounters& in_counters() const { return right_esp.sa[in]; }

  PacketPool pool;
  core::Rcu rcu{2};
  std::unique_ptr<crypto::SaTable> sas = std::move(*crypto::SaTable::create(kSas, rcu));
  crypto::IpsecConfig config;
  core::Worker left{0, 4, nullptr}, right{1, 4, nullptr};
  crypto::EspShard left_esp{kSas}, right_esp{kSas};
  crypto::Algorithm algorithm;
  crypto::SaId in, out;
};
}  // namespace test
