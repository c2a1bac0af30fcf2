// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/interrupt.hh"

#include <csignal>

namespace plx {
namespace {
volatile std::sig_atomic_t came = 0;
void on_signal(int) {
  came = 1;
}
}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
  return came != 0;
}
}  // namespace plx
