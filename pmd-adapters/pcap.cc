// SPDX-License-Identifier: BSD-3-Clause
// Capture files: what is in one is received, what is sent goes into another.
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <rte_mempool.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "pmd-adapters/driver.hh"

namespace pmd {
namespace {
constexpr pollux_option kOptions[] = {
    {"read", POLLUX_OPTION_STRING, "", "capture file whose frames are received, each once"},
    {"write", POLLUX_OPTION_STRING, "", "capture file that is made of what is sent"},
    {"loop", POLLUX_OPTION_STRING, "no",
     "yes: begin the file again and again; all of it is kept in packet buffers"},
};

struct Capture {
  std::uint64_t frames = 0;
  std::uint32_t longest = 0;
};

/// Reads a whole capture: what is wrong with it, DPDK's driver does not tell.
Outcome<Capture> examine(const std::string& file) {
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> in{pcap_open_offline(file.c_str(), why.data()),
                                                      pcap_close};
  if (!in) return Failure{ENOENT, fmt::format("cannot read {}: {}", file, why.data())};
  if (const int link = pcap_datalink(in.get()); link != DLT_EN10MB) {
    const char* name = pcap_datalink_val_to_name(link);
    return Failure{EINVAL, fmt::format("{} holds frames of link type {}; expected Ethernet", file,
                                       name != nullptr ? name : std::to_string(link).c_str())};
  }
  Capture all;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (pcap_next_ex(in.get(), &header, &data) == 1) {
    ++all.frames;
    all.longest = std::max(all.longest, header->caplen);
  }
  return all;
}

/// DPDK's driver (22.11) frees its buffers twice when it finds in the middle that it cannot loop.
Outcome<> check_loop(const Request& r, const std::string& file, const Capture& capture) {
  const std::size_t room = buffer_capacity(r.pool());
  if (capture.frames == 0) return Failure{EINVAL, fmt::format("{} is empty: no loop", file)};
  if (capture.longest > room)
    return Failure{EMSGSIZE, fmt::format("{} holds a frame of {} bytes; in a loop at most {}, as a "
                                         "packet buffer holds",
                                         file, capture.longest, room)};
  if (const unsigned there = rte_mempool_avail_count(r.pool()); capture.frames > there / 2)
    return Failure{ENOBUFS,
                   fmt::format("{} holds {} frames; in a loop at most {}, half of the free "
                               "packet buffers: raise limits.mbufs",
                               file, capture.frames, there / 2)};
  return core::Done{};
}

Outcome<> check_write(const std::string& file) {
  const std::ofstream out{file, std::ios::binary | std::ios::app};
  if (out) return core::Done{};
  const int error = errno;
  return Failure{error, fmt::format("cannot write {}: {}", file, strerror(error))};
}

Outcome<EthdevSpec> plan(const Request& r) {
  const std::string read = r.text("read"), write = r.text("write");
  const auto loop = r.yes_or_no("loop");
  if (!loop) return loop.error();
  if (read.empty() && write.empty()) return Failure{EINVAL, "give read=FILE, write=FILE, or both"};
  if (*loop && read.empty()) return Failure{EINVAL, "loop=yes needs read=FILE"};
  std::error_code ignored;
  if (!read.empty() && std::filesystem::equivalent(read, write, ignored))
    return Failure{EINVAL, fmt::format("read and write are the same file, {}", read)};

  EthdevSpec spec;
  spec.devargs = fmt::format("net_pcap_{}", r.name());
  if (!read.empty()) {
    const auto capture = examine(read);
    if (!capture) return capture.error();
    if (*loop)
      if (auto done = check_loop(r, read, *capture); !done) return done.error();
    spec.devargs += fmt::format(",rx_pcap={}{}", read, *loop ? ",infinite_rx=1" : "");
  }
  if (!write.empty()) {
    if (auto done = check_write(write); !done) return done.error();
    spec.devargs += fmt::format(",tx_pcap={}", write);
  }
  spec.device = read.empty() ? write : read;
  spec.mtu = r.mtu();
  spec.pool = r.pool();
  spec.frame_capacity = buffer_capacity(r.pool());
  // In a loop frames are kept in one buffer each.
  if (!*loop) spec.offloads.scatter = Scatter::Unasked;
  spec.offloads.sends_chains = true;
  return spec;
}

constexpr pollux_driver kDriver = make_driver<plan>(
    "pcap", "capture files: one is received, another is made of what is sent", kOptions);
}  // namespace
}  // namespace pmd

POLLUX_DRIVER_EXPORT const pollux_driver* pollux_driver_entry(void) {
  return &pmd::kDriver;
}
