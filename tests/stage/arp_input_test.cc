// SPDX-License-Identifier: BSD-3-Clause
#include "proto/arp_input.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::EventKind;
using core::Stage;
using namespace test;

class ArpInput : public StageLab {
protected:
  static constexpr std::uint32_t kNeighborIp = kOurIp + 8;
  /// ARP packets of a host on lan0; the buffer has its Ethernet header in front, as received.
  static Arp from_neighbor() { return {.sender_ip = kNeighborIp}; }
  void run(core::Burst& in) { proto::arp_input(worker, interfaces, config, interfaces[kLan], in); }
  Outcome put(const Arp& a) {
    core::Burst in;
    in.push(pool.make(arp(a)));
    run(in);
    return settle(Stage::ArpInput, 1);
  }
};

TEST_F(ArpInput, Table) {
  const auto with = [](auto&& change) {
    Arp a = from_neighbor();
    change(a);
    return arp(a);
  };
  Packet truncated = arp(from_neighbor());
  truncated.pop_back();
  check(Stage::ArpInput,
        {
            {.name = "RequestForUs", .packet = arp(from_neighbor()), .next = "sent"},
            {.name = "Probe", .packet = with([](Arp& a) { a.sender_ip = 0; }), .next = "sent"},
            {.name = "RequestForAnother",
             .packet = with([](Arp& a) { a.target_ip = kOurIp + 9; }),
             .dropped = DropReason::ArpNotForUs},
            {.name = "RequestForOurOtherLink",
             .packet = with([](Arp& a) { a.target_ip = ip("203.0.113.1"); }),
             .dropped = DropReason::ArpNotForUs},
            {.name = "Reply", .packet = with([](Arp& a) { a.operation = 2; }), .next = "consumed"},
            {.name = "GratuitousRequest",
             .packet = with([](Arp& a) { a.target_ip = kNeighborIp; }),
             .next = "consumed"},
            {.name = "GratuitousReply",
             .packet = with([](Arp& a) {
               a.operation = 2;
               a.target_ip = kNeighborIp;
             }),
             .next = "consumed"},
            {.name = "Conflict",
             .packet = with([](Arp& a) { a.sender_ip = kOurIp; }),
             .dropped = DropReason::ArpConflict},
            {.name = "ForeignSender",
             .packet = with([](Arp& a) { a.sender_ip = ip("10.9.9.9"); }),
             .dropped = DropReason::ArpForeignSender},
            {.name = "ForeignReply",
             .packet = with([](Arp& a) {
               a.operation = 2;
               a.sender_ip = ip("10.9.9.9");
             }),
             .dropped = DropReason::ArpForeignSender},
            {.name = "GroupSender",
             .packet = with([](Arp& a) { a.sender_mac = core::kBroadcastMac; }),
             .dropped = DropReason::ArpBadSender},
            {.name = "ZeroSender",
             .packet = with([](Arp& a) { a.sender_mac = {}; }),
             .dropped = DropReason::ArpBadSender},
            {.name = "Truncated", .packet = truncated, .dropped = DropReason::ArpTruncated},
            {.name = "HardwareType",
             .packet = with([](Arp& a) { a.hardware_type = 6; }),
             .dropped = DropReason::ArpBadHardware},
            {.name = "HardwareLength",
             .packet = with([](Arp& a) { a.hardware_len = 8; }),
             .dropped = DropReason::ArpBadHardware},
            {.name = "ProtocolType",
             .packet = with([](Arp& a) { a.protocol_type = 0x86dd; }),
             .dropped = DropReason::ArpBadProtocol},
            {.name = "ProtocolLength",
             .packet = with([](Arp& a) { a.protocol_len = 16; }),
             .dropped = DropReason::ArpBadProtocol},
            {.name = "ReverseRequest",
             .packet = with([](Arp& a) { a.operation = 3; }),
             .dropped = DropReason::ArpBadOperation},
            {.name = "OperationZero",
             .packet = with([](Arp& a) { a.operation = 0; }),
             .dropped = DropReason::ArpBadOperation},
        },
        [&](core::Burst& in) { run(in); });
}

TEST_F(ArpInput, AnswersWhoAsksAndLearnsTheirAddress) {
  const Outcome o = put(from_neighbor());
  EXPECT_EQ(o.only("sent"), ether({.dst = kPeerMac, .src = kOurMac, .type = 0x0806},
                                  arp({.operation = 2,
                                       .sender_mac = kOurMac,
                                       .sender_ip = kOurIp,
                                       .target_mac = kPeerMac,
                                       .target_ip = kNeighborIp})));
  ASSERT_EQ(o.events.size(), 1u);
  EXPECT_EQ(o.events[0].kind, EventKind::NeighborSeen);
  EXPECT_TRUE(o.events[0].may_create);
  EXPECT_EQ(o.events[0].interface, kLan);
  EXPECT_EQ(o.events[0].address, kNeighborIp);
  EXPECT_EQ(o.events[0].mac, kPeerMac);
  EXPECT_EQ(o.events[0].at_us, kNow_us);
}

TEST_F(ArpInput, PaddingIsNotSentBack) {
  core::Burst in;
  in.push(pool.make(pad(arp(from_neighbor()), 46)));
  run(in);
  EXPECT_EQ(settle(Stage::ArpInput, 1).only("sent").size(), 42u);
}

TEST_F(ArpInput, ProbeOfAnotherAddressSaysNothing) {  // RFC 5227 section 1.1
  Arp probe = from_neighbor();
  probe.sender_ip = 0;
  probe.target_ip = kOurIp + 9;
  EXPECT_TRUE(put(probe).events.empty());
}

TEST_F(ArpInput, ProbeIsAnsweredAndNothingLearnt) {  // RFC 5227 section 1.1
  Arp probe = from_neighbor();
  probe.sender_ip = 0;
  const Outcome o = put(probe);
  EXPECT_EQ(o.to.at("sent").size(), 1u);
  EXPECT_TRUE(o.events.empty());
}

TEST_F(ArpInput, WhatWasNotAskedForMayOnlyUpdate) {  // RFC 826, merge flag
  Arp reply = from_neighbor();
  reply.operation = 2;
  Arp gratuitous = from_neighbor();
  gratuitous.target_ip = kNeighborIp;
  Arp for_another = from_neighbor();
  for_another.target_ip = kOurIp + 9;
  for (const Arp& a : {reply, gratuitous, for_another}) {
    const Outcome o = put(a);
    ASSERT_EQ(o.events.size(), 1u);
    EXPECT_EQ(o.events[0].kind, EventKind::NeighborSeen);
    EXPECT_FALSE(o.events[0].may_create);
  }
}

TEST_F(ArpInput, ConflictIsReportedAndNotLearnt) {  // RFC 5227 section 2.4
  Arp conflict = from_neighbor();
  conflict.sender_ip = kOurIp;
  const Outcome o = put(conflict);
  ASSERT_EQ(o.events.size(), 1u);
  EXPECT_EQ(o.events[0].kind, EventKind::AddressConflict);
  EXPECT_EQ(o.events[0].address, kOurIp);
  EXPECT_EQ(o.events[0].mac, kPeerMac);
}

TEST_F(ArpInput, LostEventsAreCounted) {
  Arp reply = from_neighbor();
  reply.operation = 2;
  std::uint64_t put_in = 0;
  while (worker.events_lost.read() == 0) {
    core::Burst in;
    in.push(pool.make(arp(reply)));
    run(in);
    ++put_in;
  }
  const Outcome o = settle(Stage::ArpInput, put_in);
  EXPECT_EQ(o.events.size(), put_in - 1);
}
}  // namespace
