// SPDX-License-Identifier: BSD-3-Clause
// Mounting and destroying a third interface, of every driver that needs no hardware, while traffic
// goes through two others at full rate: they lose, double and reorder nothing, and nothing is left
// of the third. A few cycles by default, 1000 of each with POLLUX_TEST_LONG.
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/drivers/driver_ports.hh"
#include "tests/stage/numbered_flows.hh"

#if defined(__SANITIZE_ADDRESS__)
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // NOLINT: the sanitizer's name
#endif

namespace {
using namespace test;

unsigned cycles() {
  return std::getenv("POLLUX_TEST_LONG") != nullptr ? 1000 : 8;
}

/// Bytes that the program has on its heap.
std::size_t heap() {
#if defined(__SANITIZE_ADDRESS__)
  return __sanitizer_get_current_allocated_bytes();
#else
  return mallinfo2().uordblks;
#endif
}

std::size_t threads() {
  std::error_code none;
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator{"/proc/self/task", none}, {}));
}

struct Third {
  const char* name;
  const char* device;     ///< as -d takes it; @ is the test's folder
  const char* peer = "";  ///< another interface, there all the time
  std::size_t lost = 0;   ///< bytes of its heap that DPDK 22.11 loses with each device, at most
};
void PrintTo(const Third& t, std::ostream* out) {
  *out << t.device;
}

/// What may not grow.
struct Left {
  std::map<std::string, unsigned> descriptors = lab::descriptors();
  std::size_t dpdk = lab::heap_bytes(), tasks = threads(), bytes = heap();
};

class Cycles : public testing::TestWithParam<Third> {
protected:
  void SetUp() override {
    if (!lab::have_root) GTEST_SKIP() << "needs root: makes devices in a network namespace";
    std::filesystem::create_directories(lab::kFolder);
    r_.configure();
    r_.know_neighbors();
    if (*GetParam().peer != '\0') {
      auto peer = parse(GetParam().peer);
      peer.name = "peer";
      must(r_.manager.create_interface(peer));
    }
    spec_ = parse(GetParam().device);
    spec_.name = "third";
    spec_.addresses = {{test::ip("10.9.0.1"), 24}};
  }

  void TearDown() override { r_.manager.shutdown(); }

  polluxd::InterfaceSpec parse(std::string text) {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@'))
      text.replace(at, 1, lab::kFolder);
    const auto parsed = polluxd::DriverRegistry{{}}.parse_device(text);
    must(parsed);
    polluxd::InterfaceSpec spec;
    spec.driver = parsed->driver;
    spec.options = parsed->options;
    return spec;
  }

  /// One life of the interface, long enough for traffic to pass while it is there and after.
  void cycle(NumberedFlows& flows) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const auto made = r_.manager.create_interface(spec_);
    ASSERT_TRUE(made) << made.error().context;
    const auto mounted = Clock::now();
    pass(flows);
    const auto again = Clock::now();
    must(r_.manager.destroy_interface("third"));
    mount_us_.push_back(std::chrono::duration<double, std::micro>(mounted - begin).count());
    destroy_us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - again).count());
    pass(flows);
  }
  void pass(NumberedFlows& flows) {
    const std::uint64_t then = flows.arrived, start_us = flows.clock.now_us();
    while (flows.arrived < then + 100 && flows.clock.now_us() - start_us < 60'000'000)
      r_.manager.poll(flows.clock.now_us());
    ASSERT_GE(flows.arrived, then + 100) << "traffic has stopped";
  }
  /// True once no more descriptors of any kind are open than before. A peer's thread closes its
  /// end of a connection when it gets to it: after the destroy, here and before the count began.
  bool wait_for_descriptors(const std::map<std::string, unsigned>& before, NumberedFlows& flows) {
    const auto fewer = [&](const auto& now) {
      return std::all_of(now.begin(), now.end(), [&](const auto& kind) {
        const auto then = before.find(kind.first);
        return then != before.end() && kind.second <= then->second;
      });
    };
    for (const auto start_us = flows.clock.now_us(); !fewer(lab::descriptors());)
      if (flows.clock.now_us() - start_us > 60'000'000) return false;
    return true;
  }
  static double median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v.empty() ? 0 : v[v.size() / 2];
  }

  void run() {
    std::uint64_t carried = 0;
    {
      NumberedFlows flows{r_};
      for (int n = 0; n < 3; ++n) ASSERT_NO_FATAL_FAILURE(cycle(flows));  // what is made only once
      const Left before;
      for (unsigned n = 0; n < cycles(); ++n) ASSERT_NO_FATAL_FAILURE(cycle(flows));
      EXPECT_TRUE(wait_for_descriptors(before.descriptors, flows))
          << testing::PrintToString(lab::descriptors()) << ", before "
          << testing::PrintToString(before.descriptors);
      const Left after;
      EXPECT_LE(after.dpdk, before.dpdk + cycles() * GetParam().lost) << "bytes of DPDK's heap";
      EXPECT_EQ(after.tasks, before.tasks);
      EXPECT_LT(after.bytes, before.bytes + 100'000) << "bytes of the heap, over " << cycles();
      flows.end();
      EXPECT_EQ(flows.wrong, 0u) << "lost, doubled or out of order";
      EXPECT_EQ(flows.on_the_way(), 0u) << "lost";
      carried = flows.arrived;
    }
    std::printf("%-12s %5u cycles, %9llu packets on the others, mount %8.0f us, destroy %8.0f us\n",
                GetParam().name, cycles(), static_cast<unsigned long long>(carried),
                median(mount_us_), median(destroy_us_));
  }

  Router r_{{.workers = 2}};
  polluxd::InterfaceSpec spec_;
  std::vector<double> mount_us_, destroy_us_;
};

// DPDK's drivers are not built with ThreadSanitizer, which then sees half of what they share.
constexpr Third kThirds[] = {
    {"vlan", "vlan,parent=lan0,id=100"},
    {"loop", "loop"},
#if !defined(__SANITIZE_THREAD__)
    {"null", "null", "", 1024},
    {"tap", "tap,iface=plx9"},
    {"pcap", "pcap,write=@/out.pcap"},
    {"memif", "memif,socket=@/memif.sock,role=server", "", 4 * 16384},
    {"vhost", "vhost,iface=@/vhost.sock"},
    {"virtio_user", "virtio_user,path=@/virtio.sock", "vhost,iface=@/virtio.sock"},
    {"dpdk", "dpdk,devargs=net_ring_third"},
#endif
};
std::string name_of(const testing::TestParamInfo<Third>& info) {
  return info.param.name;
}
TEST_P(Cycles, OtherInterfacesNoticeNothing) {
  run();
}
INSTANTIATE_TEST_SUITE_P(Driver, Cycles, testing::ValuesIn(kThirds), name_of);

#if !defined(__SANITIZE_THREAD__)
/// The same for drivers of an interface of the kernel's.
class VethCycles : public Cycles {
protected:
  void SetUp() override {
    if (lab::have_root) veth_.emplace();
    Cycles::SetUp();
  }

private:
  std::optional<lab::VethPair> veth_;
};
TEST_P(VethCycles, OtherInterfacesNoticeNothing) {
  run();
}
constexpr Third kVethThirds[] = {
    {"af_packet", "af_packet,iface=plx0"},
    {"bond", "bond,members=net_af_packet_m0,iface=plx0+net_af_packet_m1,iface=plx1"},
    {"af_xdp", "af_xdp,iface=plx0", "", 256}};
INSTANTIATE_TEST_SUITE_P(Driver, VethCycles, testing::ValuesIn(kVethThirds), name_of);
#endif
}  // namespace
