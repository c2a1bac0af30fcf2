// SPDX-License-Identifier: BSD-3-Clause
// What can be asked of a started port.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "apps/polluxd/driver_object.hh"

namespace polluxd {
namespace {
using core::Errc;
using core::Error;

Error from_errno(const Driver& driver, const char* what, int error) {
  const Errc code = error == -ENOTSUP  ? Errc::Unsupported
                    : error == -ENODEV ? Errc::NotFound
                                       : Errc::DeviceFailed;
  return {code,
          fmt::format("driver {}: cannot {}: {}", driver.entry().name, what, strerror(-error))};
}
}  // namespace

void OpenPort::close() noexcept {
  if (!driver || port.port == nullptr) return;
  driver->entry().close(port.port);
  port = {};
  driver.reset();
}

core::Expected<pollux_link> OpenPort::link() const {
  pollux_link link{};
  if (const int error = driver->entry().link(port.port, &link); error != 0)
    return from_errno(*driver, "read the link", error);
  return link;
}

core::Expected<pollux_port_stats> OpenPort::stats() const {
  pollux_port_stats stats{};
  if (driver->entry().stats == nullptr) return stats;
  if (const int error = driver->entry().stats(port.port, &stats); error != 0)
    return from_errno(*driver, "read the counters", error);
  return stats;
}

namespace {
/// Why an MTU cannot be, and what would help.
std::string beyond(const pollux_port& port, std::uint32_t buffer_size, std::uint16_t mtu) {
  if ((port.capabilities & POLLUX_CAP_RX_SCATTER) != 0)
    return fmt::format("{}: MTU {} is beyond what the device carries", port.device, mtu);
  return fmt::format(
      "{}: MTU {} is beyond what the device carries in a packet buffer of {} bytes: raise "
      "limits.mbuf_size, or give mtu when the interface is created, for a device that can use "
      "several buffers",
      port.device, mtu, buffer_size);
}
}  // namespace

core::Expected<> OpenPort::set_mtu(std::uint16_t mtu) const {
  if (const int error = driver->entry().set_mtu(port.port, mtu); error != 0) {
    if (error == -EMSGSIZE) return Error{Errc::Invalid, beyond(port, buffer_size, mtu)};
    return from_errno(*driver, fmt::format("set MTU {}", mtu).c_str(), error);
  }
  return core::Done{};
}

core::Expected<> OpenPort::set_promiscuous(bool on) const {
  const char* what = on ? "enter promiscuous mode" : "leave promiscuous mode";
  if (driver->entry().set_promiscuous == nullptr) return from_errno(*driver, what, -ENOTSUP);
  if (const int error = driver->entry().set_promiscuous(port.port, on ? 1 : 0); error != 0)
    return from_errno(*driver, what, error);
  return core::Done{};
}

core::Expected<> OpenPort::set_multicast(std::span<const core::MacAddress> addresses) const {
  if ((port.capabilities & POLLUX_CAP_MULTICAST) == 0 || driver->entry().set_multicast == nullptr)
    return core::Done{};
  const auto list = std::make_unique<std::uint8_t[][6]>(addresses.size() + 1);
  for (std::size_t n = 0; n < addresses.size(); ++n)
    std::copy(addresses[n].begin(), addresses[n].end(), std::begin(list[n]));
  if (const int error = driver->entry().set_multicast(port.port, list.get(), addresses.size());
      error != 0)
    return from_errno(*driver, "set the multicast filter", error);
  return core::Done{};
}

core::Expected<std::vector<std::pair<std::string, std::uint64_t>>> OpenPort::xstats() const {
  std::vector<std::pair<std::string, std::uint64_t>> named;
  const auto read = driver->entry().xstats;
  if (read == nullptr) return named;
  std::vector<pollux_xstat> counters(256);
  int n = read(port.port, counters.data(), counters.size());
  if (n > 0 && static_cast<std::size_t>(n) > counters.size()) {
    counters.resize(static_cast<std::size_t>(n));
    n = read(port.port, counters.data(), counters.size());
  }
  if (n < 0) return from_errno(*driver, "read the counters", n);
  counters.resize(std::min(counters.size(), static_cast<std::size_t>(n)));
  for (const pollux_xstat& c : counters) named.emplace_back(c.name, c.value);
  return named;
}
}  // namespace polluxd
