// SPDX-License-Identifier: BSD-3-Clause
// The drivers whose devices are made, not found: loop, null, pcap, tap.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/drivers/driver_ports.hh"

namespace {
using core::Errc;
using lab::comes_up;
using lab::DriverPorts;
using lab::Frame;
using lab::heap_bytes;
using lab::is_gone;
using lab::kBurst;
using lab::PortPtr;
using testing::HasSubstr;

/// A classic capture file of frames 0 to n-1. @param link_type  1: Ethernet.
void write_capture(const std::string& file, std::uint32_t n, std::size_t length,
                   std::uint32_t link_type = 1) {
  std::ofstream out{file, std::ios::binary};
  const auto put = [&](std::uint32_t v) {
    for (int shift = 0; shift < 32; shift += 8) out.put(static_cast<char>(v >> shift & 0xff));
  };
  for (const std::uint32_t v : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, link_type}) put(v);
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto size = static_cast<std::uint32_t>(length);
    for (const std::uint32_t v : {i, 0U, size, size}) put(v);
    for (const std::uint8_t byte : lab::frame(i, length)) out.put(static_cast<char>(byte));
  }
}

/// What a command prints.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

/// Opened and closed again and again: nothing grows.
class Reopening : public DriverPorts {
protected:
  void reopen(const std::string& text, std::size_t lost_per_open = 0) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(open(text));  // what is made once is made now
    const auto descriptors = lab::descriptors();
    const auto heap = heap_bytes();
    for (std::uint32_t i = 0; i < 100; ++i) {
      const PortPtr port = open(text);
      ASSERT_TRUE(port);
      rte_mbuf* packets[kBurst];
      const std::uint16_t n = port->device().rx(port->device().port, 0, packets, kBurst);
      rte_pktmbuf_free_bulk(packets, n);
      send(*port, 3, 100);  // nobody takes them
      EXPECT_TRUE((*port)->stats());
    }
    EXPECT_EQ(lab::descriptors(), descriptors);
    EXPECT_LE(heap_bytes(), heap + 100 * lost_per_open);
    EXPECT_EQ(rte_mempool_avail_count(pool.get()), 8191U);
  }
};

TEST_F(Reopening, Loop) {
  reopen("loop");
}
TEST_F(Reopening, Null) {
  reopen("null,rx=yes", 384);  // DPDK 22.11 loses the frame that it copies, one a queue
}
TEST_F(Reopening, Tap) {
  reopen("tap,iface=plxtap0");
}
TEST_F(Reopening, Pcap) {
  write_capture(folder + "/reopen.pcap", 50, 100);
  reopen("pcap,read=" + folder + "/reopen.pcap,write=" + folder + "/reopened.pcap");
  reopen("pcap,loop=yes,read=" + folder + "/reopen.pcap");
}

TEST_F(DriverPorts, LoopReturnsWhatIsSentOnTheQueueItWasSentOn) {
  const PortPtr port = open("loop", 0, nullptr, 2);
  ASSERT_TRUE(port);
  const pollux_port& p = port->device();
  EXPECT_EQ(p.rx_queues, 2);
  EXPECT_EQ(p.tx_queues, 2);
  EXPECT_EQ(p.mtu, 1500);
  EXPECT_EQ(p.mac[0] & 3, 2) << "locally administered, not a group";
  EXPECT_TRUE(comes_up(*port));
  send(*port, 100, 300);
  rte_mbuf* packets[kBurst];
  EXPECT_EQ(p.rx(p.port, 1, packets, kBurst), 0);
  expect(*port, 100, 300);
  EXPECT_EQ((*port)->xstats()->size(), 0U);
}

TEST_F(DriverPorts, LoopTakesNoMoreThanItHolds) {
  const PortPtr port = open("loop");
  ASSERT_TRUE(port);
  const pollux_port& p = port->device();
  std::uint32_t sent = 0;
  for (;; ++sent) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool.get());
    ASSERT_NE(m, nullptr);
    m->ol_flags |= RTE_MBUF_F_TX_IPV4;
    if (p.tx(p.port, 0, &m, 1) == 1) continue;
    rte_pktmbuf_free(m);
    break;
  }
  EXPECT_EQ(sent, 1024U);
  rte_mbuf* m = nullptr;
  ASSERT_EQ(p.rx(p.port, 0, &m, 1), 1);
  EXPECT_EQ(m->ol_flags, 0U) << "what the sender asked for is no news of the receiver's";
  rte_pktmbuf_free(m);
}  // the rest is freed by close

