// SPDX-License-Identifier: BSD-3-Clause
#include "tests/manager/describe.hh"

#include <fmt/format.h>

namespace test {
std::string describe(const polluxd::Manager& m) {
  std::string s;
  const auto line = [&](const char* format, const auto&... values) {
    s += fmt::format(fmt::runtime(format), values...) + '\n';
  };
  for (const auto& i : m.interfaces()) {
    line("interface {} {} id {} {} mtu {} {} {}", i.name, i.driver, i.id, i.up ? "up" : "down",
         i.mtu, i.rx_queues, i.tx_queues);
    for (const auto& a : i.addresses) line("  address {}", proto::to_string(a));
  }
  for (const auto& r : m.routes())
    line("route {} {} {} interface {} gateway {}", proto::to_string(r.prefix),
         proto::to_string(r.origin), proto::to_string(r.kind), r.interface,
         proto::to_string(r.gateway.value_or(core::IpAddress{})));
  for (const auto& n : m.neighbors())
    line("neighbor {} {} {} {}", n.interface, proto::to_string(n.address), proto::to_string(n.mac),
         proto::to_string(n.state));
  for (const auto& t : m.tunnels())
    line("tunnel {} {:x} {:x} mtu {} selectors {} out {:x}", t.spec.name, t.spec.local,
         t.spec.remote, t.spec.mtu, t.spec.selectors.size(), t.outbound_spi.value_or(0));
  for (const auto& sa : m.sas())
    line("sa {} {} {:x}", sa.info.tunnel, sa.info.direction == crypto::Direction::In ? "in" : "out",
         sa.info.spi);
  for (const auto& v : m.sysctl().list()) line("sysctl {} {}", v.name, v.value);
  for (const auto& u : m.usage()) line("usage {} {} of {}", u.table, u.used, u.limit);
  return s;
}
}  // namespace test
