// SPDX-License-Identifier: BSD-3-Clause
#include "core/pcapng.hh"

#include <algorithm>
#include <cstring>

namespace core::pcapng {
namespace {
/// A block as it is written: its length stands at both ends and is known last.
class Block {
public:
  Block(std::string& out, std::uint32_t type) : out_{out}, begin_{out.size()} {
    add(type);
    add(std::uint32_t{0});
  }
  ~Block() {
    const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + sizeof(std::uint32_t));
    add(length);
    std::memcpy(out_.data() + begin_ + sizeof(std::uint32_t), &length, sizeof length);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  template <class T>
  void add(T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out_.append(bytes, sizeof value);
  }
  /// Upper and lower half of a time stamp.
  void add_time(std::uint64_t ns) {
    add(static_cast<std::uint32_t>(ns >> 32));
    add(static_cast<std::uint32_t>(ns));
  }
  /// With zeros up to a multiple of four bytes.
  void add_padded(const void* bytes, std::size_t n) {
    if (n != 0) out_.append(static_cast<const char*>(bytes), n);
    out_.append((4 - n % 4) % 4, '\0');
  }
  void option(std::uint16_t code, const void* bytes, std::size_t n) {
    add(code);
    add(static_cast<std::uint16_t>(n));
    add_padded(bytes, n);
  }
  void option(std::uint16_t code, std::string_view text) {
    constexpr std::size_t kMax = 0xffff;
    if (!text.empty()) option(code, text.data(), std::min(text.size(), kMax));
  }
  template <class T>
  void option_number(std::uint16_t code, T value) {
    option(code, &value, sizeof value);
  }
  void end_of_options() { add(std::uint32_t{0}); }

private:
  std::string& out_;
  std::size_t begin_;
};

constexpr std::uint32_t kSection = 0x0a0d0d0a, kInterface = 1, kStatistics = 5, kPacket = 6;
constexpr std::uint16_t kComment = 1;
}  // namespace

void append_section(std::string& out, std::string_view application) {
  constexpr std::uint16_t kUserApplication = 4;
  Block block{out, kSection};
  block.add(std::uint32_t{0x1a2b3c4d});  // tells the byte order
  block.add(std::uint16_t{1});
  block.add(std::uint16_t{0});
  block.add(std::int64_t{-1});  // the section's length is not known yet
  block.option(kUserApplication, application);
  block.end_of_options();
}

void append_interface(std::string& out, const Interface& i) {
  constexpr std::uint16_t kName = 2, kDescription = 3, kTimeResolution = 9;
  Block block{out, kInterface};
  block.add(static_cast<std::uint16_t>(i.link));
  block.add(std::uint16_t{0});
  block.add(i.snaplen);
  block.option(kName, i.name);
  block.option(kDescription, i.description);
  block.option_number(kTimeResolution, std::uint8_t{9});  // 10^-9 s
  block.end_of_options();
}

void append_packet(std::string& out, const Packet& p) {
  constexpr std::uint16_t kFlags = 2;
  Block block{out, kPacket};
  block.add(p.interface);
  block.add_time(p.at_ns);
  block.add(static_cast<std::uint32_t>(p.bytes.size()));
  block.add(p.length);
  block.add_padded(p.bytes.data(), p.bytes.size());
  block.option(kComment, p.comment);
  if (p.direction != Packet::Direction::Unknown)
    block.option_number(kFlags, static_cast<std::uint32_t>(p.direction));
  block.end_of_options();
}

void append_statistics(std::string& out, std::uint32_t interface, std::uint64_t at_ns,
                       std::uint64_t received, std::uint64_t lost) {
  constexpr std::uint16_t kReceived = 4, kDropped = 5;
  Block block{out, kStatistics};
  block.add(interface);
  block.add_time(at_ns);
  block.option_number(kReceived, received);
  block.option_number(kDropped, lost);
  block.end_of_options();
}
}  // namespace core::pcapng
