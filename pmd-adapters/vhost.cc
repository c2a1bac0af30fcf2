// SPDX-License-Identifier: BSD-3-Clause
// The host's end of a guest's virtio device, over a Unix socket (vhost-user).
#include <fmt/format.h>
#include <sys/socket.h>

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

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string path = r.text("iface"), role = r.text("role");
  if (role != "server" && role != "client")
    return Failure{EINVAL, fmt::format("role \"{}\" is neither server nor client", role)};
  if (auto done = check_socket_path("iface", path); !done) return done.error();
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
