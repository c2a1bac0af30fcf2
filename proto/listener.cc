// SPDX-License-Identifier: BSD-3-Clause
#include "proto/listener.hh"

#include "proto/wire/ip_protocol.hh"

namespace proto {
Listener::Listener(std::size_t workers) {
  for (std::size_t n = 0; n < workers; ++n) rings_.push_back(std::make_unique<Ring>());
}

Listener::~Listener() {
  drain();
}

void Listener::drain() noexcept {
  for (const auto& ring : rings_)
    for (Delivered d; ring->pop(d);) rte_pktmbuf_free(d.m);
}

bool ListenerTable::add(const UdpEndpoint& at, Listener& listener) {
  const auto place = std::ranges::lower_bound(udp_, at, {}, &Udp::at);
  if (place != udp_.end() && place->at == at) return false;
  udp_.insert(place, {at, &listener});
  return true;
}

void ListenerTable::add(const RawEndpoint& at, Listener& listener) {
  raw_.push_back({at, &listener});
}

void ListenerTable::remove(const Listener& listener) {
  std::erase_if(udp_, [&](const Udp& u) { return u.listener == &listener; });
  std::erase_if(raw_, [&](const Raw& r) { return r.listener == &listener; });
}

Listener* ListenerTable::exactly(const UdpEndpoint& at) const noexcept {
  const auto place = std::lower_bound(udp_.begin(), udp_.end(), at,
                                      [](const Udp& u, const UdpEndpoint& e) { return u.at < e; });
  return place != udp_.end() && place->at == at ? place->listener : nullptr;
}

Listener* ListenerTable::find_udp(const UdpEndpoint& to) const noexcept {
  if (udp_.empty()) return nullptr;
  for (const std::uint16_t vrf : {to.vrf, kAnyVrf})
    for (const core::IpAddress& address : {to.address, core::IpAddress{}})
      if (Listener* l = exactly({to.port, to.ip6, vrf, address})) return l;
  return nullptr;
}

bool ListenerTable::Raw::takes(std::uint8_t protocol, bool ip6, std::uint16_t vrf,
                               std::uint8_t type) const noexcept {
  if (at.protocol != protocol || at.ip6 != ip6) return false;
  if (at.vrf != kAnyVrf && at.vrf != vrf) return false;
  const bool typed = protocol == (ip6 ? kProtocolIcmp6 : kProtocolIcmp);
  return !typed || at.types[type];
}
}  // namespace proto
