// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/mbuf.hh"
#include "proto/reassembly.hh"
#include "tests/proto/fragments.hh"
#include "tests/stage/drops.hh"
#include "tests/support/packet_pool.hh"

namespace test {
/// A table of one worker in virtual time; nothing of it may leak.
class ReassemblyLab : public testing::Test {
protected:
  ~ReassemblyLab() override {
    EXPECT_EQ(pool.in_use(), r.held());
    r.clear(w, core::DropReason::WorkerStopping);
    EXPECT_EQ(r.held(), 0u);
    EXPECT_EQ(pool.in_use(), 0u);
  }

  /// Fragments arrive in bursts; what has become whole, in order. @param first  bytes of the first
  /// segment, where they come in several.
  std::vector<Packet> put4(const std::vector<Packet>& fragments) {
    std::vector<Packet> all;
    for (const Packet& f : fragments) {
      core::Burst in, whole;
      in.push(pool.make(f));
      proto::reassemble_ip4(w, r, limits, 0, in, whole);
      take(whole, all);
    }
    return all;
  }
  std::vector<Packet> put4(const Packet& fragment) { return put4(std::vector<Packet>{fragment}); }

  /// The same for IPv6. What is refused is noted in `told` as "reason code/pointer".
  std::vector<Packet> put6(const std::vector<Packet>& fragments, std::uint16_t at = 40,
                           core::InterfaceId link = 0) {
    std::vector<Packet> all;
    for (const Packet& f : fragments) {
      core::NotedBurst<proto::Ip6FragmentPlace> in;
      core::Burst whole;
      core::NotedBurst<proto::Ip6Cause> refused;
      in.push(pool.make(f), {.link = link, .at = at});
      proto::reassemble_ip6(w, r, limits, in, whole, refused);
      take(whole, all);
      for (rte_mbuf* m : refused.take()) {
        const proto::Ip6Cause& c = refused.notes()[0];
        told.push_back(name_of(c.reason) + " " + std::to_string(c.code) + "/" +
                       std::to_string(c.value));
        EXPECT_EQ(c.type, 4);
        EXPECT_EQ(bytes_of(m), f) << "as it came";
        w.drop(m, c.reason);
      }
    }
    return all;
  }
  std::vector<Packet> put6(const Packet& fragment) { return put6(std::vector<Packet>{fragment}); }

  /// Time goes on; what is given up is noted in `told` as "4" or "6", its link and its bytes.
  void pass(std::uint64_t us) {
    w.now_us += us;
    core::NotedBurst<proto::LateDatagram> refused4, refused6;
    proto::reassembly_expire(w, r, limits, refused4, refused6);
    for (rte_mbuf* m : refused4.take()) {
      late.push_back(bytes_of(m));
      w.drop(m, core::DropReason::FragmentTimeout);
    }
    for (std::size_t i = 0; rte_mbuf * m : refused6.take()) {
      late_links.push_back(refused6.notes()[i++].link);
      late.push_back(bytes_of(m));
      w.drop(m, core::DropReason::FragmentTimeout);
    }
  }
  [[nodiscard]] Drops drops() const { return drops_of(w); }

  PacketPool pool{4095};
  core::Worker w{0, 4, pool.get()};
  proto::Reassembler r{0x0123456789abcdef};
  proto::ReassemblyLimits limits;
  std::vector<std::string> told;
  std::vector<Packet> late;
  std::vector<core::InterfaceId> late_links;

private:
  static void take(core::Burst& whole, std::vector<Packet>& all) {
    for (rte_mbuf* m : whole.take()) {
      EXPECT_TRUE(core::headers_in_front(*m));
      all.push_back(take_bytes(m));
    }
  }
};
}  // namespace test
