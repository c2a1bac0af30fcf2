// SPDX-License-Identifier: BSD-3-Clause
#include "proto/wire/esp.hh"

#include <gtest/gtest.h>

#include "tests/support/hex.hh"
#include "tests/support/view_laws.hh"

namespace {
using core::DropReason;
using proto::EspTrailerView;
using proto::EspView;

/// draft-mcgrew-gcm-test-01, the first case: SPI 0x4321, the low half of the extended sequence
/// number is zero, IV, 72 bytes of ciphertext, ICV.
constexpr auto kPacket = test::hex(
    "0000432100000000"
    "4956ed7e3b244cfe"
    "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1"
    "f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732"
    "459018148f6cbe722fd04796562dfdb4");
constexpr auto kParsed = EspView::parse(kPacket);
static_assert(kParsed && kParsed->spi() == 0x4321 && kParsed->sequence() == 0);
static_assert(kParsed->aad().size() == 8 && kParsed->iv().size() == 8);
static_assert(kParsed->ciphertext().size() == 72 && kParsed->icv().size() == 16);
static_assert(kParsed->iv()[0] == 0x49 && kParsed->ciphertext()[0] == 0xfe);
static_assert(kParsed->ciphertext()[71] == 0x32 && kParsed->icv()[0] == 0x45);

TEST(EspView, Parses) {
  EXPECT_EQ(kParsed->aad().data(), kPacket.data());
  EXPECT_EQ(kParsed->icv().data() + 16, kPacket.data() + kPacket.size());
}

TEST(EspView, Emits) {
  test::Packet out(8, 0xee);
  proto::emit(proto::EspFields{.spi = 0x4321, .sequence = 0}, out);
  EXPECT_EQ(out, (test::Packet{kPacket.begin(), kPacket.begin() + 8}));
}

TEST(EspView, RoundTrips) {
  test::Packet out(36);
  proto::emit(proto::EspFields{.spi = 0xfedcba98, .sequence = 0xffffffff}, out);
  const auto view = EspView::parse(out);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->spi(), 0xfedcba98);
  EXPECT_EQ(view->sequence(), 0xffffffff);
  EXPECT_EQ(view->ciphertext().size(), 4u);
}

/// The least that can hold a pad length and a next header is one word of ciphertext. Beyond it a
/// cut of whole words is still a packet, of which the ICV will not hold.
TEST(EspView, RejectsEachTruncation) {
  for (std::size_t length = 0; length < kPacket.size(); ++length) {
    const auto why = test::refusal<EspView>(std::span{kPacket}.first(length));
    if (length < 36)
      EXPECT_EQ(why, DropReason::EspTruncated) << length;
    else if (length % 4 != 0)
      EXPECT_EQ(why, DropReason::EspBadLength) << length;
    else
      EXPECT_EQ(why, std::nullopt) << length;
  }
}

TEST(EspView, RejectsEachBadLength) {
  for (std::size_t more = 0; more < 64; ++more) {
    const auto why = test::refusal<EspView>(test::pattern(36 + more));
    EXPECT_EQ(why, more % 4 == 0 ? std::nullopt : std::optional{DropReason::EspBadLength}) << more;
  }
}

// ---- the trailer (RFC 4303 section 2.4) ----

constexpr auto kPlain = test::hex(
    "aabbccdd"
    "0102"
    "02"
    "04");
constexpr auto kTrailer = EspTrailerView::parse(kPlain);
static_assert(kTrailer && kTrailer->payload().size() == 4 && kTrailer->next_header() == 4);

TEST(EspTrailerView, Parses) {
  EXPECT_EQ(kTrailer->payload().data(), kPlain.data());
}

TEST(EspTrailerView, ParsesWithoutPadding) {
  const test::Packet p = test::from_hex("aabb 00 04");
  const auto view = EspTrailerView::parse(p);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->payload().size(), 2u);
}

TEST(EspTrailerView, ParsesPaddingAlone) {
  const test::Packet p = test::from_hex("0102 02 3b");
  const auto view = EspTrailerView::parse(p);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->payload().empty());
  EXPECT_EQ(view->next_header(), 59);
}

TEST(EspTrailerView, RoundTripsEachPadLength) {
  for (std::size_t pad = 0; pad < 256; ++pad) {
    test::Packet p = test::pattern(40 + pad + 2);
    proto::emit_esp_trailer(std::span{p}.subspan(40), 4);
    const auto view = EspTrailerView::parse(p);
    ASSERT_TRUE(view) << pad;
    EXPECT_EQ(view->payload().size(), 40u);
    EXPECT_EQ(view->next_header(), 4);
  }
}

TEST(EspTrailerView, RejectsEachTruncation) {
  EXPECT_EQ(test::refusal<EspTrailerView>({}), DropReason::EspBadPadding);
  EXPECT_EQ(test::refusal<EspTrailerView>(test::from_hex("04")), DropReason::EspBadPadding);
}

TEST(EspTrailerView, RejectsEachBadLength) {
  for (unsigned pad = 0; pad < 256; ++pad) {
    test::Packet p = test::from_hex("aabbccdd 0102030405060708 08 04");
    p[12] = static_cast<std::uint8_t>(pad);
    const auto why = test::refusal<EspTrailerView>(p);
    // Eight is right and none is allowed; what is between would begin at another number than 1.
    EXPECT_EQ(why, pad == 0 || pad == 8 ? std::nullopt : std::optional{DropReason::EspBadPadding})
        << pad;
  }
}

/// Bytes in front of the plaintext may look like padding: the IV stands there.
TEST(EspTrailerView, CountsNoPaddingBeforeThePlaintext) {
  const test::Packet p = test::from_hex("01 02 03 03 04");
  const auto view = EspTrailerView::parse(std::span{p}.subspan(1));
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error(), DropReason::EspBadPadding);
}

TEST(EspTrailerView, RejectsEachWrongByteOfPadding) {
  for (std::size_t at = 4; at < 12; ++at) {
    test::Packet p = test::from_hex("aabbccdd 0102030405060708 08 04");
    ++p[at];
    EXPECT_EQ(test::refusal<EspTrailerView>(p), DropReason::EspBadPadding) << at;
  }
}

TEST(EspPadding, AlignsPayloadAndTrailerToFourWithTheLeast) {
  for (std::size_t payload = 0; payload < 2000; ++payload) {
    const std::size_t pad = proto::esp_padding(payload);
    EXPECT_LT(pad, 4u);
    EXPECT_EQ((payload + pad + 2) % 4, 0u);
  }
}
}  // namespace
