// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_input.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::DropReason;
using core::Stage;
using namespace test;

class Ip4Input : public StageLab {
protected:
  void run(core::Burst& in, proto::Ip4InputRules rules = {}) {
    core::NotedBurst<std::uint32_t> next;
    core::NotedBurst<proto::Icmp4Cause> refused;
    proto::ip4_input(worker, rules, in, next, refused);
    for (std::size_t i = 0; i < next.size(); ++i) destinations.push_back(next.notes()[i]);
    collect("checked", next);
    collect(refused);
  }
  std::vector<std::uint32_t> destinations;
};

TEST_F(Ip4Input, Table) {
  const Packet body = pattern(20);
  const auto from = [&](const char* src) { return ip4({.src = ip(src)}, body); };
  const auto with = [&](Packet options) { return ip4({.options = std::move(options)}, body); };
  Packet short_by_one = ip4({}, {});
  short_by_one.pop_back();
  Packet cut = ip4({}, body);
  cut.pop_back();
  check(
      Stage::Ip4Input,
      {
          {.name = "Good", .packet = ip4({}, body), .next = "checked"},
          {.name = "HeaderOnly", .packet = ip4({}, {}), .next = "checked"},
          {.name = "Padded", .packet = pad(ip4({}, body), 46), .next = "checked"},
          {.name = "Empty", .packet = {}, .dropped = DropReason::Ip4Truncated},
          {.name = "InsideTheHeader", .packet = short_by_one, .dropped = DropReason::Ip4Truncated},
          {.name = "Version6",
           .packet = ip4({.version = 6}, body),
           .dropped = DropReason::Ip4BadVersion},
          {.name = "Version0",
           .packet = ip4({.version = 0}, body),
           .dropped = DropReason::Ip4BadVersion},
          {.name = "IhlBelow5", .packet = ip4({.ihl = 4}, body), .dropped = DropReason::Ip4BadIhl},
          {.name = "IhlPastTotalLength",
           .packet = ip4({.ihl = 15}, body),
           .dropped = DropReason::Ip4BadIhl},
          {.name = "TotalLengthBelowHeader",
           .packet = ip4({.total_length = 19}, body),
           .dropped = DropReason::Ip4BadIhl},
          {.name = "TotalLengthBeyondThePacket",
           .packet = ip4({.total_length = 41}, body),
           .dropped = DropReason::Ip4BadLength},
          {.name = "Cut", .packet = cut, .dropped = DropReason::Ip4BadLength},
          {.name = "Checksum",
           .packet = ip4({.checksum = 0x1234}, body),
           .dropped = DropReason::Ip4BadChecksum},
          {.name = "SourceZero", .packet = from("0.0.0.0"), .dropped = DropReason::Ip4BadSource},
          {.name = "SourceThisNetwork",
           .packet = from("0.255.255.255"),
           .dropped = DropReason::Ip4BadSource},
          {.name = "SourceJustAbove", .packet = from("1.0.0.0"), .next = "checked"},
          {.name = "SourceLoopback",
           .packet = from("127.0.0.1"),
           .dropped = DropReason::Ip4BadSource},
          {.name = "SourceBesideLoopback", .packet = from("128.0.0.1"), .next = "checked"},
          {.name = "SourceLastUnicast", .packet = from("223.255.255.255"), .next = "checked"},
          {.name = "SourceMulticast",
           .packet = from("224.0.0.1"),
           .dropped = DropReason::Ip4BadSource},
          {.name = "SourceReserved",
           .packet = from("240.0.0.1"),
           .dropped = DropReason::Ip4BadSource},
          {.name = "SourceBroadcast",
           .packet = from("255.255.255.255"),
           .dropped = DropReason::Ip4BadSource},
          {.name = "OptionsNop", .packet = with({1, 1, 1, 1}), .next = "checked"},
          {.name = "OptionsRecordRoute", .packet = with({7, 7, 4, 0, 0, 0, 0}), .next = "checked"},
          {.name = "OptionsBehindTheEndAreNotRead",
           .packet = with({0, 131, 1, 1}),
           .next = "checked"},
          {.name = "OptionsUnknown", .packet = with({94, 4, 1, 2}), .next = "checked"},
          {.name = "LooseSourceRoute",
           .packet = with({131, 7, 4, 10, 0, 0, 1}),
           .dropped = DropReason::Ip4SourceRoute},
          {.name = "StrictSourceRouteBehindNop",
           .packet = with({1, 137, 7, 4, 10, 0, 0, 1}),
           .dropped = DropReason::Ip4SourceRoute},
          {.name = "RecordRouteFull", .packet = with({7, 7, 8, 1, 2, 3, 4, 0}), .next = "checked"},
          {.name = "RouterAlert", .packet = with({148, 4, 0, 0}), .next = "checked"},  // RFC 2113
          {.name = "TimestampOverflowing",
           .packet = with({68, 8, 9, 0xe0, 0, 0, 0, 0}),
           .next = "checked"},
          // What is wrong, and the byte of the header: RFC 792 page 8, RFC 1812 section 4.3.3.5.
          {.name = "OptionLengthPastTheHeader",
           .packet = with({7, 5, 4, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 21"},
          {.name = "OptionLengthZero",
           .packet = with({7, 0, 4, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 21"},
          {.name = "OptionLengthOne",
           .packet = with({7, 1, 4, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 21"},
          {.name = "OptionWithoutLength",
           .packet = with({1, 1, 1, 7}),
           .next = "refused Ip4BadOption 12/0, MTU 23"},
          {.name = "RecordRoutePointerTooSmall",
           .packet = with({7, 7, 3, 0, 0, 0, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 22"},
          {.name = "RecordRouteHalfAnAddress",
           .packet = with({7, 6, 4, 0, 0, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 22"},
          {.name = "TimestampFlag2",
           .packet = with({68, 8, 5, 2, 0, 0, 0, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 23"},
          {.name = "TimestampOverflowFull",
           .packet = with({68, 8, 9, 0xf0, 0, 0, 0, 0}),
           .next = "refused Ip4BadOption 12/0, MTU 23"},
      },
      [&](core::Burst& in) { run(in); });
}

TEST_F(Ip4Input, OptionsByRule) {
  const Packet good = ip4({.options = {148, 4, 0, 0}}, {}),
               bad = ip4({.options = {7, 0, 4, 0}}, {});
  check(Stage::Ip4Input,
        {{.name = "Good", .packet = good, .dropped = DropReason::Ip4OptionsRefused},
         {.name = "None", .packet = ip4({}, {}), .next = "checked"}},
        [&](core::Burst& in) { run(in, {.accept_options = false}); });
  check(Stage::Ip4Input,
        {{.name = "Bad", .packet = bad, .dropped = DropReason::Ip4BadOption},
         {.name = "TimestampPointer",
          .packet = ip4({.options = {68, 8, 4, 0, 0, 0, 0, 0}}, {}),
          .dropped = DropReason::Ip4BadOption},
         {.name = "Good", .packet = good, .next = "checked"}},
        [&](core::Burst& in) { run(in, {.link_group = true}); });
}

TEST_F(Ip4Input, CutsPaddingAndNotesTheDestination) {
  core::Burst in;
  const Packet packet = ip4({.dst = ip("10.1.2.3")}, pattern(6));
  in.push(pool.make(pad(packet, 46)));
  run(in);
  EXPECT_EQ(settle(Stage::Ip4Input, 1).only("checked"), packet);
  EXPECT_EQ(destinations, std::vector{ip("10.1.2.3")});
}

TEST_F(Ip4Input, TheDevicesVerdictCountsWhereItIsTrusted) {
  struct Verdict {
    const char* name;
    bool right, trust;
    std::uint64_t flags;
    bool passes;
  };
  for (const Verdict& v : {
           Verdict{"SaidGoodIsNotLookedAt", false, true, RTE_MBUF_F_RX_IP_CKSUM_GOOD, true},
           Verdict{"SaidBad", true, true, RTE_MBUF_F_RX_IP_CKSUM_BAD, false},
           Verdict{"UnknownIsVerifiedGood", true, true, RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, true},
           Verdict{"UnknownIsVerifiedBad", false, true, RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN, false},
           Verdict{"NoneIsVerifiedBad", false, true, RTE_MBUF_F_RX_IP_CKSUM_NONE, false},
           Verdict{"NotTrustedGood", false, false, RTE_MBUF_F_RX_IP_CKSUM_GOOD, false},
           Verdict{"NotTrustedBad", true, false, RTE_MBUF_F_RX_IP_CKSUM_BAD, true},
       }) {
    SCOPED_TRACE(v.name);
    Ip4 header;
    if (!v.right) header.checksum = 0x1234;
    core::Burst in;
    in.push(pool.make(ip4(header, pattern(20))));
    in.packets()[0]->ol_flags |= v.flags;
    run(in, {.trust_checksum = v.trust});
    const Outcome o = settle(Stage::Ip4Input, 1);
    EXPECT_EQ(o.dropped, v.passes ? Drops{} : (Drops{{"Ip4BadChecksum", 1}}));
  }
}
}  // namespace
