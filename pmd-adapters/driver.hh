// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "core/driver.h"
#include "pmd-adapters/ethdev.hh"

/// What every driver object has in common: the C entry around a C++ open().
#define POLLUX_DRIVER_EXPORT extern "C" __attribute__((visibility("default")))

namespace pmd {
/// A request as the drivers read it. polluxd has checked names and types before.
class Request {
public:
  explicit Request(const pollux_port_request& r) noexcept : r_{r} {}
  [[nodiscard]] std::string text(std::string_view option) const;
  [[nodiscard]] std::uint32_t number(std::string_view option) const;
  /// @return EINVAL: neither "yes" nor "no".
  [[nodiscard]] Outcome<bool> yes_or_no(std::string_view option) const;
  [[nodiscard]] std::string name() const { return r_.name; }
  [[nodiscard]] rte_mempool* pool() const noexcept { return r_.pool; }
  /// @param node  -1: unknown.
  [[nodiscard]] rte_mempool* pool_near(int node) const { return r_.pool_near(r_.context, node); }
  [[nodiscard]] std::uint16_t queues() const noexcept { return r_.queues; }
  [[nodiscard]] std::uint16_t mtu() const noexcept { return r_.mtu; }

private:
  const pollux_port_request& r_;
};

/// ",mac=ADDRESS" for a device's text, or nothing where the option "mac" is empty.
/// @return EINVAL: no unicast address.
Outcome<std::string> mac_argument(const Request& r);

/// The option "queues": 0 stands for one per worker. @return EINVAL: beyond `most`.
Outcome<std::uint16_t> queues_option(const Request& r, std::uint16_t most);

/// What a driver has of its own: options in, what DPDK is to open out.
using Plan = Outcome<EthdevSpec> (*)(const Request& request);

/// The body of pollux_driver::open.
int open(Plan plan, const pollux_port_request* request, pollux_port* out, char* error,
         std::size_t error_size) noexcept;

/// pollux_driver around a plan; an argument of the template, so that the C function finds it.
template <Plan plan, std::size_t n>
constexpr pollux_driver make_driver(const char* name, const char* description,
                                    const pollux_option (&options)[n],
                                    const char* interface_prefix = nullptr) {
  return {POLLUX_DRIVER_ABI,
          0,
          name,
          description,
          POLLUX_VERSION,
          options,
          n,
          [](const pollux_port_request* request, pollux_port* out, char* error,
             std::size_t error_size) { return open(plan, request, out, error, error_size); },
          [](void* port) { delete static_cast<Ethdev*>(port); },
          [](void* port, pollux_link* out) {
            auto link = static_cast<Ethdev*>(port)->link();
            if (!link) return -link.error().error;
            *out = *link;
            return 0;
          },
          [](void* port, std::uint16_t mtu) {
            auto done = static_cast<Ethdev*>(port)->set_mtu(mtu);
            return done ? 0 : -done.error().error;
          },
          [](void* port, pollux_port_stats* out) {
            auto stats = static_cast<const Ethdev*>(port)->stats();
            if (!stats) return -stats.error().error;
            *out = *stats;
            return 0;
          },
          [](void* port, int on) {
            auto done = static_cast<Ethdev*>(port)->set_promiscuous(on != 0);
            return done ? 0 : -done.error().error;
          },
          [](void* port, const std::uint8_t(*addresses)[6], std::size_t count) {
            auto done = static_cast<Ethdev*>(port)->set_multicast({addresses, count});
            return done ? 0 : -done.error().error;
          },
          [](void* port, pollux_xstat* out, std::size_t count) {
            auto written = static_cast<const Ethdev*>(port)->xstats({out, count});
            return written ? static_cast<int>(*written) : -written.error().error;
          },
          interface_prefix};
}
}  // namespace pmd
