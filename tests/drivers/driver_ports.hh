// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "apps/polluxd/driver_registry.hh"
#include "core/mbuf.hh"
#include "core/packet_pool.hh"
#include "tests/drivers/port_lab.hh"

/// What the tests of drivers share: ports opened as the daemon opens them, frames through them.
namespace lab {
inline constexpr std::chrono::seconds kPatience{30};
inline constexpr std::uint16_t kBurst = 32;
inline const std::string kFolder = "/tmp/plx-drivers-" + std::to_string(getpid());

inline bool have_root = false;  // set by main() before any test runs

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

/// A pool and a registry; every test must give back all buffers and all ports.
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
    return {core::Errc::Full, "opened"};
  }

  /// Sends frames 0 to n-1; gives up when the device takes none for a while.
  void send(Port& port, std::uint32_t n, std::size_t length, rte_mempool* from = nullptr) {
    auto patience = std::chrono::steady_clock::now() + kPatience;
    for (std::uint32_t i = 0; i < n;) {
      rte_mbuf* m = rte_pktmbuf_alloc(from == nullptr ? pool.get() : from);
      if (m != nullptr) {
        core::grow_back(*m, static_cast<std::uint16_t>(length));
        std::ranges::copy(frame(i, length), core::front_bytes_mut(*m).begin());
        if (port.device().tx(port.device().port, 0, &m, 1) == 1) {
          ++i;
          patience = std::chrono::steady_clock::now() + kPatience;
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
    const auto end = std::chrono::steady_clock::now() + kPatience;
    do
      for (std::uint16_t q = 0; q < queues; ++q) {
        rte_mbuf* packets[kBurst];
        const std::uint16_t got = port.device().rx(port.device().port, q, packets, kBurst);
        for (std::uint16_t i = 0; i < got; ++i) {
          const auto bytes = core::front_bytes(*packets[i]);
          EXPECT_EQ(Frame(bytes.begin(), bytes.end()), frame(next, length));
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
    const RawSocket host{"plx1"};
    for (int turn = 0; turn < 10; ++turn) {
      for (std::uint32_t i = 0; i < 50; ++i) ASSERT_TRUE(host.send(frame(i, length)));
      expect(port, 50, length);
      send(port, 50, length);
      for (std::uint32_t i = 0; i < 50; ++i) {
        const auto f = host.receive();
        ASSERT_TRUE(f) << "frame " << i;
        EXPECT_EQ(*f, frame(i, length));
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
/// Whether it becomes true before patience ends.
template <class Condition>
bool eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  do {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// Whether the link is reported up, or down, before patience ends.
inline bool comes_up(Port& port) {
  return eventually([&] {
    const auto link = port->link();
    return link && link->up != 0;
  });
}
inline bool goes_down(Port& port) {
  return eventually([&] {
    const auto link = port->link();
    return link && link->up == 0;
  });
}

/// Whether the driver says that the device is gone: the manager then closes the port.
inline bool is_gone(Port& port) {
  const auto link = port->link();
  return !link && link.error().code == core::Errc::NotFound;
}

/// What DPDK's heap has given away.
inline std::size_t heap_bytes() {
  rte_malloc_socket_stats stats{};
  (void)rte_malloc_get_socket_stats(0, &stats);
  return stats.heap_allocsz_bytes;
}
}  // namespace lab
