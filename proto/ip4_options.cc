// SPDX-License-Identifier: BSD-3-Clause
#include "proto/ip4_options.hh"

#include "proto/wire/checksum.hh"
#include "proto/wire/ip4.hh"

namespace proto {
namespace {
constexpr std::uint8_t kEnd = 0, kNop = 1, kRecordRoute = 7, kTimestamp = 68,
                       kLooseSourceRoute = 131, kStrictSourceRoute = 137;
// Bytes of an option; its pointer counts from 1 (RFC 791 page 20).
constexpr std::size_t kLengthAt = 1, kPointerAt = 2, kFlagsAt = 3;
constexpr std::size_t kFirstRoute = 4, kFirstTimestamp = 5;
enum TimestampFlag : std::uint8_t { kTimeOnly = 0, kWithAddress = 1, kPrespecified = 3 };

/// Calls `f(option, at)` for every option with a length, until it returns false. @return where a
/// length does not hold, or 0.
template <class Span, class F>
std::size_t for_each_option(Span header, F&& f) noexcept {
  for (std::size_t at = Ip4View::kMinHeaderLen; at < header.size();) {
    const std::uint8_t type = header[at];
    if (type == kEnd) break;
    if (type == kNop) {
      ++at;
      continue;
    }
    if (type == kLooseSourceRoute || type == kStrictSourceRoute) {
      (void)f(header.subspan(at), at);
      break;
    }
    if (at + kLengthAt == header.size()) return at;
    const std::size_t length = header[at + kLengthAt];
    if (length < 2 || at + length > header.size()) return at + kLengthAt;
    if (!f(header.subspan(at, length), at)) break;
    at += length;
  }
  return 0;
}

/// Bytes that a hop takes of a timestamp option; 0 where its flag is none of RFC 791's.
std::size_t timestamp_entry(std::uint8_t flag) noexcept {
  switch (flag) {
    case kTimeOnly: return 4;
    case kWithAddress:
    case kPrespecified: return 8;
    default: return 0;
  }
}

/// The byte of an option that is wrong, 0 where none is.
std::size_t fault_of(Bytes option) noexcept {
  if (option[0] == kRecordRoute) {
    if (option.size() < 3) return kLengthAt;
    const std::size_t next = option[kPointerAt];
    if (next < kFirstRoute) return kPointerAt;
    return next <= option.size() && next - 1 + 4 > option.size() ? kPointerAt : 0;
  }
  if (option[0] == kTimestamp) {
    if (option.size() < 4) return kLengthAt;
    const std::size_t next = option[kPointerAt], entry = timestamp_entry(option[kFlagsAt] & 0xf);
    if (next < kFirstTimestamp) return kPointerAt;
    if (entry == 0) return kFlagsAt;
    if (next <= option.size()) return next - 1 + entry > option.size() ? kPointerAt : 0;
    return option[kFlagsAt] >> 4 == 0xf ? kFlagsAt : 0;  // nobody could count this hop any more
  }
  return 0;
}

void write_route(MutBytes option, std::uint32_t address) noexcept {
  const std::size_t next = option[kPointerAt];
  if (next > option.size()) return;  // full: it goes on as it is
  store_be32(option, next - 1, address);
  option[kPointerAt] = static_cast<std::uint8_t>(next + 4);
}

void write_timestamp(MutBytes option, std::uint32_t address, std::uint64_t now_us) noexcept {
  const std::size_t next = option[kPointerAt];
  const std::uint8_t flag = option[kFlagsAt] & 0xf;
  if (next > option.size()) {
    option[kFlagsAt] = static_cast<std::uint8_t>(option[kFlagsAt] + 0x10);
    return;
  }
  if (flag == kPrespecified && load_be32(option, next - 1) != address) return;
  std::size_t at = next - 1;
  if (flag == kWithAddress) store_be32(option, at, address);
  if (flag != kTimeOnly) at += 4;
  store_be32(option, at, static_cast<std::uint32_t>(now_us / 1000) | 0x80000000u);
  option[kPointerAt] = static_cast<std::uint8_t>(next + timestamp_entry(flag));
}
}  // namespace

std::optional<Ip4OptionFault> judge_options(Bytes header) noexcept {
  std::optional<Ip4OptionFault> fault;
  const std::size_t bad_length = for_each_option(header, [&](Bytes option, std::size_t at) {
    if (option[0] == kLooseSourceRoute || option[0] == kStrictSourceRoute)
      fault = {core::DropReason::Ip4SourceRoute, static_cast<std::uint8_t>(at)};
    else if (const std::size_t wrong = fault_of(option))
      fault = {core::DropReason::Ip4BadOption, static_cast<std::uint8_t>(at + wrong)};
    return !fault;
  });
  if (bad_length != 0)
    return Ip4OptionFault{core::DropReason::Ip4BadOption, static_cast<std::uint8_t>(bad_length)};
  return fault;
}

void record_hop(MutBytes header, std::uint32_t address, std::uint64_t now_us) noexcept {
  constexpr std::size_t kChecksumAt = 10;
  bool written = false;
  (void)for_each_option(header, [&](MutBytes option, std::size_t) {
    if (option[0] == kRecordRoute)
      write_route(option, address);
    else if (option[0] == kTimestamp)
      write_timestamp(option, address, now_us);
    else
      return true;
    written = true;
    return true;
  });
  if (!written) return;
  store_be16(header, kChecksumAt, 0);
  store_be16(header, kChecksumAt, internet_checksum(header));
}
}  // namespace proto
