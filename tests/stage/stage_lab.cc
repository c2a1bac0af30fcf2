// SPDX-License-Identifier: BSD-3-Clause
#include "tests/stage/stage_lab.hh"

#include <utility>

namespace test {
using proto::NextHopKind;

Packet Outcome::only(const std::string& burst) const {
  const auto at = to.find(burst);
  if (at == to.end() || at->second.size() != 1 || to.size() != 1) {
    ADD_FAILURE() << "not exactly one packet went to " << burst;
    return Packet(64);
  }
  return at->second[0];
}

StageLab::StageLab() {
  config.fib = fib.get();
  config.next_hops = &next_hops;
  config.groups = &groups;
  config.addresses = {{{kOurIp, 24}}, {{ip("203.0.113.1"), 24}}};
  config.sysctl.forwarding = true;
  worker.now_us = kNow_us;
  shard.ip_id = 0;  // not at random: tests compare packets
  const auto hop = [](NextHopKind kind, core::InterfaceId interface = core::kNoInterface) {
    return proto::NextHopFields{.kind = kind, .interface = interface};
  };
  proto::NextHopFields over_wan = hop(NextHopKind::Reachable, kWan);
  over_wan.mtu = 1400;
  over_wan.source = ip("203.0.113.1");
  over_wan.dst_mac = kNextMac;
  over_wan.src_mac = kWanMac;
  proto::NextHopFields over_lan = over_wan;
  over_lan.interface = kLan;
  over_lan.mtu = 1500;
  over_lan.source = kOurIp;
  over_lan.dst_mac = kPeerMac;
  over_lan.src_mac = kOurMac;
  proto::NextHopFields incomplete = over_wan;
  incomplete.kind = NextHopKind::Incomplete;
  incomplete.gateway = ip("203.0.113.6");
  proto::NextHopFields tunnel = hop(NextHopKind::Tunnel, 7);
  tunnel.mtu = 1300;
  tunnel.tunnel = 2;
  tunnel.source = kOurIp;
  add_route("192.0.2.0", 24, over_lan);
  add_route("10.1.0.0", 16, over_wan);
  add_route("10.2.0.0", 16, tunnel);
  add_route("10.3.0.0", 16, hop(NextHopKind::Blackhole));
  add_route("10.4.0.0", 16, hop(NextHopKind::Prohibited));
  add_route("10.5.0.0", 16, hop(NextHopKind::Glean, kWan));
  add_route("10.6.0.0", 16, incomplete);
  add_route("10.7.0.0", 16, hop(NextHopKind::Failed, kWan));
  add_route("10.8.0.0", 16, hop(NextHopKind::Changing));
  add_route("10.9.0.0", 16, hop(NextHopKind::Broadcast, kWan));
  add_route("198.51.100.1", 32, hop(NextHopKind::Local, kLan));
  add_route("198.51.100.255", 32, hop(NextHopKind::Broadcast, kLan));
  add_route("224.0.0.0", 4, hop(NextHopKind::Multicast));
  add_route("127.0.0.0", 8, hop(NextHopKind::Martian));
  add_route("255.255.255.255", 32, hop(NextHopKind::Broadcast));
}

StageLab::~StageLab() {
  EXPECT_EQ(pool.in_use(), 0u) << "an mbuf leaked";
}

void StageLab::add_route(const char* network, std::uint8_t length,
                         const proto::NextHopFields& fields) {
  const auto id = next_hops.allocate(fields);
  ASSERT_TRUE(id);
  ASSERT_TRUE(fib->set({ip(network), length}, *id));
}

void StageLab::collect(const std::string& name, core::Burst& burst) {
  for (rte_mbuf* m : burst.take()) went_.to[name].push_back(take_bytes(m));
}

void StageLab::collect(core::NotedBurst<proto::Icmp4Cause>& refused) {
  const auto packets = refused.take();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const proto::Icmp4Cause& c = refused.notes()[i];
    const std::string name = fmt::format("refused {} {}/{}{}", name_of(c.reason), c.type, c.code,
                                         c.mtu != 0 ? fmt::format(", MTU {}", c.mtu) : "");
    went_.to[name].push_back(take_bytes(packets[i]));
  }
}

Outcome StageLab::settle(core::Stage stage, std::uint64_t put_in) {
  core::flush_tx(worker, interfaces);
  for (MemoryPort* port : {&lan, &wan})
    for (Packet& p : port->take_sent()) went_.to["sent"].push_back(std::move(p));
  shard.hold.review([&](const proto::HeldPacket& p) {
    went_.to["held"].push_back(take_bytes(p.m));
    return true;
  });
  const Drops drops = drops_of(worker);
  for (const auto& [name, n] : drops)
    if (n != drops_before_[name]) went_.dropped[name] = n - drops_before_[name];
  went_.consumed = worker.consumed.read() - std::exchange(consumed_before_, worker.consumed.read());
  went_.originated =
      worker.originated.read() - std::exchange(originated_before_, worker.originated.read());
  drops_before_ = drops;
  core::Event e;
  while (worker.events.pop(e)) went_.events.push_back(e);

  std::uint64_t ended = sum_of(went_.dropped) + went_.consumed;
  for (const auto& [name, packets] : went_.to) ended += packets.size();
  EXPECT_EQ(ended, put_in + went_.originated) << "forwarded + dropped + held + consumed";
  EXPECT_EQ(pool.in_use(), 0u) << "an mbuf leaked";
  const std::uint64_t entered = worker.stages[static_cast<std::size_t>(stage)].packets.read();
  EXPECT_EQ(entered - std::exchange(entered_before_, entered), put_in);
  return std::exchange(went_, {});
}

void StageLab::expect_way(const StageCase& c, const Outcome& o, std::uint64_t put_in) {
  Drops dropped;
  if (c.dropped) dropped[name_of(*c.dropped)] = put_in;
  EXPECT_EQ(o.dropped, dropped);
  EXPECT_EQ(o.consumed, c.next == "consumed" ? put_in : 0);
  std::map<std::string, std::uint64_t> went, expected;
  for (const auto& [name, packets] : o.to) went[name] = packets.size();
  if (!c.dropped && c.next != "consumed") expected[c.next] = put_in;
  EXPECT_EQ(went, expected);
}
}  // namespace test
