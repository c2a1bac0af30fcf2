// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "core/burst.hh"
#include "core/worker.hh"

namespace crypto {
/// Why a packet ends here; none: it goes on.
using Verdict = std::optional<core::DropReason>;

/// The packets of a burst with what the passes of an ESP stage know of each.
template <class Packet>
struct EspBatch {
  EspBatch() noexcept {}  // NOLINT: uninitialised on purpose, filled as far as `n` says
  std::array<Packet, core::Burst::kCapacity> packet;
  std::uint16_t n = 0;

  void push(const Packet& p) noexcept { packet[n++] = p; }
  [[nodiscard]] Packet* begin() noexcept { return packet.data(); }
  [[nodiscard]] Packet* end() noexcept { return packet.data() + n; }

  /// Asks `judge(Packet&) -> Verdict` about each; those that end are given to `drop(Packet&, why)`,
  /// the others close up.
  template <class Judge, class Drop>
  void sift(Judge judge, Drop drop) noexcept {
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < n; ++i) {
      if (const Verdict why = judge(packet[i])) [[unlikely]] {
        drop(packet[i], *why);
        continue;
      }
      if (kept != i) packet[kept] = packet[i];
      ++kept;
    }
    n = kept;
  }

  /// Calls `f(first, end)` for each run of packets of one SA: what an SA shares with other workers
  /// or counts is touched once per run.
  template <class F>
  void for_each_run(F f) noexcept {
    for (Packet* first = begin(); first != end();) {
      Packet* last = first + 1;
      while (last != end() && last->sa == first->sa) ++last;
      f(first, last);
      first = last;
    }
  }
};
}  // namespace crypto
