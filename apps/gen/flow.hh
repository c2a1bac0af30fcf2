// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "apps/gen/delay.hh"
#include "apps/gen/gauge.hh"
#include "apps/gen/sequence.hh"
#include "core/counter.hh"

namespace gen {
/// A frame with a signature that came in, on its way from the worker that received it to the one
/// that keeps its flow's books.
struct Arrival {
  std::uint16_t flow = 0;
  std::uint16_t port = 0;
  bool corrupt = false;
  std::uint32_t sequence = 0;
  std::uint32_t bytes = 0;                     ///< of the frame, without FCS
  std::uint64_t sent_at = 0, received_at = 0;  ///< cycles
};

/// A stream's share of one worker: what was sent and what became of it. That worker writes all of
/// it, anyone looks.
class Flow {
public:
  /// @param of_stream  by order in the plan. @param to  the port where packets are to arrive.
  /// @param ns_per_cycle  of the time-stamp counter. @param window  packets, of SequenceTracker.
  Flow(std::size_t of_stream, std::uint16_t to, std::uint32_t window, double ns_per_cycle)
      : stream{of_stream}, sequence{window}, to_{to}, ns_per_cycle_{ns_per_cycle} {}

  void note_sent(std::uint32_t bytes, std::uint64_t now) noexcept {
    if (sent.packets.read() == 0) first_sent.set(now);
    last_sent.set(now);
    sent.add(1, bytes);
  }
  void note_arrival(const Arrival& a) noexcept {
    if (a.corrupt) return corrupt.add(1);
    if (a.port != to_) return misdelivered.add(1);
    const auto verdict = sequence.observe(a.sequence);
    if (verdict == SequenceTracker::Verdict::Duplicate ||
        verdict == SequenceTracker::Verdict::TooLate)
      return;
    if (received.packets.read() == 0) first_received.set(a.received_at);
    last_received.set(a.received_at);
    received.add(1, a.bytes);
    // The counters of two cores may differ by a few cycles.
    const std::uint64_t cycles = a.received_at > a.sent_at ? a.received_at - a.sent_at : 0;
    delay.record(a.sequence,
                 static_cast<std::uint64_t>(static_cast<double>(cycles) * ns_per_cycle_));
  }

  const std::size_t stream;
  core::TrafficCounter sent;      ///< what the device took
  core::TrafficCounter received;  ///< each packet once, intact, where it was to arrive
  core::Counter corrupt, misdelivered;
  SequenceTracker sequence;
  DelayMeter delay;
  Gauge<std::uint64_t> first_sent, last_sent, first_received, last_received;  ///< cycles

private:
  std::uint16_t to_;
  double ns_per_cycle_;
};
using Flows = std::vector<std::unique_ptr<Flow>>;
}  // namespace gen
