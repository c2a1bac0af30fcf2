// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include "tests/support/eal.hh"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  test::eal_up();
  const int status = RUN_ALL_TESTS();
  test::eal_down();
  return status;
}
