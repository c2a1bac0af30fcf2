// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_forward.hh"

#include "tests/stage/stage_lab.hh"

namespace {
using core::Stage;
using namespace test;

class Ip4Forward : public StageLab {
protected:
  void run(core::Burst& in, std::uint32_t dst) {
    proto::RoutedBurst routed, out, too_big;
    core::NotedBurst<proto::Icmp4Cause> refused;
    for (rte_mbuf* m : in.take()) routed.push(m, &hop_to(dst));
    proto::ip4_forward(worker, routed, out, too_big, refused);
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out.notes()[i], &hop_to(dst));
    for (std::size_t i = 0; i < too_big.size(); ++i) EXPECT_EQ(too_big.notes()[i], &hop_to(dst));
    collect("out", out);
    collect("too_big", too_big);
    collect(refused);
  }
};

TEST_F(Ip4Forward, Table) {
  const auto sized = [](std::size_t total, const Ip4& f = {}) {
    return ip4(f, pattern(total - 20));
  };
  check(Stage::Ip4Forward,
        {
            {.name = "Ttl64", .packet = ip4({.ttl = 64}, pattern(20)), .next = "out"},
            {.name = "Ttl255", .packet = ip4({.ttl = 255}, pattern(20)), .next = "out"},
            {.name = "Ttl2", .packet = ip4({.ttl = 2}, pattern(20)), .next = "out"},
            {.name = "Ttl1",
             .packet = ip4({.ttl = 1}, pattern(20)),
             .next = "refused Ip4TtlExpired 11/0"},
            {.name = "Ttl0",
             .packet = ip4({.ttl = 0}, pattern(20)),
             .next = "refused Ip4TtlExpired 11/0"},
            {.name = "FitsExactly", .packet = sized(1400), .next = "out"},
            {.name = "FitsExactlyWithDf",
             .packet = sized(1400, {.dont_fragment = true}),
             .next = "out"},
            {.name = "OneByteTooMuch", .packet = sized(1401), .next = "too_big"},
            {.name = "OneByteTooMuchWithDf",
             .packet = sized(1401, {.dont_fragment = true}),
             .next = "refused Ip4TooBig 3/4, MTU 1400"},
            {.name = "TtlIsLookedAtFirst",
             .packet = sized(1401, {.ttl = 1}),
             .next = "refused Ip4TtlExpired 11/0"},
        },
        [&](core::Burst& in) { run(in, ip("10.1.2.3")); });
}

TEST_F(Ip4Forward, TunnelsHaveAnMtuToo) {
  check(Stage::Ip4Forward,
        {
            {.name = "Fits", .packet = ip4({}, pattern(1280)), .next = "out"},
            {.name = "TooMuch",
             .packet = ip4({.dont_fragment = true}, pattern(1281)),
             .next = "refused Ip4TooBig 3/4, MTU 1300"},
        },
        [&](core::Burst& in) { run(in, ip("10.2.2.3")); });
}

TEST_F(Ip4Forward, OnlyTtlAndChecksumChange) {
  // Identifications that bring the checksum to every edge of RFC 1624's arithmetic.
  for (unsigned id = 0; id <= 0xffff; id += 0x101) {
    Ip4 f{.tos = 0x2e, .id = static_cast<std::uint16_t>(id), .dont_fragment = true, .ttl = 9};
    core::Burst in;
    in.push(pool.make(ip4_udp(f, {}, pattern(30))));
    run(in, ip("10.1.2.3"));
    f.ttl = 8;
    ASSERT_EQ(settle(Stage::Ip4Forward, 1).only("out"), ip4_udp(f, {}, pattern(30))) << id;
  }
}

TEST_F(Ip4Forward, RefusedPacketsAreUnchanged) {
  const Packet packet = ip4({.ttl = 1}, pattern(30));
  core::Burst in;
  in.push(pool.make(packet));
  run(in, ip("10.1.2.3"));
  EXPECT_EQ(settle(Stage::Ip4Forward, 1).only("refused Ip4TtlExpired 11/0"), packet);
}

/// RFC 1812 sections 5.2.4.3 and 5.2.4.4; our address on wan0 is 203.0.113.1.
TEST_F(Ip4Forward, WritesIntoOptions) {
  const std::uint32_t stamp = static_cast<std::uint32_t>(kNow_us / 1000) | 0x80000000;
  const auto byte = [&](int n) { return static_cast<std::uint8_t>(stamp >> 8 * n); };
  struct Line {
    const char* name;
    Packet options, after;
  };
  const Line lines[] = {
      {"RecordRoute", {7, 7, 4, 0, 0, 0, 0, 0}, {7, 7, 8, 203, 0, 113, 1, 0}},
      {"RecordRouteFull", {7, 7, 8, 1, 2, 3, 4, 0}, {7, 7, 8, 1, 2, 3, 4, 0}},
      {"Timestamp", {68, 8, 5, 0, 0, 0, 0, 0}, {68, 8, 9, 0, byte(3), byte(2), byte(1), byte(0)}},
      {"TimestampAndAddress",
       {68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0},
       {68, 12, 13, 1, 203, 0, 113, 1, byte(3), byte(2), byte(1), byte(0)}},
      {"TimestampOfAnother",
       {68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0},
       {68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0}},
      {"TimestampOverflow", {68, 8, 9, 0x10, 1, 1, 1, 1}, {68, 8, 9, 0x20, 1, 1, 1, 1}},
      {"RouterAlert", {148, 4, 0, 0}, {148, 4, 0, 0}},
  };
  for (const Line& l : lines) {
    SCOPED_TRACE(l.name);
    core::Burst in;
    in.push(pool.make(ip4({.ttl = 9, .options = l.options}, pattern(8))));
    run(in, ip("10.1.2.3"));
    EXPECT_EQ(settle(Stage::Ip4Forward, 1).only("out"),
              ip4({.ttl = 8, .options = l.after}, pattern(8)));
  }
}
}  // namespace
