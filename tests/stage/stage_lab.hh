// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/ip4_lookup.hh"
#include "tests/stage/drops.hh"
#include "tests/support/memory_port.hh"

namespace test {
/// What became of the packets that were put into a stage.
struct Outcome {
  std::map<std::string, std::vector<Packet>> to;  ///< by name of the next burst
  Drops dropped;
  std::uint64_t consumed = 0, originated = 0;
  std::vector<core::Event> events;

  /// The only packet of the only burst; fails the test when there is not exactly that.
  [[nodiscard]] Packet only(const std::string& burst) const;
};

/// One line of a stage's table: a packet, and where it goes or why it does not.
struct StageCase {
  std::string name;
  Packet packet;
  std::string next = {};  ///< name of a burst, "held", "sent" or "consumed"
  std::optional<core::DropReason> dropped = {};
};

/// A worker with a routing table of one next hop of each kind, for one stage at a time.
///
///     lan0 (0): 198.51.100.1/24, to 192.0.2.0/24            wan0 (1): 203.0.113.1/24, MTU 1400
///     10.1/16 reachable over wan0   10.2/16 tunnel (MTU 1300)   10.3/16 blackhole
///     10.4/16 prohibited   10.5/16 glean on wan0   10.6/16 incomplete, by 203.0.113.6
///     10.7/16 failed   10.8/16 being changed   10.9/16 broadcast of wan0
///     224/4 multicast   127/8 martian   255.255.255.255 broadcast; nothing else
class StageLab : public testing::Test {
protected:
  static constexpr core::InterfaceId kLan = 0, kWan = 1;
  static constexpr core::MacAddress kWanMac = mac(3), kNextMac = mac(9);
  static constexpr std::uint64_t kNow_us = 5'000'000;

  StageLab();
  /// @pre nothing is left of the test.
  ~StageLab() override;

  /// Notes that packets left the stage by the burst `name`, and ends them.
  void collect(const std::string& name, core::Burst& burst);
  template <class Note>
  void collect(const std::string& name, core::NotedBurst<Note>& burst) {
    for (rte_mbuf* m : burst.take()) went_.to[name].push_back(take_bytes(m));
  }
  /// By "refused REASON TYPE/CODE" and ", MTU n".
  void collect(core::NotedBurst<proto::Icmp4Cause>& refused);

  /// The law of every stage: all that was put in, and all that was made, was forwarded, dropped,
  /// held or consumed; no mbuf is lost; the stage has counted its packets.
  Outcome settle(core::Stage stage, std::uint64_t put_in);
  /// All `put_in` packets went the way of the case, and no other counter moved.
  static void expect_way(const StageCase& c, const Outcome& o, std::uint64_t put_in);

  /// Runs each case, `copies` of its packet in one burst, through `run(burst)`, which collects.
  template <class Run>
  void check(core::Stage stage, const std::vector<StageCase>& cases, Run&& run,
             std::uint64_t copies = 3) {
    for (const StageCase& c : cases) {
      SCOPED_TRACE(c.name);
      core::Burst in;
      for (std::uint64_t i = 0; i < copies; ++i) in.push(pool.make(c.packet));
      run(in);
      EXPECT_TRUE(in.empty());
      expect_way(c, settle(stage, copies), copies);
    }
  }

  [[nodiscard]] const proto::NextHop& hop_to(std::uint32_t dst) const {
    return next_hops[fib->lookup(dst)];
  }

  PacketPool pool;
  MemoryPort lan{pool}, wan{pool};
  core::InterfaceTable interfaces{lan.make_interface(kLan, "lan0"),
                                  wan.make_interface(kWan, "wan0", kWanMac, 1400)};
  core::Rcu rcu{1};
  std::unique_ptr<proto::Fib4> fib =
      std::move(*proto::Fib4::create("stage_lab", {.routes = 64, .groups = 16}, rcu));
  proto::NextHopTable next_hops{64, rcu};
  proto::NextHopGroups groups{1};
  proto::Ip4Config config;
  core::Worker worker{0, 2, pool.get()};
  proto::IpShard shard{64};

private:
  void add_route(const char* network, std::uint8_t length, const proto::NextHopFields& fields);
  Outcome went_;
  Drops drops_before_;
  std::uint64_t consumed_before_ = 0, originated_before_ = 0, entered_before_ = 0;
};
}  // namespace test
