// SPDX-License-Identifier: BSD-3-Clause
// Blocks byte by byte (draft-ietf-opsawg-pcapng), then as tshark reads them.
#include "core/pcapng.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/support/packet.hh"

namespace {
namespace pcapng = core::pcapng;

test::Packet bytes_of(const std::string& s) {
  return {s.begin(), s.end()};
}

TEST(Pcapng, SectionHeader) {
  std::string out;
  pcapng::append_section(out, "abc");
  EXPECT_EQ(bytes_of(out), test::from_hex("0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff"
                                          "0400 0300 61626300 00000000 28000000"));
}

TEST(Pcapng, InterfaceDescription) {
  std::string out;
  pcapng::append_interface(
      out, {.name = "wan0", .description = "", .link = pcapng::LinkType::Raw, .snaplen = 96});
  EXPECT_EQ(bytes_of(out), test::from_hex("01000000 28000000 6500 0000 60000000 0200 0400 77616e30"
                                          "0900 0100 09000000 00000000 28000000"));
}

TEST(Pcapng, EnhancedPacket) {
  const test::Packet data = {1, 2, 3, 4, 5};
  std::string out;
  pcapng::append_packet(out, {.interface = 1,
                              .at_ns = 0x0102030405060708,
                              .length = 9,
                              .bytes = data,
                              .direction = pcapng::Packet::Direction::Outbound,
                              .comment = "why"});
  EXPECT_EQ(bytes_of(out),
            test::from_hex("06000000 3c000000 01000000 04030201 08070605 05000000 09000000"
                           "01020304 05000000 0100 0300 77687900 0200 0400 02000000 00000000"
                           "3c000000"));
}

TEST(Pcapng, InterfaceStatistics) {
  std::string out;
  pcapng::append_statistics(out, 2, 5, 10, 3);
  EXPECT_EQ(bytes_of(out),
            test::from_hex("05000000 34000000 02000000 00000000 05000000 0400 0800 0a00000000000000"
                           "0500 0800 0300000000000000 00000000 34000000"));
}

/// What a command prints.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe{popen(command.c_str(), "r"), pclose};
  std::string text;
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe.get())) != EOF;)
    text += static_cast<char>(c);
  return text;
}

TEST(Pcapng, TsharkReadsIt) {
  if (std::system("command -v tshark >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tshark here";
  const test::Packet ip = test::ip4_udp({}, {}, test::pattern(30));
  const test::Packet frame = test::ether({}, ip);
  std::string out;
  pcapng::append_section(out, "Pollux");
  pcapng::append_interface(out, {.name = "lan0", .description = "", .snaplen = 65535});
  pcapng::append_interface(
      out, {.name = "ipsec0", .description = "x", .link = pcapng::LinkType::Raw, .snaplen = 65535});
  constexpr std::uint64_t kAt = 1'700'000'000'123'456'789;
  pcapng::append_packet(out, {.interface = 0,
                              .at_ns = kAt,
                              .length = static_cast<std::uint32_t>(frame.size()),
                              .bytes = frame,
                              .direction = pcapng::Packet::Direction::Inbound,
                              .comment = "EspBadIcv: integrity check value wrong (esp)"});
  pcapng::append_packet(out, {.interface = 1,
                              .at_ns = kAt + 1,
                              .length = static_cast<std::uint32_t>(ip.size()),
                              .bytes = std::span{ip}.first(30),
                              .direction = pcapng::Packet::Direction::Outbound,
                              .comment = ""});
  pcapng::append_statistics(out, 0, kAt + 2, 5, 4);
  const auto path = std::filesystem::temp_directory_path() /
                    ("pcapng_test_" + std::to_string(::getpid()) + ".pcapng");
  std::ofstream{path, std::ios::binary} << out;
  const std::string told = output_of(
      "tshark -n -r " + path.string() +
      " -T fields -E separator='|' -e frame.interface_name -e frame.time_epoch -e frame.len"
      " -e frame.cap_len -e frame.packet_flags_direction -e frame.comment -e ip.src 2>/dev/null");
  std::filesystem::remove(path);
  EXPECT_EQ(told,
            "lan0|1700000000.123456789|72|72|0x00000001|EspBadIcv: integrity check value wrong "
            "(esp)|192.0.2.1\n"
            "ipsec0|1700000000.123456790|58|30|0x00000002||192.0.2.1\n");
}
}  // namespace
