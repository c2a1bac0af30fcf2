// SPDX-License-Identifier: BSD-3-Clause
// Out of one shard's esp_output() into another's esp_input().
#include <algorithm>

#include "tests/crypto/esp_lab.hh"

namespace {
using core::DropReason;
using crypto::Algorithm;
using test::Drops;
using test::Packet;

class EspRoundTrip : public test::EspLab, public testing::WithParamInterface<Algorithm> {
protected:
  EspRoundTrip() : EspLab{GetParam()} {}
};

TEST_P(EspRoundTrip, EverySizeThatFits1500) {
  std::uint64_t bytes = 0, n = 0;
  std::vector<Packet> sent;
  for (std::size_t size = 20; size <= crypto::tunnel_mtu(1500); ++size) {
    sent.push_back(inner(size));
    bytes += size;
    ++n;
  }
  const std::vector<Packet> sealed = send(sent);
  ASSERT_EQ(sealed.size(), n);
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_LE(sealed[i].size(), 1500u);
    // header 20 + 8 + 8, text padded to four, ICV 16 (RFC 4303 section 2.4)
    EXPECT_EQ(sealed[i].size(), 52 + (sent[i].size() + 2 + 3) / 4 * 4);
  }
  EXPECT_EQ(open(sealed), sent);
  left_dropped({});
  right_dropped({});
  EXPECT_EQ(left.interface[kLeftInterface].tx.packets.read(), n);
  EXPECT_EQ(left.interface[kLeftInterface].tx.bytes.read(), bytes);
  EXPECT_EQ(right.interface[kRightInterface].rx.packets.read(), n);
  EXPECT_EQ(right.interface[kRightInterface].rx.bytes.read(), bytes);
  EXPECT_EQ(left_esp.sa[out].traffic.packets.read(), n);
  EXPECT_EQ(right_esp.sa[in].traffic.bytes.read(), bytes);
  EXPECT_EQ(sas->list()[0].sequence, n);
  EXPECT_EQ(sas->list()[1].sequence, n);
}

TEST_P(EspRoundTrip, NothingOfTheInnerPacketIsLegible) {
  const std::vector<Packet> sent{inner(200)};
  const Packet sealed = send(sent).at(0);
  for (std::size_t at = 0; at + 8 <= sent[0].size(); at += 8)
    EXPECT_EQ(
        std::search(sealed.begin(), sealed.end(), sent[0].begin() + static_cast<std::ptrdiff_t>(at),
                    sent[0].begin() + static_cast<std::ptrdiff_t>(at + 8)),
        sealed.end());
}

INSTANTIATE_TEST_SUITE_P(Aes, EspRoundTrip,
                         testing::Values(Algorithm::AesGcm128, Algorithm::AesGcm256),
                         [](const auto& p) {
                           return p.param == Algorithm::AesGcm128 ? "128" : "256";
                         });

TEST(TunnelMtu, IsTheLargestInnerPacketThatFits) {
  EXPECT_EQ(crypto::tunnel_mtu(1500), 1446);
  EXPECT_EQ(crypto::tunnel_mtu(1499), 1442);
  EXPECT_EQ(crypto::tunnel_mtu(9000), 8946);
  EXPECT_EQ(crypto::tunnel_mtu(56), 2);
  EXPECT_EQ(crypto::tunnel_mtu(55), 0);
  EXPECT_EQ(crypto::tunnel_mtu(0), 0);
  EXPECT_EQ(crypto::tunnel_mtu(65535), 65478);
  for (unsigned outer = 56; outer < 3000; ++outer) {
    const unsigned mtu = crypto::tunnel_mtu(static_cast<std::uint16_t>(outer));
    const auto sealed = [](unsigned n) { return 52 + (n + 2 + 3) / 4 * 4; };
    EXPECT_LE(sealed(mtu), outer);
    EXPECT_GT(sealed(mtu + 1), outer);
  }
}
}  // namespace
