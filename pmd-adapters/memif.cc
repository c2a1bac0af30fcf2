// SPDX-License-Identifier: BSD-3-Clause
// Shared memory with another process: VPP, another Pollux, a container.
#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <memory>

#include "core/interrupt_thread.hh"
#include "pmd-adapters/driver.hh"
#include "pmd-adapters/unix_socket.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    {"socket", POLLUX_OPTION_STRING, nullptr,
     "path of the Unix socket on which the two ends meet, or @NAME for an abstract one"},
    {"role", POLLUX_OPTION_STRING, "client", "server (listens) or client (owns the memory)"},
    {"id", POLLUX_OPTION_UINT, "0", "number of the interface on the socket, the same at both ends"},
    {"bsize", POLLUX_OPTION_UINT, "2048",
     "bytes of a buffer in the shared memory, the same at both ends; a frame must fit into one"},
    {"rsize", POLLUX_OPTION_UINT, "1024", "buffers in a ring, a power of two up to 16384 (client)"},
    {"mac", POLLUX_OPTION_STRING, "", "address of this end; none: at random"},
    {"zero-copy", POLLUX_OPTION_STRING, "no",
     "yes: the client's packet buffers are the shared memory; needs hugepages"},
};

Outcome<std::string> socket_arguments(const std::string& socket) {
  if (socket.starts_with('@'))
    return fmt::format("socket={},socket-abstract=yes", socket.substr(1));
  if (auto done = check_socket_path("socket", socket); !done) return done.error();
  return fmt::format("socket={},socket-abstract=no", socket);
}

Outcome<std::string> ring_arguments(const Request& r) {
  const std::string role = r.text("role");
  if (role != "server" && role != "client")
    return Failure{EINVAL, fmt::format("role \"{}\" is neither server nor client", role)};
  const std::uint32_t ring = r.number("rsize"), buffer = r.number("bsize");
  if (!std::has_single_bit(ring) || ring < 2 || ring > 16384)
    return Failure{EINVAL, fmt::format("rsize {} is not a power of two from 2 to 16384", ring)};
  if (buffer < 64 || buffer > UINT16_MAX)
    return Failure{EINVAL, fmt::format("bsize {} is not within 64 and 65535", buffer)};
  const auto zero_copy = r.yes_or_no("zero-copy");
  if (!zero_copy) return zero_copy.error();
  // A server that is asked for zero-copy refuses to start; there it is the client's choice.
  return fmt::format("role={},id={},bsize={},rsize={},zero-copy={}", role, r.number("id"), buffer,
                     std::countr_zero(ring), role == "client" && *zero_copy ? "yes" : "no");
}

/// Keeps the socket listening for the life of the process. When the last server on a socket goes,
/// DPDK's driver (22.11) frees the listener while the interrupt thread still watches it. So there
/// is one more server, whose number nobody uses; it is never started.
Outcome<> keep_listening(const std::string& socket, const std::string& where) {
  const std::string name = fmt::format("net_memif_listen_{:x}", std::hash<std::string>{}(socket));
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0) return core::Done{};
  if (!socket.starts_with('@'))
    if (auto done = make_way_for_socket("socket", socket, SOCK_SEQPACKET); !done)
      return done.error();
  const std::string arguments = fmt::format("role=server,id={},{}", UINT32_MAX, where);
  if (rte_vdev_init(name.c_str(), arguments.c_str()) == 0) return core::Done{};
  return Failure{EADDRINUSE, fmt::format("cannot listen on {}: another process does", socket)};
}

/// DPDK's driver takes a connection down in the interrupt thread when its peer goes, and here when
/// the port is closed; both at once free things twice.
class MemifBacking final : public Backing {
public:
  void stopping(std::uint16_t /*port*/) override { core::settle_interrupt_thread(); }
};

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string socket = r.text("socket");
  const auto where = socket_arguments(socket);
  if (!where) return where.error();
  const auto ring = ring_arguments(r);
  if (!ring) return ring.error();
  const auto mac = mac_argument(r);
  if (!mac) return mac.error();

  if (r.text("role") == "server")
    if (auto done = keep_listening(socket, *where); !done) return done.error();

  EthdevSpec spec;
  spec.devargs = fmt::format("net_memif_{},{},{}{}", r.name(), *where, *ring, *mac);
  spec.device = fmt::format("{}:{}", socket, r.number("id"));
  spec.queues = r.queues();
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.backing = std::make_unique<MemifBacking>();
  spec.gone_when_down = r.text("role") == "client";  // DPDK's driver does not call a server again
  spec.frame_capacity = std::min<std::size_t>(r.number("bsize"), buffer_capacity(r.pool()));
  // A frame is copied from one buffer of the ring into as many packet buffers as it takes. It must
  // not need two of the ring: DPDK's driver (22.11) then writes beyond the free ones of a full
  // ring.
  if (r.text("zero-copy") == "no") {
    spec.offloads.scatter = Scatter::Unasked;
    spec.scatter_capacity = r.number("bsize");
    spec.larger = "raise bsize at both ends";
  }
  return spec;
}

constexpr pollux_driver kDriver =
    make_driver<plan>("memif", "shared memory with another process", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
