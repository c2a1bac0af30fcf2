// SPDX-License-Identifier: BSD-3-Clause
// main() of the drivers' tests: a network namespace of their own, the EAL as the daemon has it.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "apps/polluxd/eal.hh"
#include "tests/drivers/driver_ports.hh"

// DPDK 22.11 never deletes a UMEM.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: the sanitizer's name
  return "leak:xsk_umem__create";
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lab::have_root = lab::enter_own_namespace();
  if (!lab::have_root) return RUN_ALL_TESTS();
  (void)std::signal(SIGPIPE, SIG_IGN);  // as the daemon: DPDK writes to peers that have gone
  polluxd::EalRequest request;
  request.instance = 200;
  request.worker_cpus = polluxd::choose_cpus(1, {});
  request.memory_mib = 256;  // a thousand memifs leave 54 MiB of DPDK's heap behind
  if (auto eal = polluxd::eal_init(request); !eal) {
    std::fprintf(stderr, "%s\n", eal.error().context.c_str());
    return 1;
  }
  const int status = RUN_ALL_TESTS();
  polluxd::eal_cleanup(request.instance);
  std::filesystem::remove_all(lab::kFolder);
  return status;
}
