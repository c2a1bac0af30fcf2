// SPDX-License-Identifier: BSD-3-Clause
#include "proto/next_hop.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/support/packet.hh"

namespace {
using proto::NextHopFields;
using proto::NextHopId;
using proto::NextHopKind;
using proto::NextHopTable;
using test::ip;

NextHopFields neighbor(NextHopKind kind) {
  return {.kind = kind,
          .interface = 2,
          .mtu = 1400,
          .tunnel = 0,
          .gateway = ip("192.0.2.9"),
          .source = ip("192.0.2.1"),
          .dst_mac = test::mac(9),
          .src_mac = test::mac(1)};
}

class NextHopTest : public testing::Test {
protected:
  core::Rcu rcu_{1};
  NextHopTable table_{8, rcu_};
};

TEST_F(NextHopTest, NoRouteIsAlwaysThere) {
  EXPECT_TRUE(table_.in_use(NextHopTable::kNoRoute));
  EXPECT_EQ(table_[NextHopTable::kNoRoute].kind.load(), NextHopKind::NoRoute);
  EXPECT_EQ(table_.used(), 1u);
  EXPECT_EQ(table_.capacity(), 8u);
}

TEST_F(NextHopTest, KeepsWhatItIsFilledWith) {
  const auto id = table_.allocate(neighbor(NextHopKind::Reachable));
  ASSERT_TRUE(id);
  const proto::NextHop& h = table_[*id];
  EXPECT_EQ(table_.id_of(h), *id);
  EXPECT_EQ(h.kind.load(), NextHopKind::Reachable);
  EXPECT_EQ(h.interface, 2);
  EXPECT_EQ(h.mtu, 1400);
  EXPECT_EQ(h.gateway, ip("192.0.2.9"));
  EXPECT_EQ(h.source, ip("192.0.2.1"));
  const test::Packet header =
      test::ether({.dst = test::mac(9), .src = test::mac(1), .type = 0x0800}, {});
  EXPECT_TRUE(
      std::equal(h.ether.end() - h.ether_length, h.ether.end(), header.begin(), header.end()));
}

TEST_F(NextHopTest, GivesEachIdOnceUntilItIsReleased) {
  std::set<NextHopId> ids;
  for (int i = 0; i < 7; ++i) {
    const auto id = table_.allocate({});
    ASSERT_TRUE(id);
    EXPECT_NE(*id, NextHopTable::kNoRoute);
    EXPECT_TRUE(ids.insert(*id).second);
    EXPECT_TRUE(table_.in_use(*id));
  }
  EXPECT_FALSE(table_.allocate({}));
  EXPECT_EQ(table_.used(), 8u);
  table_.release(*ids.begin());
  EXPECT_FALSE(table_.in_use(*ids.begin()));
  EXPECT_EQ(table_.used(), 7u);
  EXPECT_EQ(table_.allocate({}), *ids.begin());
}

TEST_F(NextHopTest, EveryChangeShowsInKindAndGeneration) {
  const NextHopKind kinds[] = {
      NextHopKind::Incomplete, NextHopKind::Reachable,  NextHopKind::Failed,
      NextHopKind::Reachable,  NextHopKind::Incomplete, NextHopKind::Failed,
      NextHopKind::Tunnel,     NextHopKind::Local,      NextHopKind::Blackhole,
      NextHopKind::Glean,      NextHopKind::Reachable};
  const NextHopId id = *table_.allocate(neighbor(NextHopKind::Glean));
  for (const NextHopKind k : kinds) {
    const std::uint32_t before = table_.generation();
    table_.set(id, neighbor(k));
    EXPECT_EQ(table_[id].kind.load(), k);
    EXPECT_NE(table_.generation(), before);
  }
}

TEST_F(NextHopTest, EachFieldCanBeChangedByItself) {
  // From a kind under which nobody reads the header, and from one under which everything is read.
  for (const NextHopKind kind : {NextHopKind::Incomplete, NextHopKind::Reachable}) {
    NextHopFields f = neighbor(kind);
    const NextHopId id = *table_.allocate(f);
    const auto change = [&](auto& field, auto value) {
      field = value;
      table_.set(id, f);
      const proto::NextHop& h = table_[id];
      EXPECT_EQ(h.interface, f.interface);
      EXPECT_EQ(h.mtu, f.mtu);
      EXPECT_EQ(h.tunnel, f.tunnel);
      EXPECT_EQ(h.gateway, f.gateway);
      EXPECT_EQ(h.source, f.source);
      EXPECT_EQ(h.ether[15], f.dst_mac[5]);
      EXPECT_EQ(h.ether[21], f.src_mac[5]);
      EXPECT_EQ(h.kind.load(), kind);
    };
    change(f.mtu, std::uint16_t{1280});
    change(f.source, ip("192.0.2.2"));
    change(f.dst_mac, test::mac(77));
    change(f.src_mac, test::mac(78));
    change(f.interface, core::InterfaceId{5});
    change(f.gateway, ip("192.0.2.10"));
    change(f.tunnel, std::uint16_t{3});
    table_.release(id);
  }
}
}  // namespace
