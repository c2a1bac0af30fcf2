// SPDX-License-Identifier: BSD-3-Clause
// Frames longer than a packet buffer: 9014 bytes, buffers of 2048, both ways through real drivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/drivers/driver_ports.hh"

namespace {
using lab::comes_up;
using lab::DriverPorts;
using lab::Frame;
using lab::kBurst;
using lab::PortPtr;
using testing::HasSubstr;

constexpr std::uint16_t kMtu = 9000;
constexpr std::size_t kFrame = kMtu + 14;

class Jumbo : public DriverPorts {
protected:
  /// The frame in segments of odd sizes; null when the pool is exhausted.
  rte_mbuf* chain_of(const Frame& f, std::size_t first = 1001, std::size_t others = 2047) {
    rte_mbuf* head = nullptr;
    for (std::size_t at = 0; at < f.size();) {
      const std::size_t n = std::min(head == nullptr ? first : others, f.size() - at);
      rte_mbuf* m = rte_pktmbuf_alloc(pool.get());
      if (m == nullptr) {
        rte_pktmbuf_free(head);
        return nullptr;
      }
      core::grow_back(*m, static_cast<std::uint16_t>(n));
      std::copy_n(f.data() + at, n, core::front_bytes_mut(*m).begin());
      if (head == nullptr)
        head = m;
      else
        EXPECT_TRUE(core::append(*head, *m));
      at += n;
    }
    return head;
  }
  static bool try_send(lab::Port& port, rte_mbuf* m) {
    return port.device().tx(port.device().port, 0, &m, 1) == 1;
  }
  void send_chains(lab::Port& port, std::uint32_t n, std::size_t length) {
    for (std::uint32_t i = 0; i < n; ++i)
      ASSERT_TRUE(lab::eventually([&] {
        rte_mbuf* m = chain_of(lab::frame(i, length));
        if (m == nullptr) return false;
        if (try_send(port, m)) return true;
        rte_pktmbuf_free(m);
        return false;
      })) << "sent "
          << i << " of " << n;
  }
  /// Receives what is there. @return how many, each checked to be the next frame.
  std::uint32_t poll(lab::Port& port, std::uint32_t next, std::size_t length) {
    std::array<rte_mbuf*, kBurst> packets{};
    const std::uint16_t got =
        port.device().rx(port.device().port, 0, packets.data(), packets.size());
    for (std::uint16_t i = 0; i < got; ++i) {
      rte_mbuf* m = packets.at(i);
      const char* why = nullptr;
      EXPECT_EQ(rte_mbuf_check(m, 1, &why), 0) << why;
      Frame bytes(m->pkt_len);
      core::copy_bytes(*m, 0, bytes);
      EXPECT_EQ(bytes, lab::frame(next + i, length));
      EXPECT_EQ(m->nb_segs > 1, length > 2048);
      EXPECT_TRUE(core::headers_in_front(*m));
      rte_pktmbuf_free(m);
    }
    return got;
  }
  void expect_chains(lab::Port& port, std::uint32_t n, std::size_t length) {
    std::uint32_t next = 0;
    EXPECT_TRUE(lab::eventually([&] { return (next += poll(port, next, length)) >= n; })) << next;
    EXPECT_EQ(next, n);
  }
  void expect_jumbo(lab::Port& port) {
    EXPECT_EQ(port.device().mtu, kMtu);
    const std::uint32_t both = POLLUX_CAP_RX_SCATTER | POLLUX_CAP_TX_CHAINED;
    EXPECT_EQ(port.device().capabilities & both, both);
  }
  void carries(lab::Port& a, lab::Port& b) {
    expect_jumbo(a);
    expect_jumbo(b);
    EXPECT_TRUE(comes_up(a));
    EXPECT_TRUE(comes_up(b));
    for (int turn = 0; turn < 10; ++turn)
      for (const std::size_t length : {std::size_t{60}, std::size_t{2049}, kFrame}) {
        expect_chains(a, 0, 0);  // a poll gives buffers to the peer
        expect_chains(b, 0, 0);
        send_chains(a, 20, length);
        expect_chains(b, 20, length);
        send_chains(b, 20, length);
        expect_chains(a, 20, length);
      }
  }
  const std::string socket = folder + "/jumbo.sock";
};

TEST_F(Jumbo, OverMemif) {
  const std::string memif = "memif,bsize=9216,rsize=64,socket=" + socket + ",role=";
  const PortPtr server = open(memif + "server", kMtu);
  const PortPtr client = open(memif + "client", kMtu);
  ASSERT_TRUE(server && client);
  carries(*server, *client);
  // A ring that is full takes no more, and what it has is whole.
  std::uint32_t sent = 0;
  for (;; ++sent) {
    rte_mbuf* m = chain_of(lab::frame(sent, kFrame));
    ASSERT_NE(m, nullptr);
    if (try_send(*client, m)) continue;
    rte_pktmbuf_free(m);
    break;
  }
  EXPECT_GE(sent, 32U);
  expect_chains(*server, sent, kFrame);
}

TEST_F(Jumbo, OverMemifNeedsRingBuffersOfThatSize) {
  const std::string memif = "memif,socket=" + socket + ",role=";
  EXPECT_THAT(refused(memif + "client", kMtu).context,
              HasSubstr("MTU 9000 is beyond the 2026 that the device carries: raise bsize"));
}

TEST_F(Jumbo, OverVhostUser) {
  const PortPtr server = open("vhost,role=server,iface=" + socket + ".vhost", kMtu);
  ASSERT_TRUE(server);
  const PortPtr client = open("virtio_user,server=no,path=" + socket + ".vhost", kMtu);
  ASSERT_TRUE(client);
  carries(*server, *client);
}

// DPDK's net_tap (22.11) sends nothing longer.
TEST_F(Jumbo, NotOverATap) {
  EXPECT_THAT(refused("tap,iface=plxtap0", kMtu).context,
              HasSubstr("MTU 9000 is beyond the 1504 that the device carries"));
  const PortPtr port = open("tap,iface=plxtap0", 1504);
  ASSERT_TRUE(port);
  EXPECT_TRUE(comes_up(*port));
  const lab::RawSocket host{"plxtap0"};
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(try_send(*port, chain_of(lab::frame(i, 1518), 200, 301)));
    EXPECT_EQ(host.receive(), lab::frame(i, 1518));
  }
}

