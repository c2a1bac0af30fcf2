// SPDX-License-Identifier: BSD-3-Clause
// The driver that docs/drivers.md shows: it is the one that is built here, and it works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/drivers/driver_ports.hh"

namespace {
using lab::DriverPorts;
using lab::PortPtr;
using testing::HasSubstr;

const std::string kExample = EXAMPLE_DRIVER;

std::string text_of(const char* file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

TEST(ExampleDriver, IsTheOneInTheDocs) {
  const std::string source = text_of(EXAMPLE_SOURCE);
  ASSERT_FALSE(source.empty());
  EXPECT_THAT(text_of(EXAMPLE_DOCS), HasSubstr("```c\n" + source + "```\n"));
}

TEST_F(DriverPorts, ExampleDiscardsWhatIsSent) {
  const PortPtr port = open(kExample + ",speed=100", 1400, nullptr, 2);
  ASSERT_TRUE(port);
  EXPECT_STREQ(port->device().device, "discard");
  EXPECT_EQ(port->device().mtu, 1400);
  EXPECT_EQ(port->device().rx_queues, 2);
  const auto link = (*port)->link();
  ASSERT_TRUE(link);
  EXPECT_EQ(link->speed_mbps, 100U);
  send(*port, 30, 100);
  expect(*port, 0, 0);
  const auto counters = (*port)->xstats();
  ASSERT_TRUE(counters);
  ASSERT_EQ(counters->size(), 1U);
  EXPECT_EQ(counters->front().first, "discarded");
  EXPECT_EQ(counters->front().second, 30U);
  EXPECT_TRUE((*port)->set_mtu(1300));
  EXPECT_FALSE((*port)->set_promiscuous(true)) << "it has no such call";
}

TEST_F(DriverPorts, ExampleRefuses) {
  EXPECT_THAT(refused(kExample, 60).context, HasSubstr("MTU 60 is below 68"));
  EXPECT_THAT(refused(kExample + ",speed=fast").context, HasSubstr("is not a number"));
  EXPECT_THAT(refused(kExample + ",colour=red").context, HasSubstr("it has: speed, name"));
}
}  // namespace
