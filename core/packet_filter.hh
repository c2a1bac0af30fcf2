// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <pcap/pcap.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.hh"

namespace core {
/// A packet filter in libpcap's language (pcap-filter(7)), compiled to BPF.
class PacketFilter {
public:
  /// What the first byte that a filter sees is of.
  enum class Link : std::uint8_t { Ethernet, Ip };

  PacketFilter() = default;  ///< takes every packet
  /// Names of hosts, networks and ports are not looked up: that could take for ever.
  /// @param text  at most kMaxText bytes; empty: every packet. @return the filter | Invalid.
  static Expected<PacketFilter> compile(const std::string& text, Link link);
  /// The filter that takes none.
  static PacketFilter nothing();

  /// @param front   the packet's first bytes, one piece of memory.
  /// @param length  bytes of the whole packet. Any thread; neither allocates nor locks.
  [[nodiscard]] bool matches(std::span<const std::uint8_t> front,
                             std::uint32_t length) const noexcept {
    return program_.empty() || bpf_filter(program_.data(), front.data(), length,
                                          static_cast<unsigned>(front.size())) != 0;
  }

  [[nodiscard]] bool takes_all() const noexcept { return program_.empty(); }

  static constexpr std::size_t kMaxText = 1024;

private:
  std::vector<bpf_insn> program_;  ///< empty: takes all
};
}  // namespace core
