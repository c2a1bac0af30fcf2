// SPDX-License-Identifier: BSD-3-Clause
// The drivers of kernel interfaces, on a veth pair.
#include "tests/drivers/driver_ports.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace {
using core::Errc;
using lab::DriverPorts;
using lab::Frame;
using lab::heap_bytes;
using lab::kBurst;
using lab::PortPtr;
using testing::HasSubstr;
using namespace std::chrono_literals;

bool kernel_has_af_xdp() {
  const int fd = socket(AF_XDP, SOCK_RAW, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// What af_packet and af_xdp have in common.
class KernelDriver : public DriverPorts, public testing::WithParamInterface<const char*> {
protected:
  void SetUp() override {
    if (GetParam() == std::string_view{"af_xdp"} && !kernel_has_af_xdp())
      GTEST_SKIP() << "this kernel has no AF_XDP";
    DriverPorts::SetUp();
  }
  static std::string device(const std::string& more = "") {
    return std::string{GetParam()} + ",iface=plx0" + more;
  }
};

TEST_P(KernelDriver, SendsAndReceives) {
  const lab::VethPair veth;
  const PortPtr port = open(device());
  ASSERT_TRUE(port);
  EXPECT_STREQ(port->device().device, "plx0");
  EXPECT_EQ(port->device().mtu, 1500);
  EXPECT_EQ(port->device().rx_queues, 1);
  EXPECT_EQ(port->device().tx_queues, 1);
  exchange(*port, 60);
  exchange(*port, 1514);
}

TEST_P(KernelDriver, LinkFollowsTheCarrier) {
  const lab::VethPair veth;
  const PortPtr port = open(device());
  ASSERT_TRUE(port);
  auto link = (*port)->link();
  ASSERT_TRUE(link);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->speed_mbps, 10000U);
  ASSERT_EQ(std::system("ip link set plx1 down"), 0);
  const auto end = std::chrono::steady_clock::now() + 10s;  // the kernel tells of it a little later
  do link = (*port)->link();
  while (link && link->up && std::chrono::steady_clock::now() < end);
  ASSERT_TRUE(link);
  EXPECT_FALSE(link->up);
}

TEST_P(KernelDriver, LeavesTheInterfaceAsFound) {
  const lab::VethPair veth;
  ASSERT_FALSE(lab::is_up("plx0"));
  {
    const PortPtr port = open(device(), 1400);
    ASSERT_TRUE(port);
    EXPECT_TRUE(lab::is_up("plx0"));
    EXPECT_EQ(lab::mtu_of("plx0"), 1400U);
    EXPECT_EQ(port->device().mtu, 1400);
    EXPECT_TRUE((*port)->set_mtu(1300));
    EXPECT_EQ(lab::mtu_of("plx0"), 1300U);
    EXPECT_TRUE((*port)->stats());
  }
  EXPECT_FALSE(lab::is_up("plx0"));
  EXPECT_EQ(lab::mtu_of("plx0"), 1500U);
}

TEST_P(KernelDriver, RefusesAnMtuBeyondABuffer) {
  const lab::VethPair veth{9000};
  EXPECT_THAT(refused(device()).context, HasSubstr("MTU"));
  EXPECT_FALSE(lab::is_up("plx0"));
}

TEST_P(KernelDriver, RefusesToGrowBeyondABuffer) {
  const lab::VethPair veth;
  const PortPtr port = open(device());
  ASSERT_TRUE(port);
  const auto done = (*port)->set_mtu(9000);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::Invalid);
}

TEST_P(KernelDriver, RefusesWhatIsNotThere) {
  const auto missing = refused(std::string{GetParam()} + ",iface=plx9");
  EXPECT_EQ(missing.code, Errc::DeviceFailed);
  EXPECT_THAT(missing.context, HasSubstr("no interface 'plx9'"));
  EXPECT_THAT(refused(std::string{GetParam()} + ",iface=lo").context, HasSubstr("not Ethernet"));
  EXPECT_THAT(refused(std::string{GetParam()} + ",iface=0123456789abcdef").context,
              HasSubstr("not an interface name"));
  EXPECT_THAT(refused(GetParam()).context, HasSubstr("needs iface="));
}

TEST_P(KernelDriver, SurvivesItsInterface) {
  auto veth = std::make_unique<lab::VethPair>();
  const PortPtr port = open(device());
  ASSERT_TRUE(port);
  EXPECT_NE(port->device().capabilities & POLLUX_CAP_REMOVABLE, 0U);
  ASSERT_TRUE((*port)->link());
  veth.reset();
  EXPECT_TRUE(is_gone(*port));
  const lab::VethPair another;  // of the same name
  EXPECT_TRUE(is_gone(*port));
  rte_mbuf* packets[kBurst];
  EXPECT_EQ(port->device().rx(port->device().port, 0, packets, kBurst), 0);
}

TEST_P(KernelDriver, ReopensWithoutLeak) {
  const lab::VethPair veth;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(open(device()));  // what is made once is made now
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < 20; ++i) {
    const PortPtr port = open(device());
    ASSERT_TRUE(port);
    const lab::RawSocket host{"plx1"};
    ASSERT_TRUE(host.send(lab::frame(0, 100)));
    expect(*port, 1, 100);
    send(*port, 1, 100);
    // Frames that nobody receives are there when the port closes.
    for (std::uint32_t n = 0; n < 10; ++n) ASSERT_TRUE(host.send(lab::frame(n, 100)));
  }
  EXPECT_EQ(lab::descriptors(), descriptors);
  // DPDK 22.11 loses the description of an AF_XDP port's UMEM, 1 KiB at most.
  EXPECT_LE(heap_bytes(), heap + 20 * (GetParam() == std::string_view{"af_xdp"} ? 1024 : 0));
}

