// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/secret.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace {
using core::Errc;
using crypto::Secret;
using testing::HasSubstr;
using testing::Not;

std::vector<std::uint8_t> bytes(const Secret& s) {
  return {s.bytes().begin(), s.bytes().end()};
}

TEST(Secret, FromHex) {
  const std::vector<std::uint8_t> expected{0x00, 0x1f, 0xaB, 0xff};
  for (const char* text : {"001fabff", "0x001FABFF", "0X001faBfF", " \t001fabff\r\n"}) {
    const auto secret = Secret::from_hex(text);
    ASSERT_TRUE(secret) << text;
    EXPECT_EQ(bytes(*secret), expected) << text;
  }
}

TEST(Secret, TakesTheLongestKey) {
  const auto secret = Secret::from_hex(std::string(2 * Secret::kMaxSize, 'a'));
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->bytes().size(), Secret::kMaxSize);
}

struct BadHex {
  const char *text, *says;
};
TEST(Secret, RefusesWhatIsNoHexAndDoesNotRepeatIt) {
  const std::string too_long(2 * Secret::kMaxSize + 2, 'd');
  const BadHex cases[] = {
      {"", "empty"},
      {" \n", "empty"},
      {"0x", "empty"},
      {"deadbee", "odd number of hexadecimal digits, 7"},
      {"deadbeeg", "than a hexadecimal digit at place 8"},
      {"dead beef", "than a hexadecimal digit at place 5"},
      {"0xdead0xbeef", "than a hexadecimal digit at place 6"},
      {"deadbeef\ndeadbeef", "than a hexadecimal digit at place 9"},
      {too_long.c_str(), "65 bytes, expected at most 64"},
  };
  for (const BadHex& c : cases) {
    const auto secret = Secret::from_hex(c.text);
    ASSERT_FALSE(secret) << c.text;
    EXPECT_EQ(secret.error().code, Errc::Invalid) << c.text;
    EXPECT_THAT(secret.error().context, HasSubstr(c.says));
    EXPECT_THAT(secret.error().context, Not(HasSubstr("dead")));
    EXPECT_THAT(secret.error().context, Not(HasSubstr("beef")));
  }
}

TEST(Secret, MovesWithoutACopy) {
  auto made = Secret::from_hex("0102");
  ASSERT_TRUE(made);
  const std::uint8_t* at = made->bytes().data();
  Secret moved{std::move(*made)};
  EXPECT_EQ(moved.bytes().data(), at);
  EXPECT_TRUE(made->bytes().empty());
  Secret assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.bytes().data(), at);
  EXPECT_TRUE(moved.bytes().empty());
  assigned = Secret{};
  EXPECT_TRUE(assigned.bytes().empty());
}

/// What /proc/self/smaps says of the mapping that holds `at`: "Locked:" and "VmFlags:".
std::string mapping_of(const void* at) {
  std::ifstream smaps{"/proc/self/smaps"};
  std::string said;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    const void *from = nullptr, *to = nullptr;
    if (std::sscanf(line.c_str(), "%p-%p ", &from, &to) == 2) {
      inside = !std::less<>{}(at, from) && std::less<>{}(at, to);
    } else if (inside) {
      said += line + "\n";
    }
  }
  return said;
}

TEST(Secret, LiesInLockedMemoryThatIsNotDumped) {
  const auto secret = Secret::from_hex("0102");
  ASSERT_TRUE(secret);
  const std::string mapping = mapping_of(secret->bytes().data());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they make mlock() do nothing
  EXPECT_THAT(mapping, HasSubstr(" lo "));                           // locked
#endif
  EXPECT_THAT(mapping, HasSubstr(" dd "));  // don't dump
}

/// A key file that is gone after the test.
class KeyFile : public testing::Test {
protected:
  ~KeyFile() override { unlink(path.c_str()); }
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream{path} << text;
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  void refused(Errc code, const std::string& says, const std::string& of) {
    const auto secret = Secret::from_file(of);
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, code);
    EXPECT_THAT(secret.error().context, HasSubstr(of));
    EXPECT_THAT(secret.error().context, HasSubstr(says));
    EXPECT_THAT(secret.error().context, Not(HasSubstr("c0ffee")));
  }
  std::string path = testing::TempDir() + "pollux-key-" + std::to_string(getpid());
};

TEST_F(KeyFile, IsRead) {
  for (const mode_t mode : {0400u, 0600u, 0640u, 0660u}) {
    write("0xc0ffee\n", mode);
    const auto secret = Secret::from_file(path);
    ASSERT_TRUE(secret) << secret.error().context;
    EXPECT_EQ(bytes(*secret), (std::vector<std::uint8_t>{0xc0, 0xff, 0xee}));
  }
}

TEST_F(KeyFile, OpenToEverybodyIsRefused) {
  for (const mode_t mode : {0604u, 0602u, 0601u}) {
    write("c0ffee", mode);
    refused(Errc::Invalid, "lets everybody in, expected 0640 or less", path);
  }
}

TEST_F(KeyFile, MalformedIsRefused) {
  write("c0ffee1");
  refused(Errc::Invalid, "odd number", path);
  write("c0ffee\nc0ffee\n");
  refused(Errc::Invalid, "hexadecimal digit at place 7", path);
  write("");
  refused(Errc::Invalid, "empty", path);
  write(std::string(Secret::kMaxFileSize, ' ') + "c0ffee");
  refused(Errc::Invalid, "larger than 4096 bytes", path);
}

TEST_F(KeyFile, MissingIsNotFound) {
  refused(Errc::NotFound, "No such file", path);
  refused(Errc::NotFound, "No such file", "");
  write("c0ffee");
  refused(Errc::NotFound, "Not a directory", path + "/below");
}

TEST_F(KeyFile, NotARegularFileIsRefused) {
  refused(Errc::Invalid, "not a regular file", "/tmp");
  refused(Errc::Invalid, "not a regular file", "/dev/null");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  refused(Errc::Invalid, "not a regular file", path);  // and it does not wait for a writer
}
}  // namespace
