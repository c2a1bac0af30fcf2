// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip6_input.hh"

#include "tests/stage/stage_lab6.hh"

namespace {
using core::DropReason;
using core::IpAddress;
using core::Stage;
using namespace test;

class Ip6Input : public StageLab6 {
protected:
  void run(core::Burst& in) {
    proto::ScopedBurst next;
    core::NotedBurst<proto::Ip6Cause> refused;
    proto::ip6_input(worker, kWan, in, next, refused);
    for (std::size_t i = 0; i < next.size(); ++i) destinations.push_back(next.notes()[i]);
    collect("checked", next);
    collect(refused);
  }
  std::vector<IpAddress> destinations;
};

TEST_F(Ip6Input, Table) {
  const Packet body = pattern(20);
  const auto from = [&](const char* src) { return ip6({.src = addr6(src)}, body); };
  const auto to = [&](const char* dst) { return ip6({.dst = addr6(dst)}, body); };
  const auto options = [&](Packet content) {
    return ip6({.extensions = {{0, std::move(content)}}}, body);
  };
  Packet short_by_one = ip6({}, {}), cut = ip6({}, body);
  short_by_one.pop_back();
  cut.pop_back();
  using D = DropReason;
  check(
      Stage::Ip6Input,
      {
          // RFC 8200 section 3.
          {.name = "Good", .packet = ip6({}, body), .next = "checked"},
          {.name = "HeaderOnly", .packet = ip6({}, {}), .next = "checked"},
          {.name = "Padded", .packet = pad(ip6({}, {}), 46), .next = "checked"},
          {.name = "Empty", .packet = {}, .dropped = D::Ip6Truncated},
          {.name = "InsideTheHeader", .packet = short_by_one, .dropped = D::Ip6Truncated},
          {.name = "Version4", .packet = ip6({.version = 4}, body), .dropped = D::Ip6BadVersion},
          {.name = "Version0", .packet = ip6({.version = 0}, body), .dropped = D::Ip6BadVersion},
          {.name = "LengthBeyondThePacket",
           .packet = ip6({.payload_length = 21}, body),
           .dropped = D::Ip6BadLength},
          {.name = "Cut", .packet = cut, .dropped = D::Ip6BadLength},
          // RFC 4291 sections 2.5.3, 2.5.5.2 and 2.7.
          {.name = "SourceMulticast", .packet = from("ff02::1"), .dropped = D::Ip6BadSource},
          {.name = "SourceLoopback", .packet = from("::1"), .dropped = D::Ip6BadSource},
          {.name = "SourceMapped", .packet = from("::ffff:192.0.2.1"), .dropped = D::Ip6BadSource},
          {.name = "SourceUnspecified", .packet = from("::"), .next = "checked"},
          {.name = "SourceTranslated", .packet = from("64:ff9b::192.0.2.1"), .next = "checked"},
          {.name = "SourceLinkLocal", .packet = from("fe80::9"), .next = "checked"},
          {.name = "ToUnspecified", .packet = to("::"), .dropped = D::Ip6BadDestination},
          {.name = "ToLoopback", .packet = to("::1"), .dropped = D::Ip6BadDestination},
          {.name = "ToMapped", .packet = to("::ffff:192.0.2.1"), .dropped = D::Ip6BadDestination},
          {.name = "ToTranslated", .packet = to("64:ff9b::192.0.2.1"), .next = "checked"},
          {.name = "ToGroup", .packet = to("ff02::1"), .next = "checked"},
          // RFC 8200 sections 4.2 and 4.3.
          {.name = "HopByHopPadding", .packet = options({1, 4, 0, 0, 0, 0}), .next = "checked"},
          {.name = "RouterAlert", .packet = options({5, 2, 0, 0, 1, 0}), .next = "checked"},
          {.name = "OptionToSkip", .packet = options({0x1e, 4, 1, 2, 3, 4}), .next = "checked"},
          {.name = "OptionToDiscard",
           .packet = options({0x5e, 4, 1, 2, 3, 4}),
           .dropped = D::Ip6UnknownOption},
          {.name = "OptionToTell",
           .packet = options({0x9e, 4, 1, 2, 3, 4}),
           .next = "refused Ip6UnknownOption 4/2, 42"},
          {.name = "JumboPayload",  // RFC 2675 is not supported
           .packet = options({0xc2, 4, 0, 1, 0, 0}),
           .next = "refused Ip6UnknownOption 4/2, 42"},
          {.name = "OptionPastItsHeader",
           .packet = options({1, 5, 0, 0, 0, 0}),
           .dropped = D::Ip6BadOption},
          {.name = "JumboWithoutLength",
           .packet = ip6({.extensions = {{0, {0xc2, 4, 0, 1, 0, 0}}}, .payload_length = 0}, body),
           .dropped = D::Ip6BadExtension},
          {.name = "HopByHopPastThePacket",
           .packet = ip6({.extensions = {{0, {}, std::uint8_t{9}}}}, body),
           .dropped = D::Ip6BadExtension},
          {.name = "DestinationOptionsAreNotRead",
           .packet = ip6({.extensions = {{60, {0x9e, 4, 1, 2, 3, 4}}}}, body),
           .next = "checked"},
      },
      [&](core::Burst& in) { run(in); });
}

TEST_F(Ip6Input, CutsPaddingAndNotesTheScopedDestination) {  // RFC 4007
  core::Burst in;
  const Packet packet = ip6({.dst = addr6("2001:db8::77")}, {});
  in.push(pool.make(pad(packet, 46)));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Input, 1).only("checked"), packet);
  for (const char* dst : {"fe80::7", "ff02::1", "ff05::2"})
    in.push(pool.make(ip6({.dst = addr6(dst)}, {})));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Input, 3).to.at("checked").at(0), ip6({.dst = addr6("fe80::7")}, {}))
      << "the packet itself stays as it is";
  EXPECT_EQ(destinations, (std::vector{addr6("2001:db8::77"), addr6("fe80:2::7"),
                                       addr6("ff02:2::1"), addr6("ff05::2")}));
}

TEST_F(Ip6Input, TakesPacketsInSeveralSegments) {
  core::Burst in;
  const Packet packet = ip6({}, pattern(300));
  in.push(pool.make_chained(pad(packet, 350), 128));
  run(in);
  EXPECT_EQ(settle(Stage::Ip6Input, 1).only("checked"), packet);
}
}  // namespace
