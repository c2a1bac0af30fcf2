// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/icmp4.hh"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::Icmp4View;

/// scapy 2.5: ICMP(id=0x1234, seq=9) / b"abcdefgh".
constexpr auto kEcho = test::hex(
    "0800542d12340009"
    "6162636465666768");
/// scapy 2.5: ICMP(type=3, code=4, nexthopmtu=1400) with the packet that was too big.
constexpr auto kTooBig = test::hex(
    "0304e3d900000578"
    "4500001c0001000040118e94c0000201c6336407"
    "0035003500081338");

constexpr auto kParsed = Icmp4View::parse(kEcho);
static_assert(kParsed && kParsed->verify_checksum() && !kParsed->is_error());
static_assert(kParsed->type() == Icmp4View::kEchoRequest && kParsed->code() == 0);
static_assert(kParsed->id() == 0x1234 && kParsed->sequence() == 9);
static_assert(kParsed->checksum() == 0x542d && kParsed->body().size() == 8);

constexpr auto kError = Icmp4View::parse(kTooBig);
static_assert(kError && kError->verify_checksum() && kError->is_error());
static_assert(kError->type() == Icmp4View::kUnreachable);
static_assert(kError->code() == Icmp4View::kFragmentationNeeded && kError->mtu() == 1400);

TEST(Icmp4View, Parses) {
  EXPECT_EQ(kParsed->body()[0], 'a');
  EXPECT_EQ(kError->body().size(), 28u);
}

TEST(Icmp4View, Emits) {
  test::Packet out{kEcho.begin(), kEcho.end()};
  std::fill_n(out.begin(), 8, std::uint8_t{0xee});
  proto::emit(proto::Icmp4Fields{.type = 8, .word1 = 0x1234, .word2 = 9}, out);
  EXPECT_EQ(out, (test::Packet{kEcho.begin(), kEcho.end()}));
}

TEST(Icmp4View, RoundTripsBodiesOfEachLength) {
  for (std::size_t body = 0; body < 600; ++body) {
    test::Packet out = test::pattern(8 + body);
    proto::emit(proto::Icmp4Fields{.type = 11, .code = 1, .word1 = 0xabcd, .word2 = 0x0102}, out);
    const auto view = Icmp4View::parse(out);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->verify_checksum()) << body;
    EXPECT_EQ(view->type(), 11);
    EXPECT_EQ(view->code(), 1);
    EXPECT_EQ(view->id(), 0xabcd);
    EXPECT_EQ(view->sequence(), 0x0102);
    EXPECT_EQ(view->body().size(), body);
  }
}

TEST(Icmp4View, RejectsEachTruncation) {
  test::expect_each_truncation_refused<Icmp4View>(
      std::span{kEcho}.first(8), [](std::size_t) { return DropReason::Icmp4Truncated; });
}

/// Short of the header there is no length to be wrong: what is cut from the body shows in the
/// checksum, unless all of it were zero.
TEST(Icmp4View, SeesACutBodyByTheChecksum) {
  for (std::size_t length = 8; length < kEcho.size(); ++length) {
    const auto view = Icmp4View::parse(std::span{kEcho}.first(length));
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->verify_checksum()) << length;
  }
}

/// Unreachable, source quench, redirect, time exceeded, parameter problem (RFC 1122 section 3.2.2).
TEST(Icmp4View, KnowsTheErrors) {
  const std::vector<unsigned> errors{3, 4, 5, 11, 12};
  for (unsigned type = 0; type < 256; ++type) {
    const test::Packet p{static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
    const bool expected = std::find(errors.begin(), errors.end(), type) != errors.end();
    EXPECT_EQ(Icmp4View::parse(p)->is_error(), expected) << type;
  }
}
}  // namespace
