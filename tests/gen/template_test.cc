// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/template.hh"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "apps/gen/inspect.hh"

namespace gen {
namespace {
using Frame = std::vector<std::uint8_t>;

constexpr core::MacAddress kSrc{2, 0, 0, 0, 0, 1}, kDst{2, 0, 0, 0, 0, 2};

/// RFC 1071 as a loop, in nothing like the way of the code under test.
std::uint16_t naive_sum(const Frame& bytes, std::size_t from, std::size_t to, std::uint32_t sum) {
  for (std::size_t i = from; i < to; ++i) {
    sum += (i - from) % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : bytes[i];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(sum);
}

/// Whether both checksums of a frame hold.
void expect_checksums(const Frame& f, const StreamPlan& plan) {
  const std::size_t l3 = plan.l3_offset(), l4 = plan.l4_offset();
  const std::size_t addresses = plan.is_ip6 ? 32 : 8;
  if (!plan.is_ip6) { EXPECT_EQ(naive_sum(f, l3, l4, 0), 0xffff); }
  const auto length = static_cast<std::uint32_t>(f.size() - l4);
  const std::uint32_t pseudo = naive_sum(f, l4 - addresses, l4, length + (plan.is_tcp ? 6 : 17));
  EXPECT_EQ(naive_sum(f, l4, f.size(), pseudo), 0xffff);
}

StreamPlan plan_of(bool ip6, bool tcp, std::size_t tags) {
  StreamPlan p;
  p.is_ip6 = ip6;
  p.is_tcp = tcp;
  p.src = FieldPlan::fixed(ip6 ? Wide{0x20010db8} << 96 | 1 : 0x0a010002);
  p.dst = {.kind = FieldPlan::Kind::Random,
           .min = ip6 ? Wide{0x20010db8} << 96 : 0x0a000000,
           .max = ip6 ? (Wide{0x20010db9} << 96) - 1 : 0x0affffff};
  p.src_port = {.kind = FieldPlan::Kind::Stepped, .min = 1, .max = 65535, .step = 977};
  p.id = {.kind = FieldPlan::Kind::Random, .min = 0, .max = 65535};
  p.flow_label = {.kind = FieldPlan::Kind::Random, .min = 0, .max = 0xfffff};
  p.dscp = 46;
  for (std::size_t i = 0; i < tags; ++i)
    p.vlans.push_back({.pcp = 5, .id = {.kind = FieldPlan::Kind::Stepped, .min = 1, .max = 4094}});
  return p;
}

TEST(FrameTemplate, ChecksumsHoldWhateverVaries) {
  for (int kind = 0; kind < 12; ++kind) {
    const StreamPlan plan = plan_of(kind % 2 != 0, kind / 2 % 2 != 0, kind / 4u);
    SCOPED_TRACE(kind);
    FrameTemplate frames{plan, kSrc, kDst, 7};
    Random random{static_cast<std::uint64_t>(kind)};
    for (std::uint32_t n = 0; n < 300; ++n) {
      Frame f(plan.smallest_frame() - kFcsLen + random.below(200), 0xee);
      const std::uint64_t time = random.next();
      frames.write(f, {.run = 3, .flow = 5, .sequence = n, .time = time});
      expect_checksums(f, plan);
      const Inspection seen = inspect(f, 3);
      ASSERT_EQ(seen.kind, FrameKind::Ours);
      EXPECT_EQ(seen.signature.flow, 5);
      EXPECT_EQ(seen.signature.sequence, n);
      EXPECT_EQ(seen.signature.time, time);

      const std::uint64_t later = random.next();
      frames.restamp(f, later);
      expect_checksums(f, plan);
      EXPECT_EQ(inspect(f, 3).signature.time, later);
      EXPECT_EQ(inspect(f, 4).kind, FrameKind::Stale);
    }
  }
}

TEST(FrameTemplate, HeadersAreAsPlanned) {
  StreamPlan plan;
  plan.src = FieldPlan::fixed(0x0a010002);
  plan.dst = {.kind = FieldPlan::Kind::Stepped, .min = 0x0a020002, .max = 0x0a020004, .step = 2};
  plan.dscp = 46;
  plan.vlans = {{.pcp = 3, .id = FieldPlan::fixed(100)}};
  FrameTemplate frames{plan, kSrc, kDst, 1};
  Frame f(68 - kFcsLen);
  frames.write(f, {});
  const Frame head{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x60, 100, 8, 0};
  EXPECT_TRUE(std::equal(head.begin(), head.end(), f.begin()));
  EXPECT_EQ(f[18], 0x45);
  EXPECT_EQ(f[19], 46 << 2);
  EXPECT_EQ(f[21], 46);  // Total Length
  EXPECT_EQ(f[37], 2);
  frames.write(f, {});
  EXPECT_EQ(f[37], 4);
  frames.write(f, {});
  EXPECT_EQ(f[37], 2);  // beyond max: from min again
}

TEST(FrameTemplate, SmallestFrames) {
  EXPECT_EQ(plan_of(false, false, 0).smallest_frame(), 64);
  EXPECT_EQ(plan_of(false, false, 1).smallest_frame(), 68);
  EXPECT_EQ(plan_of(false, true, 0).smallest_frame(), 76);
  EXPECT_EQ(plan_of(true, false, 0).smallest_frame(), 84);
  EXPECT_EQ(plan_of(true, true, 2).smallest_frame(), 104);
}

TEST(Inspect, EveryChangedByteIsSeen) {
  const StreamPlan plan = plan_of(false, false, 0);
  FrameTemplate frames{plan, kSrc, kDst, 7};
  Frame good(100);
  frames.write(good, {.run = 1, .flow = 2, .sequence = 3, .time = 4});
  for (std::size_t at = plan.l3_offset(); at < good.size(); ++at) {
    for (const unsigned bit : {0x01u, 0x80u}) {
      Frame bad = good;
      bad[at] = static_cast<std::uint8_t>(bad[at] ^ bit);
      EXPECT_NE(inspect(bad, 1).kind, FrameKind::Ours) << at;
    }
  }
}

TEST(Inspect, NothingShorterIsOurs) {
  const StreamPlan plan = plan_of(true, true, 2);
  FrameTemplate frames{plan, kSrc, kDst, 7};
  Frame good(plan.smallest_frame() - kFcsLen);
  frames.write(good, {.run = 1, .flow = 2, .sequence = 3, .time = 4});
  for (std::size_t length = 0; length < good.size(); ++length) {
    const Frame prefix(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(inspect(prefix, 1).kind, FrameKind::Foreign) << length;
  }
  good.resize(good.size() + 7);  // padding of a link
  EXPECT_EQ(inspect(good, 1).kind, FrameKind::Ours);
}
}  // namespace
}  // namespace gen
