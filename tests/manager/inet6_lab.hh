// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "proto/wire/ip6_extension.hh"
#include "proto/wire/nd.hh"
#include "tests/stage/router.hh"
#include "tests/support/packet6.hh"

namespace test {
/// An ICMPv6 message that was seen on a link, and what was in front of it.
struct Heard {
  std::uint8_t type = 0;
  core::MacAddress to{};
  core::IpAddress src, dst;
  std::uint8_t hop_limit = 0;
  bool router_alert = false;
  Packet message;  ///< from its type on

  [[nodiscard]] core::IpAddress target() const { return proto::load_ip6(message, 8); }
};
/// The ICMPv6 messages among frames, in order.
[[nodiscard]] inline std::vector<Heard> messages_of(const std::vector<Packet>& frames) {
  std::vector<Heard> all;
  for (const Packet& f : frames) {
    if (f.size() < 54 || f[12] != 0x86 || f[13] != 0xdd) continue;
    const auto ip = proto::Ip6View::parse(PacketBytes{f}.subspan(14));
    const auto upper = ip ? proto::walk_extensions(*ip, 8) : proto::Ip6Refusal{};
    if (!upper || upper->protocol != 58) continue;
    Heard h;
    h.src = ip->src();
    h.dst = ip->dst();
    h.hop_limit = ip->hop_limit();
    h.router_alert = upper->router_alert;
    std::copy_n(f.begin(), 6, h.to.begin());
    const PacketBytes message = ip->packet().subspan(upper->at);
    h.message.assign(message.begin(), message.end());
    h.type = h.message.at(0);
    all.push_back(std::move(h));
  }
  return all;
}
[[nodiscard]] inline std::vector<Heard> of_type(std::vector<Heard> all, std::uint8_t type) {
  std::erase_if(all, [&](const Heard& h) { return h.type != type; });
  return all;
}

/// A message of Neighbour Discovery as the host on lan0 sends it.
struct Nd {
  std::uint8_t type = 135;
  core::IpAddress src, dst, target{};
  std::uint32_t word = 0;  ///< the four bytes behind the checksum
  Packet rest = {};        ///< options
  bool has_target = true;
  std::uint8_t hop_limit = 255;
  core::MacAddress from = Router::kHostMac;
};
/// An option that holds a MAC. @param type  1 source, 2 target.
[[nodiscard]] inline Packet mac_option(std::uint8_t type, const core::MacAddress& m) {
  Packet o{type, 1};
  o.insert(o.end(), m.begin(), m.end());
  return o;
}
[[nodiscard]] inline Packet nd_frame(const Nd& f) {
  Packet body;
  if (f.has_target) body.assign(f.target.bytes().begin(), f.target.bytes().end());
  body.insert(body.end(), f.rest.begin(), f.rest.end());
  const Packet packet = ip6_icmp({.hop_limit = f.hop_limit, .src = f.src, .dst = f.dst},
                                 {.type = f.type, .word = f.word}, body);
  const core::MacAddress to =
      proto::nd::is_multicast(f.dst) ? proto::nd::group_mac(f.dst) : Router::kLanMac;
  return ether6({.dst = to, .src = f.from}, packet);
}

/// The router of router.hh, on whose lan0 IPv6 comes to life.
class Inet6Lab : public testing::Test {
protected:
  Inet6Lab() {
    r.configure();
    must(r.manager.set_sysctl("net.inet6.ip6.forwarding", 1));
  }
  void add(const char* text, std::uint8_t length = 64) {
    must(r.manager.add_address("lan0", {addr6(text), length}));
  }
  /// What lan0 has said since the last call.
  [[nodiscard]] std::vector<Heard> heard() { return messages_of(r.lan.take_sent()); }
  [[nodiscard]] polluxd::InterfaceInfo info(const std::string& name = "lan0") const {
    for (polluxd::InterfaceInfo& i : r.manager.interfaces())
      if (i.name == name) return std::move(i);
    return {};
  }
  [[nodiscard]] std::optional<polluxd::AddressState> state(const core::IpAddress& a) const {
    for (const polluxd::AddressInfo& i : info().all_addresses)
      if (i.prefix.address == a) return i.state;
    return std::nullopt;
  }
  [[nodiscard]] bool has_group(const core::IpAddress& group) const {
    const auto groups = info().groups;
    return std::find(groups.begin(), groups.end(), group) != groups.end();
  }
  [[nodiscard]] proto::NextHopKind kind(const core::IpAddress& dst) const {
    return r.manager.get_route(dst).kind;
  }

  const core::IpAddress ours = addr6("2001:db8:1::1"), host = addr6("2001:db8:1::2");
  const core::IpAddress our_link_local = addr6("fe80::ff:fe00:10"),
                        host_link_local = addr6("fe80::2");
  Router r;
};
}  // namespace test
