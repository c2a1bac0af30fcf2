// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_local.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Ip4Local : public StageLab {
protected:
  void run(core::Burst& in) {
    proto::Ip4LocalNext next;
    proto::ip4_local(worker, in, next);
    take(next);
  }
  void take(proto::Ip4LocalNext& next) {
    collect("icmp", next.icmp);
    collect("esp", next.esp);
    collect("udp", next.udp);
    collect("raw", next.raw);
    collect("fragments", next.fragments);
  }
};

TEST_F(Ip4Local, Table) {
  const auto protocol = [](std::uint8_t p) { return ip4({.protocol = p}, pattern(40)); };
  check(Stage::Ip4Local,
        {
            {.name = "Icmp", .packet = ip4_icmp({}, {}, pattern(8)), .next = "icmp"},
            {.name = "Esp", .packet = protocol(50), .next = "esp"},
            {.name = "Udp", .packet = ip4_udp({}, {}, pattern(8)), .next = "udp"},
            {.name = "Tcp", .packet = protocol(6), .next = "raw"},
            {.name = "Ah", .packet = protocol(51), .next = "raw"},
            {.name = "Protocol255", .packet = protocol(255), .next = "raw"},
            {.name = "FirstFragment",
             .packet = ip4_icmp({.more_fragments = true}, {}, pattern(8)),
             .next = "fragments"},
            {.name = "LastFragment",
             .packet = ip4({.fragment_offset = 8, .protocol = 50}, pattern(40)),
             .next = "fragments"},
            {.name = "DontFragmentIsNoFragment",
             .packet = ip4_icmp({.dont_fragment = true}, {}, pattern(8)),
             .next = "icmp"},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(Ip4Local, BroadcastTable) {  // RFC 1122 section 3.2.2: never answered
  check(Stage::Ip4Local,
        {
            {.name = "Echo",
             .packet = ip4_icmp({}, {}, pattern(8)),
             .dropped = DropReason::Icmp4EchoToBroadcast},
            {.name = "Udp", .packet = ip4_udp({}, {}, {}), .next = "udp"},
            {.name = "Tcp", .packet = ip4({.protocol = 6}, pattern(20)), .next = "raw"},
            {.name = "Esp", .packet = ip4({.protocol = 50}, pattern(40)), .next = "raw"},
            {.name = "Fragment",
             .packet = ip4({.more_fragments = true}, pattern(40)),
             .dropped = DropReason::Ip4FragmentForUs},
        },
        [&](core::Burst& in) {
          proto::Ip4LocalNext next;
          proto::ip4_broadcast(worker, in, next);
          take(next);
        });
}
}  // namespace