TEST_P(KernelDriver, FailedOpensLeaveNothing) {
  const lab::VethPair veth;
  ASSERT_TRUE(open(device()));
  const auto descriptors = lab::descriptors();
  const auto heap = heap_bytes();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(refused(device(), 9000).code, Errc::DeviceFailed);
    EXPECT_EQ(refused(std::string{GetParam()} + ",iface=plx9").code, Errc::DeviceFailed);
  }
  EXPECT_EQ(lab::descriptors(), descriptors);
  EXPECT_EQ(heap_bytes(), heap);
}

INSTANTIATE_TEST_SUITE_P(Drivers, KernelDriver, testing::Values("af_packet", "af_xdp"),
                         [](const auto& driver) { return std::string{driver.param}; });

TEST_F(DriverPorts, AfPacketCarriesJumboFrames) {
  const lab::VethPair veth{9000};
  auto large = core::create_packet_pool("large", 1023, 0, 9216);
  ASSERT_TRUE(large) << large.error().context;
  {
    const PortPtr port = open("af_packet,iface=plx0", 0, large->get());
    ASSERT_TRUE(port);
    EXPECT_EQ(port->device().mtu, 9000);
    const lab::RawSocket host{"plx1"};
    ASSERT_TRUE(host.send(lab::frame(0, 9014)));
    expect(*port, 1, 9014);
    send(*port, 1, 9014, large->get());
    const auto f = host.receive();
    ASSERT_TRUE(f);
    EXPECT_EQ(*f, lab::frame(0, 9014));
  }
  EXPECT_EQ(rte_mempool_avail_count(large->get()), 1023U);
}

TEST_F(DriverPorts, AfPacketSpreadsOverQueues) {
  const lab::VethPair veth;
  const PortPtr port = open("af_packet,iface=plx0", 0, nullptr, 2);
  ASSERT_TRUE(port);
  EXPECT_EQ(port->device().rx_queues, 2);
  const lab::RawSocket host{"plx1"};
  for (std::uint32_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(host.send(lab::frame(0, 100)));
    expect(*port, 1, 100, 2);
  }
}

TEST_F(DriverPorts, AfPacketRefusesBadRings) {
  const lab::VethPair veth;
  for (const char* options :
       {"framesz=1000", "framesz=4096", "framesz=2048,blocksz=5000", "framecnt=0", "qpairs=1000",
        "qdisc_bypass=2", "blocksz=4096,framesz=1040"}) {
    const auto error = refused(std::string{"af_packet,iface=plx0,"} + options);
    EXPECT_EQ(error.code, Errc::DeviceFailed) << options;
    EXPECT_FALSE(lab::is_up("plx0")) << options;
  }
}

TEST_F(DriverPorts, AfXdpRefusesQueuesThatAreNotThere) {
  if (!kernel_has_af_xdp()) GTEST_SKIP() << "this kernel has no AF_XDP";
  const lab::VethPair veth;
  EXPECT_THAT(refused("af_xdp,iface=plx0,start_queue=1").context, HasSubstr("queues 0 to 0"));
  EXPECT_THAT(refused("af_xdp,iface=plx0,queue_count=2").context, HasSubstr("has 1 from queue 0"));
}

TEST_F(DriverPorts, AfXdpRefusesAnInterfaceThatIsTaken) {
  if (!kernel_has_af_xdp()) GTEST_SKIP() << "this kernel has no AF_XDP";
  const lab::VethPair veth;
  const PortPtr port = open("af_xdp,iface=plx0");
  ASSERT_TRUE(port);
  EXPECT_THAT(refused("af_xdp,iface=plx0").context, HasSubstr("has an XDP program already"));
  exchange(*port, 100);  // and the first goes on
}

TEST_F(DriverPorts, AfXdpCarriesWhatAPageHolds) {
  if (!kernel_has_af_xdp()) GTEST_SKIP() << "this kernel has no AF_XDP";
  const lab::VethPair veth{3000};
  const PortPtr port = open("af_xdp,iface=plx0,force_copy=1");
  ASSERT_TRUE(port);
  EXPECT_EQ(port->device().mtu, 3000);
  const lab::RawSocket host{"plx1"};
  send(*port, 1, 1514);
  EXPECT_EQ(host.receive(), lab::frame(0, 1514));
}

// A buffer of an AF_XDP port that is still in use somewhere when the port closes.
TEST_F(DriverPorts, AfXdpBuffersOutliveThePort) {
  if (!kernel_has_af_xdp()) GTEST_SKIP() << "this kernel has no AF_XDP";
  const lab::VethPair veth;
  rte_mbuf* held = nullptr;
  {
    const PortPtr port = open("af_xdp,iface=plx0");
    ASSERT_TRUE(port);
    const lab::RawSocket host{"plx1"};
    ASSERT_TRUE(host.send(lab::frame(5, 200)));
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (port->device().rx(port->device().port, 0, &held, 1) == 0 &&
           std::chrono::steady_clock::now() < end) {}
  }
  ASSERT_NE(held, nullptr);
  { ASSERT_TRUE(open("af_xdp,iface=plx0")); }
  const auto bytes = core::front_bytes(*held);
  EXPECT_EQ(Frame(bytes.begin(), bytes.end()), lab::frame(5, 200));
  rte_pktmbuf_free(held);
}
}  // namespace
