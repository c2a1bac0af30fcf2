// SPDX-License-Identifier: BSD-3-Clause
// Who listens to what is addressed to us, and what goes round by lo0.
#include <fmt/format.h>

#include "apps/polluxd/manager_impl.hh"
#include "proto/ip6_scope.hh"

namespace polluxd {
using core::Errc;
using core::Error;

core::Expected<> Manager::listen_udp(proto::Listener& listener, const proto::UdpEndpoint& at) {
  if (!impl_->master.listeners.add(at, listener))
    return Error{Errc::Exists, fmt::format("UDP port {} is listened on already", at.port)};
  impl_->publish();
  return core::Done{};
}

void Manager::listen_raw(proto::Listener& listener, const proto::RawEndpoint& at) {
  impl_->master.listeners.add(at, listener);
  impl_->publish();
}

void Manager::stop_listening(proto::Listener& listener) {
  impl_->master.listeners.remove(listener);
  impl_->publish();  // on return no worker knows it
  listener.drain();
}

/// All hosts of the link: where directed broadcasts go that are forwarded there.
proto::NextHopFields Manager::Impl::broadcast_fields(core::InterfaceId id) const {
  proto::NextHopFields fields = link_fields(id, core::IpAddress{std::uint32_t{0}});
  fields.kind = proto::NextHopKind::Broadcast;
  fields.dst_mac = core::kBroadcastMac;
  return fields;
}

bool Manager::is_loopback(const core::IpAddress& a) {
  return a.is_ip4() ? proto::is_ip4_loopback(a.ip4()) : a == proto::kIp6Loopback;
}

bool Manager::Impl::is_loopback_interface(core::InterfaceId id) const {
  return managed[id].driver == "loop" && master.interfaces[id].kind != core::Interface::Kind::None;
}

bool Manager::Impl::is_loopback_address(const core::IpAddress& address) const {
  if (!is_loopback(address)) return false;
  const proto::Loopback& lo = master.ip4.loopback;
  return address.is_ip4() ? lo.ip4.length != 0 && lo.ip4.contains(address.ip4()) : lo.ip6;
}

/// The first loopback interface is what goes round by.
void Manager::Impl::load_loopback() {
  proto::Loopback loopback{
      .ip4_checksum = sysctl.value("net.inet.ip.do_loopback_cksum") != 0,
      .udp4_checksum = sysctl.value("net.inet.udp.do_loopback_cksum") != 0,
  };
  for (const core::Interface& i : master.interfaces)
    if (i.kind != core::Interface::Kind::None && is_loopback_interface(i.id)) {
      loopback.interface = i.id;
      loopback.on = i.up;
      for (const proto::IpPrefix& a : managed[i.id].addresses) {
        if (!is_loopback(a.address)) continue;
        if (!a.is_ip4())
          loopback.ip6 = true;
        else if (loopback.ip4.length == 0)
          loopback.ip4 = a.ip4();
      }
      break;
    }
  master.ip4.loopback = master.ip6.loopback = loopback;
}
}  // namespace polluxd
