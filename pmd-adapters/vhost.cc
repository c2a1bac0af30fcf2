// SPDX-License-Identifier: BSD-3-Clause
// The host's end of a guest's virtio device, over a Unix socket (vhost-user).
#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "pmd-adapters/driver.hh"
#include "pmd-adapters/unix_socket.hh"

namespace pmd {
namespace {
constexpr std::uint16_t kMaxQueues = 64;

constexpr pollux_option kOptions[] = {
    {"iface", POLLUX_OPTION_STRING, nullptr, "path of the Unix socket"},
    {"role", POLLUX_OPTION_STRING, "server",
     "server (listens, the guest connects) or client (connects, and again when the guest returns)"},
    {"queues", POLLUX_OPTION_UINT, "1",
     "queue pairs; 0: one per worker. The guest must use as many: what is sent on others is lost"},
};

/// DPDK's thread for vhost-user may be taking a connection down, whose peer has just gone, and goes
/// on to use the socket's memory (22.11), which closing the port frees. It does one thing after the
/// other; so a call to a second socket, there for nothing else, is answered when that is done.
class Settling final : public Backing {
public:
  explicit Settling(std::string path) : path_{std::move(path)} {}
  ~Settling() override {
    if (registered_) (void)rte_vhost_driver_unregister(path_.c_str());
  }
  Outcome<> started(std::uint16_t port) override {
    if (auto done = make_way_for_socket("iface", path_, SOCK_STREAM); !done) return done.error();
    registered_ = rte_vhost_driver_register(path_.c_str(), 0) == 0;
    if (!registered_ || rte_vhost_driver_callback_register(path_.c_str(), &answer()) != 0 ||
        rte_vhost_driver_start(path_.c_str()) != 0)
      return Failure{EIO, fmt::format("cannot listen on {}", path_)};
    (void)rte_eth_dev_callback_register(port, RTE_ETH_EVENT_INTR_LSC, note_peer, &had_peer_);
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
      had_peer_ = true;
    return core::Done{};
  }
  void stopping(std::uint16_t port) override {
    using namespace std::chrono_literals;
    while (rte_eth_dev_callback_unregister(port, RTE_ETH_EVENT_INTR_LSC, note_peer, &had_peer_) ==
           -EAGAIN)
      std::this_thread::yield();
    if (!had_peer_) return;
    answered() = false;
    const auto call = call_socket(path_, SOCK_STREAM);
    for (int i = 0; i < 20000 && call && !answered(); ++i) std::this_thread::sleep_for(100us);
    (void)rte_vhost_driver_unregister(
        path_.c_str());  // before the call ends, which is an event too
    registered_ = false;
  }

private:
  static std::atomic<bool>& answered() noexcept {
    static std::atomic<bool> flag{false};
    return flag;
  }
  static const rte_vhost_device_ops& answer() {
    static const rte_vhost_device_ops all = [] {
      rte_vhost_device_ops ops{};
      ops.new_connection = [](int) {
        answered() = true;
        return 0;
      };
      return ops;
    }();
    return all;
  }
  static int note_peer(std::uint16_t /*port*/, rte_eth_event_type /*event*/, void* flag,
                       void* /*details*/) {
    static_cast<std::atomic<bool>*>(flag)->store(true);
    return 0;
  }

  std::string path_;
  bool registered_ = false;
  std::atomic<bool> had_peer_{false};
};

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string path = r.text("iface"), role = r.text("role");
  if (role != "server" && role != "client")
    return Failure{EINVAL, fmt::format("role \"{}\" is neither server nor client", role)};
  const std::string settling_path = path + ".settle";
  if (auto done = check_socket_path("iface", path); !done) return done.error();
  if (auto done = check_socket_path("iface", settling_path); !done) return done.error();
  const auto queues = queues_option(r, kMaxQueues);
  if (!queues) return queues.error();
  if (role == "server")
    if (auto done = make_way_for_socket("iface", path, SOCK_STREAM); !done) return done.error();

  EthdevSpec spec;
  spec.devargs = fmt::format("net_vhost_{},iface={},client={},queues={}", r.name(), path,
                             role == "client" ? 1 : 0, *queues);
  spec.device = path;
  spec.queues = *queues;
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.pool_near = [&r](int node) { return r.pool_near(node); };
  spec.frame_capacity = buffer_capacity(r.pool());
  spec.offloads.scatter = Scatter::Unasked;
  spec.backing = std::make_unique<Settling>(settling_path);
  // A guest leaves the checksums of what it sends to the device: DPDK computes them unless told not
  // to, and what is forwarded needs them.
  spec.offloads.rx_l4_checksum = false;
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("vhost", "the host's end of a guest's virtio device (vhost-user)", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
