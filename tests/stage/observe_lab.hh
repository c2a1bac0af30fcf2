// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/stage/router.hh"

namespace test {
/// A step as a test writes it: "received lan0", "stage ip4_lookup", "sent wan0", "dropped
/// Ip4TtlExpired".
[[nodiscard]] inline std::string step_text(const polluxd::TraceStep& s) {
  using Kind = core::TraceRecord::Kind;
  const core::TraceRecord& r = s.record;
  switch (r.kind) {
    case Kind::Received: return "received " + s.interface;
    case Kind::Own: return "own";
    case Kind::Stage: return std::string{core::kStageInfo[r.what].name};
    case Kind::Opened: return "opened " + s.interface;
    case Kind::Held: return "held";
    case Kind::HandedOver: return fmt::format("handed to {}", r.where);
    case Kind::Sent: return fmt::format("sent {} queue {}", s.interface, r.where);
    case Kind::Delivered: return "delivered";
    case Kind::Dropped:
      return "dropped " + std::string{core::info(static_cast<core::DropReason>(r.what)).name};
  }
  return {};
}

/// A trace of a router, and what it has told.
struct Traced {
  using Way = std::vector<std::string>;
  std::vector<Way> ways;
  std::vector<std::vector<polluxd::TraceStep>> steps;
  bool ended = false;
  std::uint64_t lost = 0;
  polluxd::ObserverId id = 0;

  void start(Router& r, const std::string& filter, std::uint32_t count = 10) {
    const auto started =
        r.manager.start_trace({count, filter}, {[this](std::span<const polluxd::TraceStep> told) {
                                                  ways.emplace_back();
                                                  for (const auto& s : told)
                                                    ways.back().push_back(step_text(s));
                                                  steps.emplace_back(told.begin(), told.end());
                                                },
                                                [this](std::uint64_t n) {
                                                  ended = true;
                                                  lost = n;
                                                }});
    must(started);
    if (started) id = *started;
  }
};

/// A packet that a capture has told of.
struct CapturedFrame {
  std::string interface;
  core::Direction direction;
  core::Layer layer;
  Packet bytes;
  std::uint32_t length;
  std::string dropped;
  friend bool operator==(const CapturedFrame&, const CapturedFrame&) = default;
};

/// A capture of a router, and what it has told.
struct Captured {
  std::vector<CapturedFrame> packets;
  std::vector<polluxd::CaptureTotals> totals;
  bool begun = false, ended = false;
  bool willing = true;  ///< whether packets are taken
  polluxd::ObserverId id = 0;

  polluxd::CaptureSink sink() {
    return {[this] { begun = true; },
            [this](const polluxd::CapturedPacket& p) {
              if (!willing) return false;
              packets.push_back({std::string{p.interface},
                                 p.direction,
                                 p.layer,
                                 {p.bytes.begin(), p.bytes.end()},
                                 p.length,
                                 p.dropped ? name_of(*p.dropped) : ""});
              return true;
            },
            [this](std::span<const polluxd::CaptureTotals> all) {
              totals.assign(all.begin(), all.end());
              ended = true;
            }};
  }
  void start(Router& r, const polluxd::CaptureSpec& spec) {
    const auto started = r.manager.start_capture(spec, sink());
    must(started);
    if (started) id = *started;
  }
  [[nodiscard]] std::uint64_t lost() const {
    std::uint64_t n = 0;
    for (const auto& t : totals) n += t.lost;
    return n;
  }
};
}  // namespace test
