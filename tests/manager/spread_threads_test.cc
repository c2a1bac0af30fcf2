// SPDX-License-Identifier: BSD-3-Clause
// Software RSS and queues that move between workers, under traffic: within each flow nothing is
// lost, doubled or out of order.
#include "tests/stage/numbered_flows.hh"

namespace {
using namespace test;

TEST(SoftwareRss, KeepsEveryFlowWholeWhileQueuesMoveAndInterfacesComeAndGo) {
  Router r{{.workers = 2}};
  r.configure();
  r.know_neighbors();
  MemoryPort aux{r.pool, {.queues = 1}};
  {
    NumberedFlows flows{r};
    polluxd::InterfaceSpec spec;
    spec.name = "aux0";
    for (std::uint16_t n = 0; n < 100; ++n) {
      const std::uint64_t then = flows.arrived;
      must(r.manager.assign_queue("lan0", 0, n % 2));
      if (n % 2 == 0)
        must(r.attach(aux, spec, mac(0x30)));
      else
        must(r.manager.destroy_interface("aux0"));
      if (n % 10 == 5) (void)r.manager.spread_queues();
      if (n % 10 == 7) must(r.manager.set_software_rss("lan0", true));
      const std::uint64_t start_us = flows.clock.now_us();
      while (flows.arrived < then + 300 && flows.clock.now_us() - start_us < 60'000'000)
        r.manager.poll(flows.clock.now_us());
      ASSERT_GE(flows.arrived, then + 300) << "traffic has stopped";
    }
    EXPECT_EQ(flows.wrong, 0u);
    EXPECT_EQ(r.manager.interfaces()[0].spread, true);
  }
  EXPECT_EQ(r.drops(), Drops{});
  for (std::size_t w = 0; w < 2; ++w)
    EXPECT_GT(
        r.shard(w).worker.stages[static_cast<std::size_t>(core::Stage::Ip4Input)].packets.read(),
        1000u)
        << "worker " << w << " has its share";
  EXPECT_EQ(r.pool.in_use(), 0u);
}
}  // namespace
