// SPDX-License-Identifier: BSD-3-Clause
#include "apps/gen/replay.hh"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/mbuf.hh"

namespace gen {
using core::Errc;
using core::Error;

core::Expected<Recording> read_recording(const std::string& path) {
  std::array<char, PCAP_ERRBUF_SIZE> said{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file{
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO,
                                              said.data()),
      pcap_close};
  if (!file) return Error{Errc::Invalid, fmt::format("{}: {}", path, said.data())};
  if (pcap_datalink(file.get()) != DLT_EN10MB)
    return Error{Errc::Invalid, fmt::format("{}: its packets are no Ethernet frames, expected "
                                            "a capture of an Ethernet interface",
                                            path)};
  Recording recording;
  const auto refuse = [&](std::string_view what) {
    return Error{Errc::Invalid,
                 fmt::format("{}: packet {} {}", path, recording.frames.size() + 1, what)};
  };
  std::uint64_t first = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  int more = 0;
  while ((more = pcap_next_ex(file.get(), &header, &bytes)) == 1) {
    if (header->caplen < header->len) return refuse("is cut short, expected a whole capture");
    if (header->caplen < 14 || header->caplen > UINT16_MAX)
      return refuse(fmt::format("has {} bytes, expected 14 to 65535", header->caplen));
    const std::uint64_t at = static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000 +
                             static_cast<std::uint64_t>(header->ts.tv_usec);
    if (recording.frames.empty()) first = at;
    recording.frames.push_back(
        {.bytes = {bytes, bytes + header->caplen}, .at_ns = at > first ? at - first : 0});
  }
  if (more == PCAP_ERROR) return refuse(pcap_geterr(file.get()));
  if (recording.frames.empty())
    return Error{Errc::Invalid, fmt::format("{}: there is no packet in it", path)};
  return recording;
}

namespace {
constexpr double kBurst = 32;

double cycles_per_unit(const RatePlan& rate, double cycles_per_s) noexcept {
  return rate.unit == RatePlan::Unit::Max ? 0 : cycles_per_s / rate.value;
}
}  // namespace

ReplaySource::ReplaySource(const Recording& recording, const RatePlan& rate, bool flat_out,
                           std::uint64_t loops, const Schedule& schedule, double cycles_per_s)
    : recording_{recording},
      own_times_{rate.unit == RatePlan::Unit::Max && !flat_out},
      counts_bits_{rate.unit == RatePlan::Unit::BitsPerS},
      pacer_{cycles_per_unit(rate, cycles_per_s), kBurst},
      loops_{loops},
      schedule_{schedule},
      cycles_per_ns_{cycles_per_s / 1e9},
      loop_start_{schedule.start} {
  pacer_.start(schedule.start);
}

bool ReplaySource::is_due(std::uint64_t now) const noexcept {
  if (!own_times_) return pacer_.is_due(now);
  const double at = static_cast<double>(recording_.frames[next_].at_ns) * cycles_per_ns_;
  return now >= loop_start_ + static_cast<std::uint64_t>(at);
}

void ReplaySource::advance() noexcept {
  if (++next_ < recording_.frames.size()) return;
  const double length = static_cast<double>(recording_.frames.back().at_ns) * cycles_per_ns_;
  loop_start_ += static_cast<std::uint64_t>(length);
  next_ = 0;
  ++loop_;
}

void ReplaySource::fill(std::uint64_t now, std::uint16_t most, Outbox& out) noexcept {
  most = std::min(most, out.room());
  for (; most > 0 && !done(now) && is_due(now); --most) {
    const auto& bytes = recording_.frames[next_].bytes;
    rte_mbuf* m = out.take(0);
    if (m == nullptr) return;
    core::grow_back(*m, static_cast<std::uint16_t>(bytes.size()));
    std::memcpy(core::front_bytes_mut(*m).data(), bytes.data(), bytes.size());
    out.push(m, this);
    const auto bits = static_cast<double>((bytes.size() + kFcsLen + kGapLen) * 8);
    if (!own_times_) pacer_.take(now, counts_bits_ ? bits : 1.0);
    advance();
  }
}
}  // namespace gen
