// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/memory_port.hh"

#include <algorithm>
#include <utility>

namespace test {
MemoryPort::MemoryPort(PacketPool& pool, Options options)
    : pool_{pool}, tx_limit_{options.tx_limit}, queues_(options.queues) {}

void MemoryPort::push(Packet frame, std::uint16_t queue, std::uint64_t ol_flags) {
  const std::lock_guard hold{lock_};
  queues_.at(queue).arrivals.push_back({std::move(frame), ol_flags});
}

void MemoryPort::push_chained(Packet frame, std::size_t first, std::size_t others,
                              std::uint16_t queue) {
  const std::lock_guard hold{lock_};
  const std::size_t rest = others != 0 ? others : frame.size();
  queues_.at(queue).arrivals.push_back({std::move(frame), 0, first, rest});
}

std::size_t MemoryPort::chains_sent() const {
  const std::lock_guard hold{lock_};
  return chains_sent_;
}

std::size_t MemoryPort::waiting() const {
  const std::lock_guard hold{lock_};
  std::size_t n = 0;
  for (const Queue& q : queues_) n += q.arrivals.size();
  return n;
}

std::vector<Packet> MemoryPort::take_sent(std::uint16_t queue) {
  const std::lock_guard hold{lock_};
  return std::exchange(queues_.at(queue).sent, {});
}

std::size_t MemoryPort::sent() const {
  const std::lock_guard hold{lock_};
  std::size_t n = 0;
  for (const Queue& q : queues_) n += q.sent.size();
  return n;
}

void MemoryPort::set_tx_limit(std::uint16_t packets_per_call) {
  const std::lock_guard hold{lock_};
  tx_limit_ = packets_per_call;
}

core::Interface MemoryPort::make_interface(core::InterfaceId id, std::string name,
                                           core::MacAddress mac, std::uint16_t mtu,
                                           std::uint16_t workers) {
  core::Interface out;
  out.id = out.port_id = id;
  out.kind = core::Interface::Kind::Ethernet;
  out.up = true;
  out.mac = mac;
  out.mtu = mtu;
  out.port = this;
  out.rx = rx;
  out.tx = tx;
  out.name = std::move(name);
  for (std::uint16_t i = 0; i < workers; ++i) {
    const auto queue = static_cast<std::uint16_t>(i % queues_.size());
    out.tx_queues.push_back({.owner = queue, .queue = queue});
  }
  return out;
}

rte_mbuf* MemoryPort::receive(const Arrival& arrival) {
  if (arrival.first != 0)
    return pool_.try_make_chained(arrival.frame, arrival.first, arrival.others);
  rte_mbuf* m = pool_.try_make(arrival.frame);
  if (m != nullptr) m->ol_flags |= arrival.ol_flags;
  return m;
}

std::uint16_t MemoryPort::rx(void* port, std::uint16_t queue, rte_mbuf** packets, std::uint16_t n) {
  MemoryPort& self = *static_cast<MemoryPort*>(port);
  const std::lock_guard hold{self.lock_};
  std::deque<Arrival>& arrivals = self.queues_.at(queue).arrivals;
  std::uint16_t received = 0;
  while (received < n && !arrivals.empty()) {
    rte_mbuf* m = self.receive(arrivals.front());
    if (m == nullptr) break;
    packets[received++] = m;
    arrivals.pop_front();
  }
  return received;
}

std::uint16_t MemoryPort::tx(void* port, std::uint16_t queue, rte_mbuf** packets, std::uint16_t n) {
  MemoryPort& self = *static_cast<MemoryPort*>(port);
  const std::lock_guard hold{self.lock_};
  const std::uint16_t accepted = std::min(n, self.tx_limit_);
  for (rte_mbuf* m : std::span{packets, accepted}) {
    self.chains_sent_ += m->nb_segs > 1 ? 1 : 0;
    self.queues_.at(queue).sent.push_back(take_bytes(m));
  }
  return accepted;
}

core::Interface make_tunnel(core::InterfaceId id, std::string name, std::uint16_t mtu) {
  core::Interface out;
  out.id = out.port_id = id;
  out.kind = core::Interface::Kind::Tunnel;
  out.up = true;
  out.mtu = mtu;
  out.name = std::move(name);
  return out;
}
}  // namespace test
