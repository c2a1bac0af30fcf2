// SPDX-License-Identifier: BSD-3-Clause
// memif between two ports of this process, and DPDK's virtual devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/drivers/driver_ports.hh"

namespace {
using core::Errc;
using lab::comes_up;
using lab::DriverPorts;
using lab::heap_bytes;
using lab::PortPtr;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST_F(DriverPorts, MemifJoinsServerAndClient) {
  const std::string socket = "memif,socket=" + folder + "/memif.sock,id=3,role=";
  for (int i = 0; i < 3; ++i) {
    const PortPtr server = open(socket + "server,mac=02:00:00:00:00:11");
    ASSERT_TRUE(server);
    EXPECT_EQ(server->device().mac[5], 0x11);
    auto link = (*server)->link();
    ASSERT_TRUE(link);
    EXPECT_FALSE(link->up);
    const PortPtr client = open(socket + "client");
    ASSERT_TRUE(client);
    EXPECT_TRUE(comes_up(*server));
    EXPECT_TRUE(comes_up(*client));
    expect(*client, 0, 0);  // a client gives its buffers to the server when it polls
    for (int turn = 0; turn < 10; ++turn) {
      send(*client, 50, 1514);
      expect(*server, 50, 1514);
      send(*server, 50, 60);
      expect(*client, 50, 60);
    }
  }
}

TEST_F(DriverPorts, MemifServerReopensWithoutLeak) {
  const std::string server = "memif,socket=@plx-test-" + std::to_string(getpid()) + ",role=server";
  ASSERT_TRUE(open(server));
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(open(server));
  EXPECT_EQ(lab::descriptors(), descriptors);
  // DPDK 22.11 loses the interrupt handles of the two queues.
  EXPECT_LE(heap_bytes(), heap + 20 * 32768);
}

TEST_F(DriverPorts, MemifTakesOverAStaleSocket) {
  const std::string path = folder + "/stale.sock";
  ASSERT_EQ(std::system(("python3 -c 'import socket; s = socket.socket(socket.AF_UNIX, "
                         "socket.SOCK_SEQPACKET); s.bind(\"" +
                         path + "\")'")
                            .c_str()),
            0);
  EXPECT_TRUE(open("memif,role=server,socket=" + path));
}

TEST_F(DriverPorts, MemifRefusesBadOptions) {
  const std::string at = "memif,socket=" + folder + "/x.sock,";
  EXPECT_THAT(refused(at + "role=both").context, HasSubstr("neither server nor client"));
  EXPECT_THAT(refused(at + "rsize=1000").context, HasSubstr("power of two"));
  EXPECT_THAT(refused(at + "bsize=10").context, HasSubstr("bsize 10"));
  EXPECT_THAT(refused(at + "zero-copy=maybe").context, HasSubstr("neither yes nor no"));
  EXPECT_THAT(refused(at + "mac=ff:ff:ff:ff:ff:ff").context, HasSubstr("not a unicast"));
  EXPECT_THAT(refused("memif,socket=/nowhere/x.sock").context, HasSubstr("a folder that exists"));
  EXPECT_THAT(refused("memif,socket=relative.sock").context, HasSubstr("absolute path"));
  EXPECT_THAT(refused("memif").context, HasSubstr("needs socket="));
  // A client whose server is not there.
  EXPECT_THAT(refused(at + "role=client").context, HasSubstr("cannot start"));
}

TEST_F(DriverPorts, DpdkOpensVirtualDevices) {
  const PortPtr port = open("dpdk,devargs=net_ring0");
  ASSERT_TRUE(port);
  EXPECT_STREQ(port->device().device, "net_ring0");
  send(*port, 20, 300);  // the ring's far end is the port itself
  expect(*port, 20, 300);
}

TEST_F(DriverPorts, DpdkHandsOptionsOn) {
  const PortPtr port = open("dpdk,rx_descriptors=256,devargs=net_null0,size=100,copy=1,name=x");
  ASSERT_TRUE(port);
  rte_mbuf* packets[4];
  ASSERT_EQ(port->device().rx(port->device().port, 0, packets, 4), 4);
  for (rte_mbuf* m : packets) {
    EXPECT_EQ(m->pkt_len, 100U);
    rte_pktmbuf_free(m);
  }
}

TEST_F(DriverPorts, DpdkRefusesWhatIsNotThere) {
  EXPECT_THAT(refused("dpdk,devargs=nosuchdevice").context, HasSubstr("nosuchdevice"));
  EXPECT_THAT(refused("dpdk,devargs=ffff:ff:1e.7").context,
              HasSubstr("no PCI device ffff:ff:1e.7"));
  EXPECT_EQ(refused("dpdk,devargs=net_null0,nosuch=1").code, Errc::DeviceFailed);
  EXPECT_THAT(refused("dpdk,rx_descriptors=0,devargs=net_null0").context, HasSubstr("within 1"));
  const PortPtr port = open("dpdk,devargs=net_null0");
  EXPECT_THAT(refused("dpdk,devargs=net_null0").context, HasSubstr("in use"));
}

TEST_F(DriverPorts, DpdkReopensWithoutLeak) {
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(open("dpdk,devargs=net_ring1"));
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(open("dpdk,devargs=net_ring1"));
    EXPECT_EQ(refused("dpdk,devargs=net_null1,nosuch=1").code, Errc::DeviceFailed);
  }
  EXPECT_EQ(lab::descriptors(), descriptors);
  EXPECT_EQ(heap_bytes(), heap);
}
}  // namespace
