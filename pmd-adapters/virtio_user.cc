// SPDX-License-Identifier: BSD-3-Clause
// The guest's end of a virtio device, without a guest: its peer is a vhost-user backend, such as a
// virtual switch, on a Unix socket.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "core/interrupt_thread.hh"
#include "pmd-adapters/driver.hh"
#include "pmd-adapters/unix_socket.hh"

namespace pmd {
namespace {
constexpr std::uint16_t kMaxQueues = 8;  // VIRTIO_MAX_VIRTQUEUE_PAIRS of DPDK's driver

constexpr pollux_option kOptions[] = {
    {"path", POLLUX_OPTION_STRING, nullptr, "path of the backend's Unix socket"},
    {"server", POLLUX_OPTION_STRING, "no", "yes: listen, the backend connects"},
    {"queues", POLLUX_OPTION_UINT, "1",
     "queue pairs, as many as the backend has; 0: one per worker"},
    {"queue_size", POLLUX_OPTION_UINT, "256", "descriptors of a queue, a power of two up to 1024"},
    {"mac", POLLUX_OPTION_STRING, "", "address of this end; none: at random"},
};

// Backends that look for their server, DPDK's among them, do so every second.
constexpr std::chrono::milliseconds kCallers_ms{1200}, kReturn_ms{3000};

/// DPDK's driver waits for its first backend without end, in the thread that opens the port. So a
/// socket of ours listens in its place until a backend calls; that one is hung up on, and the
/// driver's socket is what it finds when it calls again.
/// @return ENODEV: nobody calls.
Outcome<> await_caller(const std::string& path) {
  const auto socket = listen_at("path", path, SOCK_STREAM);
  if (!socket) return socket.error();
  if (socket->has_caller(kCallers_ms)) return core::Done{};
  return Failure{ENODEV, fmt::format("path {}: no backend connects", path)};
}

/// Ends the driver's wait by calling itself, if the backend does not come again.
class Caller final : public Backing {
public:
  explicit Caller(std::string path)
      : path_{std::move(path)}, thread_{[this](const std::stop_token& stop) { run(stop); }} {}
  ~Caller() override { stop(); }
  Outcome<> started(std::uint16_t /*port*/) override {
    stop();
    return core::Done{};
  }
  void stopping(std::uint16_t /*port*/) override { core::settle_interrupt_thread(); }

private:
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  void run(const std::stop_token& stop) {
    std::mutex lock;
    std::unique_lock hold{lock};
    std::condition_variable_any wake;
    (void)wake.wait_for(hold, stop, kReturn_ms, [] { return false; });
    if (!stop.stop_requested()) (void)answers(path_, SOCK_STREAM);
  }
  std::string path_;
  std::jthread thread_;
};

/// DPDK's driver takes a connection down in the interrupt thread when its peer goes, and here when
/// the port is closed; both at once free things twice.
class Settling final : public Backing {
public:
  void stopping(std::uint16_t /*port*/) override { core::settle_interrupt_thread(); }
};

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string path = r.text("path");
  if (auto done = check_socket_path("path", path); !done) return done.error();
  const auto server = r.yes_or_no("server");
  if (!server) return server.error();
  const auto queues = queues_option(r, kMaxQueues);
  if (!queues) return queues.error();
  const std::uint32_t size = r.number("queue_size");
  if (!std::has_single_bit(size) || size < 32 || size > 1024)
    return Failure{EINVAL,
                   fmt::format("queue_size {} is not a power of two from 32 to 1024", size)};
  const auto mac = mac_argument(r);
  if (!mac) return mac.error();
  if (!*server && access(path.c_str(), F_OK) != 0)
    return Failure{ENODEV, fmt::format("path {}: no backend listens there", path)};

  EthdevSpec spec;
  if (*server) {
    if (auto done = await_caller(path); !done) return done.error();
    spec.backing = std::make_unique<Caller>(path);
  } else {
    spec.backing = std::make_unique<Settling>();
  }
  spec.devargs = fmt::format("net_virtio_user_{},path={},server={},queues={},queue_size={}{}",
                             r.name(), path, *server ? 1 : 0, *queues, size, *mac);
  spec.device = path;
  spec.queues = *queues;
  spec.rx_descriptors = spec.tx_descriptors = static_cast<std::uint16_t>(size);
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = buffer_capacity(r.pool());
  spec.offloads.scatter = Scatter::Always;
  spec.offloads.rx_l4_checksum = false;  // as for virtio on PCI
  spec.offloads.link_interrupts = true;
  spec.gone_when_down = !*server;  // DPDK's driver does not call a backend again
  return spec;
}

constexpr pollux_driver kDriver = make_driver<plan>(
    "virtio_user", "the guest's end of a virtio device, for a vhost-user backend", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
