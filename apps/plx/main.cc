// SPDX-License-Identifier: BSD-3-Clause
#include "apps/plx/command_line.hh"

int main(int argc, char** argv) {
  return plx::run(argc, argv);
}
