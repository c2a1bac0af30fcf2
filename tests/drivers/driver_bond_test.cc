// SPDX-License-Identifier: BSD-3-Clause
// Several devices as one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/drivers/driver_ports.hh"

namespace {
using lab::comes_up;
using lab::DriverPorts;
using lab::eventually;
using lab::goes_down;
using lab::heap_bytes;
using lab::kBurst;
using lab::PortPtr;
using testing::HasSubstr;

class Bond : public DriverPorts {
protected:
  /// Sends one frame. @return whether the port took it.
  bool try_send(lab::Port& port, std::uint32_t number) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool.get());
    core::grow_back(*m, 100);
    std::ranges::copy(lab::frame(number, 100), core::front_bytes_mut(*m).begin());
    if (port.device().tx(port.device().port, 0, &m, 1) == 1) return true;
    rte_pktmbuf_free(m);
    return false;
  }
  /// Polls every queue. @return how many frames came.
  static unsigned receive(lab::Port& port) {
    unsigned all = 0;
    for (std::uint16_t q = 0; q < port.device().rx_queues; ++q) {
      rte_mbuf* packets[kBurst];
      const std::uint16_t n = port.device().rx(port.device().port, q, packets, kBurst);
      rte_pktmbuf_free_bulk(packets, n);
      all += n;
    }
    return all;
  }
};

/// Whether a frame has come to an interface of the kernel.
bool has_frame(const lab::RawSocket& host) {
  return host.receive(std::chrono::milliseconds{1}).has_value();
}

TEST_F(Bond, ActiveBackupGoesOnWithoutAMember) {
  const PortPtr port =
      open("bond,monitor_ms=10,members=net_tap_b0,iface=plxb0+net_tap_b1,iface=plxb1");
  ASSERT_TRUE(port);
  EXPECT_TRUE(comes_up(*port));
  {
    const lab::RawSocket first{"plxb0"}, second{"plxb1"};
    EXPECT_TRUE(eventually([&] { return try_send(*port, 1) && has_frame(first); }));
    EXPECT_FALSE(has_frame(second));
    ASSERT_TRUE(first.send(lab::frame(2, 100)));
    EXPECT_TRUE(eventually([&] { return receive(*port) > 0; }));

    ASSERT_EQ(std::system("ip link set plxb0 down"), 0);
    EXPECT_TRUE(eventually([&] { return try_send(*port, 3) && has_frame(second); }));
    ASSERT_TRUE(second.send(lab::frame(4, 100)));
    EXPECT_TRUE(eventually([&] { return receive(*port) > 0; }));
    EXPECT_TRUE(comes_up(*port));

    ASSERT_EQ(std::system("ip link set plxb1 down"), 0);
    EXPECT_TRUE(goes_down(*port));
    ASSERT_EQ(std::system("ip link set plxb0 up"), 0);
    EXPECT_TRUE(comes_up(*port));
    EXPECT_TRUE(eventually([&] { return try_send(*port, 5) && has_frame(first); }));
  }
  bool first = false, second = false;
  const auto counters = (*port)->xstats();
  ASSERT_TRUE(counters);
  for (const auto& [name, value] : *counters) {
    first = first || name == "member0_tx_good_packets";
    second = second || name == "member1_tx_good_packets";
  }
  EXPECT_TRUE(first && second);
}

// Two bonds, two cables; DPDK's driver sends by a member only once both ends have agreed. The
// frames are broadcast, which it drops unless told to take in every group.
//
//     bond -- plx0 ==== plx1 -- bond
//          \_ plx2 ==== plx3 _/
TEST_F(Bond, LacpNegotiates) {
  const lab::VethPair veth;
  ASSERT_EQ(std::system("ip link add plx2 type veth peer name plx3 && ip link set plx0 up && "
                        "ip link set plx2 up && ip link set plx3 up"),
            0);
  {
    const auto members = [](const char* one, const char* other) {
      return std::string{"bond,mode=lacp,members=net_af_packet_"} + one + ",iface=" + one +
             ",qpairs=2+net_af_packet_" + other + ",iface=" + other + ",qpairs=2";
    };
    const PortPtr left = open(members("plx0", "plx2")), right = open(members("plx1", "plx3"));
    ASSERT_TRUE(left && right);
    EXPECT_EQ(left->device().rx_queues, 2);
    EXPECT_EQ(left->device().tx_queues, 1) << "one is LACP's";
    EXPECT_TRUE((*left)->set_promiscuous(false)) << "which it may ignore";
    unsigned to_right = 0, to_left = 0;
    EXPECT_TRUE(eventually([&] {
      EXPECT_TRUE((*left)->link() && (*right)->link());
      (void)try_send(*left, 1);
      (void)try_send(*right, 2);
      to_right += receive(*right);
      to_left += receive(*left);
      return to_right > 0 && to_left > 0;
    }));
  }
  EXPECT_EQ(std::system("ip link del plx2"), 0);
}

TEST_F(Bond, ReopensWithoutLeak) {
  const std::string text = "bond,members=net_tap_b0,iface=plxb0+net_tap_b1,iface=plxb1";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(open(text));
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < 100; ++i) {
    const PortPtr port = open(text);
    ASSERT_TRUE(port);
    (void)try_send(*port, 1);
  }
  EXPECT_EQ(lab::descriptors(), descriptors);
  EXPECT_LE(heap_bytes(), heap);
}

TEST_F(Bond, RefusesBadMembers) {
  EXPECT_THAT(refused("bond").context, HasSubstr("needs members="));
  EXPECT_THAT(refused("bond,mode=both,members=net_ring_r0").context, HasSubstr("neither"));
  EXPECT_THAT(refused("bond,primary=2,members=net_ring_r0+net_ring_r1").context,
              HasSubstr("members 0 to 1"));
  EXPECT_THAT(refused("bond,monitor_ms=1,members=net_ring_r0").context, HasSubstr("monitor_ms 1"));
  EXPECT_THAT(refused("bond,members=net_ring_r0+").context, HasSubstr("one is empty"));
  EXPECT_THAT(refused("bond,members=net_ring_r0+nosuchdevice").context, HasSubstr("nosuchdevice"));
  EXPECT_THAT(refused("bond,members=net_ring_r0+net_ring_r0").context, HasSubstr("in use"));
  // One whose address cannot be changed.
  EXPECT_THAT(refused("bond,members=net_ring_r0+net_ring_r1").context, HasSubstr("MAC address"));
  const lab::VethPair veth;
  EXPECT_THAT(refused("bond,mode=lacp,members=net_af_packet_a,iface=plx0").context,
              HasSubstr("qpairs=2"));
}
}  // namespace
