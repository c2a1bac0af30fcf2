// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "apps/gen/histogram.hh"

namespace gen {
/// What became of a stream, so far or at the end. Bytes are of frames, FCS not counted.
struct StreamResult {
  std::string name;
  std::uint64_t sent = 0, sent_bytes = 0;
  std::uint64_t received = 0, received_bytes = 0;  ///< each packet once, intact, where it should
  std::uint64_t highest = 0;                       ///< packets up to the highest number that came
  std::uint64_t duplicates = 0, reordered = 0, too_late = 0, corrupt = 0, misdelivered = 0;
  std::uint64_t max_extent = 0, extent_sum = 0;
  HistogramView delay;     ///< ns
  double jitter_ns = 0;    ///< RFC 3550
  double ipdv_sum_ns = 0;  ///< of |IPDV|, RFC 5481
  std::uint64_t ipdv_count = 0;
  double send_s = 0, receive_s = 0;  ///< from the first packet to the last

  [[nodiscard]] std::uint64_t lost() const noexcept {
    return sent > received ? sent - received : 0;
  }
  [[nodiscard]] double loss_ratio() const noexcept {
    return sent == 0 ? 0 : static_cast<double>(lost()) / static_cast<double>(sent);
  }
  [[nodiscard]] double sent_pps() const noexcept { return rate(sent, send_s); }
  [[nodiscard]] double received_pps() const noexcept { return rate(received, receive_s); }
  [[nodiscard]] double mean_extent() const noexcept {
    return reordered == 0 ? 0 : static_cast<double>(extent_sum) / static_cast<double>(reordered);
  }
  [[nodiscard]] double mean_ipdv_ns() const noexcept {
    return ipdv_count == 0 ? 0 : ipdv_sum_ns / static_cast<double>(ipdv_count);
  }
  /// Takes the counts of another, whose packets were sent meanwhile, into these.
  void add(const StreamResult& other);

private:
  /// n packets have n - 1 gaps between them.
  [[nodiscard]] static double rate(std::uint64_t n, double seconds) noexcept {
    return n < 2 || seconds <= 0 ? 0 : static_cast<double>(n - 1) / seconds;
  }
};

struct PortResult {
  std::string name, device;
  std::uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0;
  std::uint64_t foreign = 0, stale = 0, unknown = 0, refused = 0;
  std::uint64_t rx_missed = 0, rx_errors = 0, tx_errors = 0;  ///< the device's own
};

struct RunResult {
  std::vector<StreamResult> streams;
  std::vector<PortResult> ports;
  double elapsed_s = 0;
  bool interrupted = false;

  /// All streams as one.
  [[nodiscard]] StreamResult total() const;
};
}  // namespace gen
