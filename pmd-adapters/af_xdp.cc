// SPDX-License-Identifier: BSD-3-Clause
// A kernel interface through AF_XDP sockets: the kernel writes into packet buffers.
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/packet_pool.hh"
#include "pmd-adapters/descriptor_ledger.hh"
#include "pmd-adapters/driver.hh"
#include "pmd-adapters/xdp_pool.hh"
#include "pmd-adapters/xdp_program.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    {"iface", POLLUX_OPTION_STRING, nullptr, "interface of the kernel"},
    {"start_queue", POLLUX_OPTION_UINT, "0", "first of the interface's queues"},
    {"queue_count", POLLUX_OPTION_UINT, "0",
     "queues; 0: one per worker, as far as the interface has them"},
    {"force_copy", POLLUX_OPTION_UINT, "0", "1: copy even where the device could do without"},
    {"busy_budget", POLLUX_OPTION_UINT, "64",
     "packets that a poll lets the kernel's driver take in; 0: the kernel's driver runs by itself"},
};

/// The port's own buffers and whatever else AF_XDP leaves behind.
class XdpBacking final : public Backing {
public:
  XdpBacking(std::unique_ptr<XdpPool> pool) : pool_{std::move(pool)} {}
  Outcome<> started(std::uint16_t /*port*/) override {
    descriptors_.note();
    return core::Done{};
  }
  void stopping(std::uint16_t port) override {
    pool_->drain(port);
    descriptors_.resume();
  }

private:
  std::unique_ptr<XdpPool>
      pool_;  // goes last: until the sockets are closed the kernel writes to it
  DescriptorLedger descriptors_;
};

Outcome<std::uint16_t> plan_queues(const Request& r, const KernelInterface& interface) {
  const std::uint32_t first = r.number("start_queue"), asked = r.number("queue_count");
  const std::uint32_t there = interface.channels();
  if (first >= there)
    return Failure{EINVAL, fmt::format("start_queue {}: '{}' has queues 0 to {}", first,
                                       interface.name(), there - 1)};
  if (asked > there - first)
    return Failure{EINVAL, fmt::format("queue_count {}: '{}' has {} from queue {} on", asked,
                                       interface.name(), there - first, first)};
  return static_cast<std::uint16_t>(
      asked != 0 ? asked : std::min<std::uint32_t>(r.queues(), there - first));
}

Outcome<> check_kernel() {
  const int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    const int error = errno;
    return Failure{error, fmt::format("this kernel gives no AF_XDP socket: {}", strerror(error))};
  }
  close(fd);
  return core::Done{};
}

Outcome<EthdevSpec> plan(const Request& r) {
  if (r.number("force_copy") > 1) return Failure{EINVAL, "force_copy is neither 0 nor 1"};
  if (r.number("busy_budget") > UINT16_MAX) return Failure{EINVAL, "busy_budget is beyond 65535"};
  if (auto done = check_kernel(); !done) return done.error();
  auto interface = KernelInterface::take(r.text("iface"));
  if (!interface) return interface.error();
  const auto queues = plan_queues(r, *interface);
  if (!queues) return queues.error();
  // They tell of every way that they try to attach the program, also where one succeeds.
  (void)libxdp_set_print(nullptr);
  (void)libbpf_set_print(nullptr);
  if (auto done = make_way_for_program(*interface); !done) return done.error();
  auto pool = XdpPool::create(r.name(), *queues, r.mtu() != 0 ? r.mtu() : interface->mtu());
  if (!pool) return pool.error();
  // Before the program is attached: the kernel judges by the MTU whether it can be.
  if (r.mtu() != 0)
    if (auto done = interface->set_mtu(r.mtu()); !done) return done.error();

  EthdevSpec spec;
  spec.devargs =
      fmt::format("{},iface={},start_queue={},queue_count={},force_copy={},busy_budget={}",
                  XdpPool::device_name(r.name()), interface->name(), r.number("start_queue"),
                  *queues, r.number("force_copy"), r.number("busy_budget"));
  spec.device = interface->name();
  spec.queues = *queues;
  spec.mtu = r.mtu();
  spec.pool = (*pool)->get();
  // The kernel keeps its own headroom behind the mbuf's.
  spec.frame_capacity = buffer_capacity(spec.pool) - XDP_PACKET_HEADROOM;
  spec.interface.emplace(std::move(*interface));
  // The kernel lets the queue of a closed socket go later, when a busy machine has time for it.
  spec.patience = std::chrono::seconds{3};
  spec.backing = std::make_unique<XdpBacking>(std::move(*pool));
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("af_xdp", "a kernel interface through AF_XDP sockets", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
