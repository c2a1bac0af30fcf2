// SPDX-License-Identifier: BSD-3-Clause
// Workers that share SAs, and a manager that adds and removes them meanwhile.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/crypto/esp_lab.hh"

namespace {
using core::DropReason;
using test::Packet;

class EspThreads : public test::EspLab {
protected:
  static constexpr unsigned kWorkers = 2;
  static constexpr std::size_t kBursts = 300, kBurst = 32;
};

TEST_F(EspThreads, SharedOutboundSaNeverRepeatsANumber) {
  std::vector<std::vector<Packet>> sealed(kWorkers);
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < kWorkers; ++t)
    workers.emplace_back([this, t, &sealed] {
      core::Worker w{static_cast<std::uint16_t>(t), 4, nullptr};
      crypto::EspShard esp{kSas};
      for (std::size_t b = 0; b < kBursts; ++b) {
        core::NotedBurst<std::uint16_t> burst;
        core::Burst outer;
        for (std::size_t i = 0; i < kBurst; ++i) burst.push(pool.make(inner(60)), kLeft);
        crypto::esp_output(w, esp, config, burst, outer);
        for (rte_mbuf* m : outer.take()) sealed[t].push_back(test::take_bytes(m));
      }
    });
  for (std::thread& t : workers) t.join();

  std::set<Packet> ivs, numbers;
  for (const auto& of_one : sealed)
    for (const Packet& p : of_one) {
      numbers.insert({p.begin() + 24, p.begin() + 28});
      ivs.insert({p.begin() + 28, p.begin() + 36});
    }
  EXPECT_EQ(ivs.size(), kWorkers * kBursts * kBurst);
  EXPECT_EQ(numbers.size(), kWorkers * kBursts * kBurst);
  EXPECT_EQ(sas->list()[0].sequence, kWorkers * kBursts * kBurst);
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
        core::Burst burst, out_of_it;
        for (std::size_t i = at; i < std::min(sealed.size(), at + kBurst); ++i)
          burst.push(pool.make(sealed[i]));
        crypto::esp_input(w, esp, config, burst, out_of_it);
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
      core::Burst burst, out_of_it;
      for (unsigned i = 0; i < 8; ++i) burst.push(pool.make(i % 2 == 0 ? lasting : passing));
      offered += 8;
      crypto::esp_input(w, esp, config, burst, out_of_it);
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
