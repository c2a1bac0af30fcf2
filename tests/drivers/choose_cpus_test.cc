// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>
#include <sched.h>

#include <set>

#include "apps/polluxd/eal.hh"

namespace {
using polluxd::choose_cpus;

/// The CPUs that this process may use, in order.
std::vector<unsigned> allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

TEST(ChooseCpus, LeavesTheFirstToTheManagerWhereThereAreMoreThanWorkers) {
  const auto cpus = allowed();
  if (cpus.size() < 2) GTEST_SKIP() << "needs two CPUs";
  EXPECT_EQ(choose_cpus(1, {}), (std::vector{cpus[1]}));
}

TEST(ChooseCpus, GivesEachWorkerOneOfItsOwnWhileThereAreEnough) {
  const auto cpus = allowed();
  const auto chosen = choose_cpus(static_cast<unsigned>(cpus.size()), {});
  EXPECT_EQ(std::set<unsigned>(chosen.begin(), chosen.end()).size(), cpus.size());
}

TEST(ChooseCpus, SharesWhereThereAreTooFew) {
  const auto cpus = allowed();
  EXPECT_EQ(choose_cpus(static_cast<unsigned>(cpus.size()) + 3, {}).size(), cpus.size() + 3);
}

TEST(ChooseCpus, TakesWhatIsWanted) {
  EXPECT_EQ(choose_cpus(3, {5, 7}), (std::vector<unsigned>{5, 7, 5}));
}
}  // namespace
