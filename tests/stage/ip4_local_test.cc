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
    core::NotedBurst<proto::Icmp4Cause> refused;
    proto::ip4_local(worker, in, next, refused);
    collect("icmp", next.icmp);
    collect("esp", next.esp);
    collect("fragments", next.fragments);
    collect(refused);
  }
};

TEST_F(Ip4Local, Table) {
  const auto protocol = [](std::uint8_t p) { return ip4({.protocol = p}, pattern(40)); };
  check(Stage::Ip4Local,
        {
            {.name = "Icmp", .packet = ip4_icmp({}, {}, pattern(8)), .next = "icmp"},
            {.name = "Esp", .packet = protocol(50), .next = "esp"},
            {.name = "Udp", .packet = ip4_udp({}, {}, pattern(8)), .next = "refused UdpNoPort 3/3"},
            {.name = "UdpWithoutData",
             .packet = ip4_udp({}, {}, {}),
             .next = "refused UdpNoPort 3/3"},
            {.name = "UdpTruncated",
             .packet = ip4({}, pattern(7)),
             .dropped = DropReason::UdpTruncated},
            {.name = "UdpLengthBeyondThePacket",
             .packet = ip4_udp({}, {.length = 17}, pattern(8)),
             .dropped = DropReason::UdpBadLength},
            {.name = "UdpLengthBelowTheHeader",
             .packet = ip4_udp({}, {.length = 7}, pattern(8)),
             .dropped = DropReason::UdpBadLength},
            {.name = "Tcp", .packet = protocol(6), .next = "refused Ip4NoProtocol 3/2"},
            {.name = "Ah", .packet = protocol(51), .next = "refused Ip4NoProtocol 3/2"},
            {.name = "Protocol255", .packet = protocol(255), .next = "refused Ip4NoProtocol 3/2"},
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
            {.name = "Udp", .packet = ip4_udp({}, {}, {}), .dropped = DropReason::UdpNoPort},
            {.name = "Tcp",
             .packet = ip4({.protocol = 6}, pattern(20)),
             .dropped = DropReason::Ip4NoProtocol},
            {.name = "Esp",
             .packet = ip4({.protocol = 50}, pattern(40)),
             .dropped = DropReason::Ip4NoProtocol},
            {.name = "Fragment",
             .packet = ip4({.more_fragments = true}, pattern(40)),
             .dropped = DropReason::Ip4FragmentForUs},
        },
        [&](core::Burst& in) { proto::ip4_broadcast(worker, in); });
}
}  // namespace
