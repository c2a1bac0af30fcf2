// SPDX-License-Identifier: BSD-3-Clause
// Workers that share SAs, and a manager that adds and removes them meanwhile.
#include <algorithm>
#include <atomic>
#include <thread>

#include "core/mbuf.hh"
#include "proto/wire/bytes.hh"
#include "tests/crypto/esp_lab.hh"

namespace {
using core::DropReason;
using test::Packet;

class EspThreads : public test::EspLab {
protected:
  static constexpr unsigned kWorkers = 2;
  static constexpr std::size_t kBurst = 32;
};

/// Sequence number and IV of an ESP packet behind a 20-byte header.
struct Numbers {
  std::uint32_t sequence;
  std::uint64_t iv;
};
Numbers numbers_of(const rte_mbuf* m) {
  const auto bytes = core::front_bytes(*m);
  return {proto::load_be32(bytes, 24), proto::load_be64(bytes, 28)};
}

TEST_F(EspThreads, SharedOutboundSaNeverRepeatsANumber) {
  // One packet a burst, the same again and again, so that the threads do little but take numbers;
  // until they have got in each other's way often, which on a busy machine takes a while.
  constexpr std::size_t kMostPackets = 1000000, kEncounters = 5000;
  std::vector<std::vector<Numbers>> taken(kWorkers);
  std::atomic<unsigned> ready{0};
  std::atomic<bool> enough{false};
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < kWorkers; ++t)
    workers.emplace_back([&, t] {
      core::Worker w{static_cast<std::uint16_t>(t), 4, nullptr};
      crypto::EspShard esp{kSas};
      rte_mbuf* m = pool.make(inner(60));
      std::size_t encounters = 0;
      ++ready;
      while (ready != kWorkers) std::this_thread::yield();
      while (!enough && taken[t].size() < kMostPackets) {
        core::NotedBurst<std::uint16_t> burst;
        core::Burst outer;
        burst.push(m, kLeft);
        crypto::esp_output(w, esp, config, burst, outer);
        ASSERT_EQ(outer.take().size(), 1u);
        const Numbers now = numbers_of(m);
        if (!taken[t].empty() && now.sequence != taken[t].back().sequence + 1) ++encounters;
        taken[t].push_back(now);
        if (encounters == kEncounters) enough = true;
        core::strip_front(*m, 36);
        core::keep_front(*m, 60);
      }
      rte_pktmbuf_free(m);
    });
  for (std::thread& t : workers) t.join();

  std::vector<std::uint64_t> ivs, sequences;
  for (const auto& of_one : taken)
    for (const Numbers& n : of_one) {
      sequences.push_back(n.sequence);
      ivs.push_back(n.iv);
    }
  std::sort(ivs.begin(), ivs.end());
  std::sort(sequences.begin(), sequences.end());
  EXPECT_EQ(std::adjacent_find(ivs.begin(), ivs.end()), ivs.end());
  EXPECT_EQ(sequences.front(), 1u);
  EXPECT_EQ(sequences.back(), sequences.size());  // none twice, and none left out
  EXPECT_EQ(std::adjacent_find(sequences.begin(), sequences.end()), sequences.end());
  EXPECT_EQ(sas->list()[0].sequence, sequences.size());
}

TEST_F(EspThreads, SharedInboundSaOpensEachPacketOnce) {
  const std::vector<Packet> sealed = send(std::vector<Packet>(1000, inner(60)));
  std::atomic<std::uint64_t> opened{0}, replayed{0};
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < kWorkers; ++t)
    workers.emplace_back([&, t] {
      core::Worker w{static_cast<std::uint16_t>(t), 4, nullptr};
      crypto::EspShard esp{kSas};
      for (std::size_t at = 0; at < sealed.size(); at += kBurst) {
        core::Burst burst;
        crypto::EspInputNext next;
        core::Burst& out_of_it = next.inner;
        for (std::size_t i = at; i < std::min(sealed.size(), at + kBurst); ++i)
          burst.push(pool.make(sealed[i]));
        crypto::esp_input(w, esp, config, 0, burst, next);
        opened += out_of_it.size();
        for (rte_mbuf* m : out_of_it.take()) rte_pktmbuf_free(m);
      }
      const auto dropped = test::drops_of(w);
      for (const auto& [why, n] : dropped) EXPECT_EQ(why, DropReason::EspReplayed) << n;
      replayed +=
          dropped.contains(DropReason::EspReplayed) ? dropped.at(DropReason::EspReplayed) : 0;
    });
  for (std::thread& t : workers) t.join();
  EXPECT_EQ(opened.load(), sealed.size());  // both get all of them in order: nothing is overtaken
  EXPECT_EQ(opened + replayed, kWorkers * sealed.size());
}

TEST_F(EspThreads, SasComeAndGoWhileAWorkerUsesThem) {
  constexpr std::uint32_t kOther = kSpi + 1;
  const Packet lasting = seal({.sequence = 1}), passing = seal({.spi = kOther, .sequence = 1});
  ASSERT_TRUE(sas->remove(in));
  in = add_sa(crypto::Direction::In, kSpi, 0);  // no window: the same packet serves again

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> rounds{0};
  std::uint64_t offered = 0, opened = 0;
  core::Worker w{0, 4, nullptr};
  std::thread worker{[&] {
    crypto::EspShard esp{kSas};
    rcu.enter(0);
    while (!stop.load(std::memory_order_relaxed)) {
      core::Burst burst;
      crypto::EspInputNext next;
      core::Burst& out_of_it = next.inner;
      for (unsigned i = 0; i < 8; ++i) burst.push(pool.make(i % 2 == 0 ? lasting : passing));
      offered += 8;
      crypto::esp_input(w, esp, config, 0, burst, next);
      opened += out_of_it.size();
      for (rte_mbuf* m : out_of_it.take()) rte_pktmbuf_free(m);
      rcu.quiescent(0);
      rounds.fetch_add(1, std::memory_order_relaxed);
    }
    rcu.leave(0);
  }};
  const auto wait_for_a_round = [&] {
    for (const std::uint64_t now = rounds; rounds == now;) std::this_thread::yield();
  };
  for (int i = 0; i < 200; ++i) {
    const crypto::SaId id = add_sa(crypto::Direction::In, kOther, 0);
    if (i % 4 == 0) wait_for_a_round();
    ASSERT_TRUE(sas->remove(id));
    if (i % 4 == 1) wait_for_a_round();
  }
  stop = true;
  worker.join();
  // A packet of the SA that stays always passes; one of the other passes, or there was no SA. Never
  // is an SA seen half-written or half-wiped, which would be a bad ICV or a wrong endpoint.
  const auto dropped = test::drops_of(w);
  for (const auto& [why, n] : dropped) EXPECT_EQ(why, DropReason::EspNoSa) << n;
  EXPECT_EQ(opened + (dropped.contains(DropReason::EspNoSa) ? dropped.at(DropReason::EspNoSa) : 0),
            offered);
  EXPECT_GE(opened, offered / 2);
}
}  // namespace