TEST_F(DriverPorts, LoopHasNoOptions) {
  EXPECT_THAT(refused("loop,size=3").context, HasSubstr("no option \"size\""));
  EXPECT_THAT(refused("loop", 10).context, HasSubstr("MTU 10"));
}

TEST_F(DriverPorts, NullDeliversNothingUnlessAskedTo) {
  const PortPtr silent = open("null");
  ASSERT_TRUE(silent);
  send(*silent, 50, 100);
  rte_mbuf* packets[kBurst];
  EXPECT_EQ(silent->device().rx(silent->device().port, 0, packets, kBurst), 0);
  EXPECT_TRUE(comes_up(*silent));

  const PortPtr source = open("null,rx=yes,size=200,copy=yes");
  ASSERT_TRUE(source);
  ASSERT_EQ(source->device().rx(source->device().port, 0, packets, kBurst), kBurst);
  for (rte_mbuf* m : packets) EXPECT_EQ(m->pkt_len, 200U);
  rte_pktmbuf_free_bulk(packets, kBurst);
}

TEST_F(DriverPorts, NullRefusesBadOptions) {
  EXPECT_THAT(refused("null,size=10").context, HasSubstr("size 10 is not within 60"));
  EXPECT_THAT(refused("null,size=9000").context, HasSubstr("size 9000"));
  EXPECT_THAT(refused("null,rx=1").context, HasSubstr("neither yes nor no"));
}

TEST_F(DriverPorts, PcapReadsEachFrameOnce) {
  write_capture(folder + "/in.pcap", 200, 777);
  const PortPtr port = open("pcap,read=" + folder + "/in.pcap");
  ASSERT_TRUE(port);
  expect(*port, 200, 777);
  rte_mbuf* packets[kBurst];
  EXPECT_EQ(port->device().rx(port->device().port, 0, packets, kBurst), 0);
  EXPECT_TRUE(comes_up(*port));
}

TEST_F(DriverPorts, PcapBeginsAnewInALoop) {
  write_capture(folder + "/loop.pcap", 4, 90);
  const PortPtr port = open("pcap,loop=yes,read=" + folder + "/loop.pcap");
  ASSERT_TRUE(port);
  for (int turn = 0; turn < 5; ++turn) {
    rte_mbuf* packets[4];
    ASSERT_EQ(port->device().rx(port->device().port, 0, packets, 4), 4);
    for (std::uint32_t i = 0; i < 4; ++i) {
      const auto bytes = core::front_bytes(*packets[i]);
      EXPECT_EQ(Frame(bytes.begin(), bytes.end()), lab::frame(i, 90));
    }
    rte_pktmbuf_free_bulk(packets, 4);
  }
}

TEST_F(DriverPorts, PcapWritesWhatTsharkReads) {
  const std::string file = folder + "/out.pcap";
  {
    const PortPtr port = open("pcap,write=" + file);
    ASSERT_TRUE(port);
    send(*port, 25, 60);
    send(*port, 25, 1514);
  }
  std::istringstream lengths{
      output_of("tshark -r " + file + " -Y eth.type==0x88b5 -T fields -e frame.len 2>/dev/null")};
  std::vector<unsigned> read{std::istream_iterator<unsigned>{lengths}, {}};
  std::vector<unsigned> sent(25, 60);
  sent.resize(50, 1514);
  EXPECT_EQ(read, sent);
  const PortPtr port = open("pcap,read=" + file);  // and byte for byte
  ASSERT_TRUE(port);
  rte_mbuf* packets[kBurst];
  ASSERT_EQ(port->device().rx(port->device().port, 0, packets, 25), 25);
  const auto bytes = core::front_bytes(*packets[24]);
  EXPECT_EQ(Frame(bytes.begin(), bytes.end()), lab::frame(24, 60));
  rte_pktmbuf_free_bulk(packets, 25);
}

