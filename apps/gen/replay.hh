// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>

#include "apps/gen/engine.hh"
#include "apps/gen/source.hh"
#include "core/error.hh"

namespace gen {
/// Reads a capture file, pcap or pcapng, whose packets are Ethernet frames.
/// @return the frames | Invalid: no such file, no capture, no Ethernet, a packet that is cut short
/// or longer than 65535 bytes, nothing in it.
core::Expected<Recording> read_recording(const std::string& path);

/// Sends the frames of a recording, again and again if asked to. They carry no signature: what
/// comes back is counted by port only.
class ReplaySource final : public Source {
public:
  /// @param rate  in packets or bits a second; Max: as the recording's own times say.
  /// @param flat_out  all due at once. @param loops  how often, 1 or more.
  ReplaySource(const Recording& recording, const RatePlan& rate, bool flat_out, std::uint64_t loops,
               const Schedule& schedule, double cycles_per_s);
  void fill(std::uint64_t now, std::uint16_t most, Outbox& out) noexcept override;
  void sent(std::uint32_t /*bytes*/, std::uint64_t /*now*/) noexcept override {}
  void restamp(rte_mbuf& /*m*/, std::uint64_t /*now*/) noexcept override {}
  [[nodiscard]] bool done(std::uint64_t now) const noexcept override {
    return loop_ == loops_ || now >= schedule_.stop;
  }

private:
  [[nodiscard]] bool is_due(std::uint64_t now) const noexcept;
  void advance() noexcept;

  const Recording& recording_;
  bool own_times_, counts_bits_;
  Pacer pacer_;
  std::uint64_t loops_, loop_ = 0;
  Schedule schedule_;
  double cycles_per_ns_;
  std::uint64_t loop_start_;
  std::size_t next_ = 0;
};
}  // namespace gen