TEST_F(Jumbo, InACaptureFile) {
  const std::string file = folder + "/jumbo.pcap";
  {
    const PortPtr port = open("pcap,write=" + file, kMtu);
    ASSERT_TRUE(port);
    send_chains(*port, 30, kFrame);
  }
  const PortPtr port = open("pcap,read=" + file, kMtu);
  ASSERT_TRUE(port);
  expect_jumbo(*port);
  expect_chains(*port, 30, kFrame);
}

TEST_F(Jumbo, OverLoopAndIntoNull) {
  const PortPtr loop = open("loop", kMtu), null = open("null");
  ASSERT_TRUE(loop && null);
  expect_jumbo(*loop);
  send_chains(*loop, 30, kFrame);
  expect_chains(*loop, 30, kFrame);
  EXPECT_NE(null->device().capabilities & POLLUX_CAP_TX_CHAINED, 0U);
  send_chains(*null, 30, kFrame);
}

TEST_F(Jumbo, AfPacketSendsChainsAndReceivesSingleOnes) {
  const lab::VethPair veth;
  const PortPtr port = open("af_packet,iface=plx0");
  ASSERT_TRUE(port);
  const std::uint32_t capabilities = port->device().capabilities;
  EXPECT_EQ(capabilities & POLLUX_CAP_RX_SCATTER, 0U);
  ASSERT_NE(capabilities & POLLUX_CAP_TX_CHAINED, 0U);
  const lab::RawSocket host{"plx1"};
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(try_send(*port, chain_of(lab::frame(i, 1514), 200, 301)));
    EXPECT_EQ(host.receive(), lab::frame(i, 1514));
  }
  EXPECT_THAT(refused("null", kMtu).context,
              HasSubstr("beyond the 2026 that a packet buffer holds: raise limits.mbuf_size"));
  const auto grown = (*port)->set_mtu(kMtu);
  ASSERT_FALSE(grown);
  EXPECT_THAT(grown.error().context,
              HasSubstr("packet buffer of 2048 bytes: raise limits.mbuf_size"));
}
}  // namespace