TEST_F(DriverPorts, PcapRefusesWhatItCannotRead) {
  EXPECT_THAT(refused("pcap").context, HasSubstr("give read=FILE"));
  EXPECT_THAT(refused("pcap,read=/nowhere.pcap").context, HasSubstr("No such file"));
  EXPECT_THAT(refused("pcap,read=/etc/passwd").context, HasSubstr("cannot read /etc/passwd"));
  EXPECT_THAT(refused("pcap,write=/nowhere/x.pcap").context, HasSubstr("cannot write"));
  EXPECT_THAT(refused("pcap,loop=yes,write=" + folder + "/x.pcap").context,
              HasSubstr("loop=yes needs read"));
  const std::string file = folder + "/bad.pcap";
  write_capture(file, 1, 100, 113);
  EXPECT_THAT(refused("pcap,read=" + file).context, HasSubstr("LINUX_SLL"));
  write_capture(file, 1, 5000);
  EXPECT_THAT(refused("pcap,loop=yes,read=" + file).context, HasSubstr("5000 bytes"));
  write_capture(file, 5000, 60);
  EXPECT_THAT(refused("pcap,loop=yes,read=" + file).context, HasSubstr("5000 frames"));
  write_capture(file, 0, 60);
  EXPECT_THAT(refused("pcap,loop=yes,read=" + file).context, HasSubstr("empty"));
  EXPECT_THAT(refused("pcap,read=" + file + ",write=" + file).context, HasSubstr("the same file"));
}

TEST_F(DriverPorts, TapCarriesBetweenKernelAndPort) {
  const PortPtr port = open("tap,iface=plxtap0,mac=02:00:00:00:00:21", 1400);
  ASSERT_TRUE(port);
  EXPECT_TRUE(comes_up(*port));
  EXPECT_EQ(lab::mtu_of("plxtap0"), 1400U);
  EXPECT_EQ(port->device().mac[5], 0x21);
  const lab::RawSocket host{"plxtap0"};
  for (const std::size_t length : {60, 1414}) {
    for (std::uint32_t i = 0; i < 50; ++i) ASSERT_TRUE(host.send(lab::frame(i, length)));
    expect(*port, 50, length);
    send(*port, 50, length);
    for (std::uint32_t i = 0; i < 50; ++i) EXPECT_EQ(host.receive(), lab::frame(i, length));
  }
}

TEST_F(DriverPorts, TapFollowsItsInterface) {
  const PortPtr port = open("tap");
  ASSERT_TRUE(port);
  EXPECT_STREQ(port->device().device, "tap0");
  EXPECT_TRUE(comes_up(*port));
  ASSERT_EQ(std::system("ip link set tap0 down"), 0);
  EXPECT_TRUE(lab::goes_down(*port));
  ASSERT_EQ(std::system("ip link set tap0 up"), 0);
  EXPECT_TRUE(comes_up(*port));
  ASSERT_EQ(std::system("ip link del tap0"), 0);
  EXPECT_TRUE(is_gone(*port));
}

TEST_F(DriverPorts, TapMayMoveToAContainer) {
  const PortPtr port = open("tap,iface=plxtap2");
  ASSERT_TRUE(port);
  EXPECT_TRUE(comes_up(*port));
  const std::string ns = "plx-tap-" + std::to_string(getpid());
  ASSERT_EQ(std::system(("ip netns add " + ns + " && ip link set plxtap2 netns " + ns).c_str()), 0);
  EXPECT_TRUE(comes_up(*port));
  ASSERT_EQ(std::system(("ip -n " + ns + " link set plxtap2 name eth0").c_str()), 0);
  EXPECT_TRUE(comes_up(*port));
  ASSERT_EQ(std::system(("ip -n " + ns + " link del eth0").c_str()), 0);
  EXPECT_TRUE(is_gone(*port));
  EXPECT_EQ(std::system(("ip netns del " + ns).c_str()), 0);
}

TEST_F(DriverPorts, TapGoesWithThePort) {
  ASSERT_TRUE(open("tap,iface=plxtap1"));
  EXPECT_ANY_THROW((void)lab::is_up("plxtap1"));
}

TEST_F(DriverPorts, TapRefusesBadOptions) {
  const lab::VethPair veth;
  EXPECT_THAT(refused("tap,iface=plx0").context, HasSubstr("exists already"));
  EXPECT_THAT(refused("tap,iface=0123456789abcdef").context, HasSubstr("not an interface name"));
  EXPECT_THAT(refused("tap,remote=plx9").context, HasSubstr("no interface 'plx9'"));
  EXPECT_THAT(refused("tap,mac=x").context, HasSubstr("not a unicast"));
  EXPECT_THAT(refused("tap,queues=17").context, HasSubstr("at most 16"));
}
}  // namespace
