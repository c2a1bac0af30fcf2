// SPDX-License-Identifier: BSD-3-Clause
// Other people's traffic: every capture file of the folder that POLLUX_CAPTURES names goes through
// the whole pipeline, watched all the while. Nothing crashes, and every packet is accounted for.
#include <pcap/pcap.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/stage/observe_lab.hh"

namespace {
using namespace test;
namespace fs = std::filesystem;
using Kind = polluxd::RouteSpec::Kind;

struct ClosePcap {
  void operator()(pcap_t* p) const noexcept { pcap_close(p); }
};
using Pcap = std::unique_ptr<pcap_t, ClosePcap>;

std::vector<fs::path> files() {
  std::vector<fs::path> all;
  const char* folder = std::getenv("POLLUX_CAPTURES");
  if (folder == nullptr || !fs::is_directory(folder)) return all;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

/// The packet as a frame: another link's packet behind a header that says IPv4.
Packet frame_of(int link, PacketBytes bytes) {
  if (link == DLT_EN10MB) return {bytes.begin(), bytes.end()};
  return ether({.dst = Router::kLanMac, .src = Router::kHostMac}, bytes);
}

class Captures : public testing::Test {
protected:
  Captures() {
    r.configure();
    r.know_neighbors();
    must(r.manager.add_route({{0, 0}, Kind::Unicast, Router::kGatewayIp, ""}));
    must(r.manager.create_tunnel({.name = "ipsec0",
                                  .local = Router::kWanIp,
                                  .remote = Router::kGatewayIp,
                                  .mtu = 0,
                                  .selectors = {}}));
    must(r.manager.add_route({{ip("10.0.0.0"), 8}, Kind::Unicast, {}, "ipsec0"}));
    crypto::SaSpec sa;
    sa.tunnel = "ipsec0";
    sa.spi = 0x1000;
    sa.direction = crypto::Direction::Out;
    sa.key = std::move(*crypto::Secret::from_hex(std::string(72, 'b')));
    must(r.manager.add_sa(sa));
    drops.start(r, {.drops = true});
    passing.start(r, {.interfaces = {"lan0", "wan0"}, .ipsec = true, .filter = "ip or arp"});
    trace.start(r, "not arp", polluxd::TraceSpec::kMaxCount);
    drops_before = sum_of(r.drops());
  }

  void replay(const fs::path& file) {
    char why[PCAP_ERRBUF_SIZE];
    const Pcap pcap{pcap_open_offline(file.c_str(), why)};
    if (pcap == nullptr) {
      ++unreadable;
      return;
    }
    pcap_pkthdr* header;
    const std::uint8_t* data;
    while (pcap_next_ex(pcap.get(), &header, &data) == 1) {
      constexpr std::size_t kRoom = 2000;  // of an mbuf; what is longer is cut off
      const std::size_t n = std::min<std::size_t>(header->caplen, kRoom);
      Packet frame = frame_of(pcap_datalink(pcap.get()), {data, n});
      push(r.wan, frame);
      // Once more, addressed to us, so that it goes further.
      if (frame.size() >= 6) std::copy_n(Router::kLanMac.begin(), 6, frame.begin());
      push(r.lan, std::move(frame));
    }
  }
  void push(MemoryPort& port, Packet frame) {
    port.push(std::move(frame));
    ++packets;
    if (packets % 32 != 0) return;
    r.iterate(20'000);
    (void)r.lan.take_sent();
    (void)r.wan.take_sent();
  }

  Router r;
  Captured drops, passing;
  Traced trace;
  std::uint64_t packets = 0, unreadable = 0, drops_before = 0;
};

TEST_F(Captures, EveryPacketOfEveryFileEndsOnce) {
  const auto all = files();
  if (all.empty())
    GTEST_SKIP() << "POLLUX_CAPTURES names no folder with capture files; nothing to replay";
  for (const fs::path& file : all) {
    replay(file);
    r.iterate(20'000);
    ASSERT_EQ(r.pool.in_use(), r.held()) << file;
    if (HasFailure()) return;
  }
  r.run_for(30);
  EXPECT_EQ(r.held(), 0u);
  r.expect_conservation();
  EXPECT_LT(unreadable, all.size()) << "no file could be read";
  for (const Captured* c : {&drops, &passing}) r.manager.stop_observer(c->id);
  r.manager.stop_observer(trace.id);
  r.iterate();
  // Each drop is in the capture of drops once, with its reason.
  EXPECT_EQ(drops.packets.size() + drops.lost(), sum_of(r.drops()) - drops_before);
  Drops told;
  for (const CapturedFrame& p : drops.packets) ++told[p.dropped];
  if (drops.lost() == 0) { EXPECT_EQ(told, r.drops()); }
  for (const Traced::Way& way : trace.ways)
    EXPECT_TRUE(trace.lost != 0 || way.back().starts_with("sent") ||
                way.back().starts_with("dropped") || way.back() == "delivered")
        << way.back();
  RecordProperty("files", static_cast<int>(all.size()));
  std::printf("%zu files (%llu not readable), %llu packets, %zu reasons\n", all.size(),
              static_cast<unsigned long long>(unreadable), static_cast<unsigned long long>(packets),
              told.size());
}
}  // namespace
