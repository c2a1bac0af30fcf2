// SPDX-License-Identifier: BSD-3-Clause
// Every driver against the real thing: kernel interfaces, another memif, DPDK's virtual devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/polluxd/driver_registry.hh"
#include "apps/polluxd/eal.hh"
#include "core/mbuf.hh"
#include "core/packet_pool.hh"
#include "tests/drivers/port_lab.hh"

namespace {
using core::Errc;
using lab::Frame;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint16_t kBurst = 32;
const std::string kFolder = "/tmp/plx-drivers-" + std::to_string(getpid());

bool have_root = false;  // set by main() before any test runs

/// Closes the port when it goes.
class Port {
public:
  explicit Port(polluxd::OpenPort port) : port_{std::move(port)} {}
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port() { port_.close(); }
  polluxd::OpenPort* operator->() { return &port_; }
  [[nodiscard]] const pollux_port& device() const { return port_.port; }

private:
  polluxd::OpenPort port_;
};
using PortPtr = std::unique_ptr<Port>;

class DriverPorts : public testing::Test {
protected:
  void SetUp() override {
    if (!have_root) GTEST_SKIP() << "needs root: makes a network namespace and devices in it";
    auto made = core::create_packet_pool("test", 8191, 64, 2048);
    ASSERT_TRUE(made) << made.error().context;
    pool = std::move(*made);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override {
    if (pool) {
      EXPECT_EQ(rte_mempool_avail_count(pool.get()), 8191U) << "packet buffers are lost";
    }
    EXPECT_EQ(rte_eth_dev_count_avail(), listeners()) << "a port is left";
  }

  core::Expected<polluxd::OpenPort> try_open(const std::string& text, std::uint16_t mtu = 0,
                                             rte_mempool* from = nullptr,
                                             std::uint16_t queues = 1) {
    auto parsed = registry.parse_device(text);
    if (!parsed) return parsed.error();
    auto driver = registry.load(parsed->driver);
    if (!driver) return driver.error();
    polluxd::PortRequest request;
    request.options = parsed->options;
    request.queues = queues;
    request.mtu = mtu;
    request.pool = from == nullptr ? pool.get() : from;
    return registry.open(*driver, request);
  }
  PortPtr open(const std::string& text, std::uint16_t mtu = 0, rte_mempool* from = nullptr,
               std::uint16_t queues = 1) {
    auto port = try_open(text, mtu, from, queues);
    EXPECT_TRUE(port) << port.error().context;
    return port ? std::make_unique<Port>(std::move(*port)) : nullptr;
  }
  core::Error refused(const std::string& text, std::uint16_t mtu = 0) {
    auto port = try_open(text, mtu);
    if (!port) return port.error();
    port->close();
    return {Errc::Full, "opened"};
  }

  /// Sends frames 0 to n-1; gives up when the device takes none for a while.
  void send(Port& port, std::uint32_t n, std::size_t length, rte_mempool* from = nullptr) {
    auto patience = std::chrono::steady_clock::now() + 5s;
    for (std::uint32_t i = 0; i < n;) {
      rte_mbuf* m = rte_pktmbuf_alloc(from == nullptr ? pool.get() : from);
      if (m != nullptr) {
        core::grow_back(*m, static_cast<std::uint16_t>(length));
        std::ranges::copy(lab::frame(i, length), core::front_bytes_mut(*m).begin());
        if (port.device().tx(port.device().port, 0, &m, 1) == 1) {
          ++i;
          patience = std::chrono::steady_clock::now() + 5s;
          continue;
        }
        rte_pktmbuf_free(m);
      }
      ASSERT_LT(std::chrono::steady_clock::now(), patience) << "sent " << i << " of " << n;
    }
  }
  /// Expects frames 0 to n-1, in order.
  void expect(Port& port, std::uint32_t n, std::size_t length, std::uint16_t queues = 1) {
    std::uint32_t next = 0;
    const auto end = std::chrono::steady_clock::now() + 10s;
    do
      for (std::uint16_t q = 0; q < queues; ++q) {
        rte_mbuf* packets[kBurst];
        const std::uint16_t got = port.device().rx(port.device().port, q, packets, kBurst);
        for (std::uint16_t i = 0; i < got; ++i) {
          const auto bytes = core::front_bytes(*packets[i]);
          EXPECT_EQ(Frame(bytes.begin(), bytes.end()), lab::frame(next, length));
          EXPECT_EQ(packets[i]->nb_segs, 1);
          ++next;
          rte_pktmbuf_free(packets[i]);
        }
      }
    while (next < n && std::chrono::steady_clock::now() < end);
    EXPECT_EQ(next, n);
  }
  /// Both ways over the veth pair, in turns that its queues hold.
  void exchange(Port& port, std::size_t length) {
    const lab::RawSocket host{"plx1"};
    for (int turn = 0; turn < 10; ++turn) {
      for (std::uint32_t i = 0; i < 50; ++i) ASSERT_TRUE(host.send(lab::frame(i, length)));
      expect(port, 50, length);
      send(port, 50, length);
      for (std::uint32_t i = 0; i < 50; ++i) {
        const auto f = host.receive();
        ASSERT_TRUE(f) << "frame " << i;
        EXPECT_EQ(*f, lab::frame(i, length));
      }
    }
  }

  /// The servers that keep memif's sockets listening stay for the life of the process.
  static std::uint16_t listeners() {
    std::uint16_t n = 0;
    for (std::uint16_t id = 0; id < RTE_MAX_ETHPORTS; ++id) {
      char name[RTE_ETH_NAME_MAX_LEN] = {};
      if (rte_eth_dev_is_valid_port(id) != 0 && rte_eth_dev_get_name_by_port(id, name) == 0 &&
          std::string_view{name}.starts_with("net_memif_listen"))
        ++n;
    }
    return n;
  }

  polluxd::DriverRegistry registry{{}};
  core::PacketPool pool;
  const std::string folder = kFolder;
};

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
  veth.reset();
  auto link = (*port)->link();
  ASSERT_TRUE(link);
  EXPECT_FALSE(link->up);
  rte_mbuf* packets[kBurst];
  EXPECT_EQ(port->device().rx(port->device().port, 0, packets, kBurst), 0);
}

std::size_t heap_bytes() {
  rte_malloc_socket_stats stats{};
  (void)rte_malloc_get_socket_stats(0, &stats);
  return stats.heap_allocsz_bytes;
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

bool comes_up(Port& port) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < end)
    if (auto link = port->link(); link && link->up) return true;
  return false;
}

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
  EXPECT_THAT(refused("dpdk,devargs=ffff:ff:1e.7").context, HasSubstr("No such device"));
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

// DPDK 22.11 never deletes a UMEM.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: the sanitizer's name
  return "leak:xsk_umem__create";
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  have_root = lab::enter_own_namespace();
  if (!have_root) return RUN_ALL_TESTS();
  polluxd::EalRequest request;
  request.instance = 200;
  request.worker_cpus = polluxd::choose_cpus(1, {});
  request.memory_mib = 128;
  if (auto eal = polluxd::eal_init(request); !eal) {
    std::fprintf(stderr, "%s\n", eal.error().context.c_str());
    return 1;
  }
  const int status = RUN_ALL_TESTS();
  polluxd::eal_cleanup(request.instance);
  std::filesystem::remove_all(kFolder);
  return status;
}
