// SPDX-License-Identifier: BSD-3-Clause
// Options that pass stay well-formed however many routers write into them, and only what a router
// may write changes.
#include <algorithm>
#include <array>

#include "proto/ip4_options.hh"
#include "proto/wire/ip4.hh"
#include "tests/fuzz/fuzz.hh"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kFixed = proto::Ip4View::kMinHeaderLen;
  constexpr std::size_t kMost = proto::Ip4View::kMaxHeaderLen - kFixed;
  const std::size_t length = std::min(size, kMost) / 4 * 4;
  std::array<std::uint8_t, proto::Ip4View::kMaxHeaderLen> bytes{};
  std::copy_n(data, length, bytes.begin() + kFixed);
  const proto::MutBytes header{bytes.data(), kFixed + length};
  proto::emit(proto::Ip4Fields{.ttl = 64, .src = 0x0a000001, .dst = 0x0a000002}, header);
  header[0] = static_cast<std::uint8_t>(0x40 | header.size() / 4);
  proto::store_be16(header, 10, 0);
  proto::store_be16(header, 10, proto::internet_checksum(header));

  for (int hop = 0; hop < 40; ++hop) {
    if (const auto fault = proto::judge_options(header)) {
      fuzz::require(fault->pointer >= kFixed && fault->pointer < header.size(),
                    "what is wrong lies in the options");
      return 0;
    }
    const std::array<std::uint8_t, proto::Ip4View::kMaxHeaderLen> before = bytes;
    proto::record_hop(header, 0xc0000201, 123'456'789);
    fuzz::require(proto::checksum_holds(header), "the checksum follows");
    fuzz::require(
        std::equal(before.begin(), before.begin() + 10, bytes.begin()) &&
            std::equal(before.begin() + 12, before.begin() + kFixed, bytes.begin() + 12) &&
            std::equal(before.begin() + header.size(), before.end(), bytes.begin() + header.size()),
        "nothing but options and checksum changes");
  }
  return 0;
}
