// SPDX-License-Identifier: BSD-3-Clause
#include "tests/stage/stage_lab6.hh"

namespace test {
using proto::NextHopKind;

StageLab6::StageLab6() {
  config6.fib = fib6.get();
  config6.next_hops = &next_hops;
  config6.groups = &groups;
  config6.addresses = {{{{addr6("fe80::1"), 64}}, {{kOurIp6, 64}}},
                       {{{addr6("fe80::1"), 64}}, {{addr6("2001:db8:9::1"), 64}}}};
  config6.router = {true, true};
  config6.sysctl.forwarding = true;
  const auto hop = [](NextHopKind kind, core::InterfaceId interface = core::kNoInterface) {
    proto::NextHopFields f;
    f.kind = kind;
    f.interface = interface;
    f.ether_type = proto::kEtherTypeIp6;
    return f;
  };
  proto::NextHopFields over_wan = hop(NextHopKind::Reachable, kWan);
  over_wan.mtu = 1400;
  over_wan.source = addr6("2001:db8:9::1");
  over_wan.dst_mac = kNextMac;
  over_wan.src_mac = kWanMac;
  proto::NextHopFields over_lan = over_wan;
  over_lan.interface = kLan;
  over_lan.mtu = 1500;
  over_lan.source = kOurIp6;
  over_lan.dst_mac = kPeerMac;
  over_lan.src_mac = kOurMac;
  proto::NextHopFields incomplete = over_wan;
  incomplete.kind = NextHopKind::Incomplete;
  incomplete.gateway = addr6("2001:db8:9::6");
  proto::NextHopFields by_link_local = over_wan;
  by_link_local.gateway = proto::scoped(addr6("fe80::2"), kWan);
  by_link_local.source = proto::scoped(addr6("fe80::1"), kWan);
  proto::NextHopFields link_local = over_lan;
  link_local.source = addr6("fe80::1");

  add_route6("2001:db8:1::2", 128, over_lan);
  add_route6("fe80::2", 128, link_local, kLan);
  add_route6("fe80::2", 128, by_link_local, kWan);
  add_route6("fe80::", 64, hop(NextHopKind::Glean, kLan), kLan);
  add_route6("fe80::", 64, hop(NextHopKind::Glean, kWan), kWan);
  add_route6("fe80::1", 128, hop(NextHopKind::Local, kLan), kLan);
  add_route6("2001:db8:1::1", 128, hop(NextHopKind::Local, kLan));
  add_route6("2001:db8:a1::", 48, over_wan);
  add_route6("2001:db8:a2::", 48, hop(NextHopKind::Tunnel));
  add_route6("2001:db8:a3::", 48, hop(NextHopKind::Blackhole));
  add_route6("2001:db8:a4::", 48, hop(NextHopKind::Prohibited));
  add_route6("2001:db8:a5::", 48, hop(NextHopKind::Glean, kWan));
  add_route6("2001:db8:a6::", 48, incomplete);
  add_route6("2001:db8:a7::", 48, hop(NextHopKind::Failed, kWan));
  add_route6("2001:db8:a8::", 48, hop(NextHopKind::Changing));
  add_route6("2001:db8:a9::", 48, by_link_local);
  add_route6("ff02::1", 128, hop(NextHopKind::Local, kLan), kLan);
  add_route6("ff00::", 8, hop(NextHopKind::Multicast));
  add_route6("::", 128, hop(NextHopKind::Martian));
  add_route6("::1", 128, hop(NextHopKind::Martian));
  add_route6("fe80::", 10, hop(NextHopKind::Martian));
}

void StageLab6::add_route6(const char* network, std::uint8_t length,
                           const proto::NextHopFields& fields, core::InterfaceId link) {
  const auto id = next_hops.allocate(fields);
  ASSERT_TRUE(id);
  core::IpAddress address = addr6(network);
  if (link != core::kNoInterface) address = proto::scoped(address, link);
  ASSERT_TRUE(fib6->set({address, length}, *id));
}

void StageLab6::collect(core::NotedBurst<proto::Ip6Cause>& refused) {
  const auto packets = refused.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const proto::Ip6Cause& c = refused.notes()[i];
    core::Burst one;
    one.push(packets[i]);
    collect(fmt::format("refused {} {}/{}{}", name_of(c.reason), c.type, c.code,
                        c.value != 0 ? fmt::format(", {}", c.value) : ""),
            one);
  }
}
}  // namespace test
