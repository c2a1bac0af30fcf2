// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/eal.hh"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace test {
namespace {
int first_allowed_cpu(const cpu_set_t& allowed) {
  int cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  return cpu;
}
}  // namespace

void eal_up() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) std::abort();
  std::vector<std::string> arguments{"test",
                                     "--no-huge",
                                     "--no-pci",
                                     "--no-shconf",
                                     "--no-telemetry",
                                     "-m",
                                     "256",
                                     "--lcores=0@" + std::to_string(first_allowed_cpu(allowed)),
                                     "--log-level=*:error"};
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    std::fprintf(stderr, "test support: EAL: %s\n", rte_strerror(rte_errno));
    std::exit(EXIT_FAILURE);
  }
  // The EAL has pinned this thread to one CPU, which the threads of a test would inherit.
  sched_setaffinity(0, sizeof allowed, &allowed);
}

void eal_down() {
  rte_eal_cleanup();
}
}  // namespace test
