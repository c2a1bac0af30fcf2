// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/plx/plan.hh"

/// `plx capture` and `plx trace`, what can be tested of them without a daemon.
namespace plx {
struct CaptureOptions {
  Words interfaces = {}, filter = {};
  bool drops = false, ipsec = false;
  std::string file = {};  ///< "-": standard output; empty: lines on the terminal
  std::optional<std::uint64_t> count = {}, snaplen = {};
};
/// @throws UsageError: nothing to capture
Call capture_call(const CaptureOptions& options);

/// A captured packet as a line, without its newline.
std::string capture_line(const Json& packet);
/// A traced packet's way, a line for each step.
std::string trace_text(const Json& way);

/// Counts what is in a pcapng file that passes by in pieces.
class BlockCounter {
public:
  void take(std::string_view bytes);
  [[nodiscard]] std::uint64_t packets() const noexcept { return packets_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
  std::string buffer_;  ///< the part of a block that has come
  std::uint64_t packets_ = 0, lost_ = 0;
};
}  // namespace plx
